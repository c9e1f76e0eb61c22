r"""Globs: Pachyderm's patterns over paths.

`*` and `?` stay within one name, `**` crosses slashes; `[a-z]`, `[!a-z]`, `{a,b}`, `\x`, and the
groups `(a|b)`, `@(a|b)`, `?(…)`, `*(…)`, `+(…)`, `!(…)`. All groups but the last capture: joins and
groups name what they captured `$1`, `$2` ….
"""

from __future__ import annotations

import re

from services.version_store.errors import StoreError

_SPECIAL = "*?[{\\"
_GROUP = re.compile(r"[@?*+!]?\(")
_NAMED = re.compile(r"\$(\d+)|\$\{(\d+)\}")
_CLASS = re.compile(r"\[([!^]?)((?:\\.|[^\]\\])+)\]")


def is_literal(pattern: str) -> bool:
    """Say whether `pattern` is a path, and not a glob; a name may well have brackets."""
    return not any(char in pattern for char in _SPECIAL) and not re.search(r"[@+!]\(", pattern)


def directory(pattern: str) -> str:
    """Return the deepest directory below which all matches lie."""
    names: list[str] = []
    for name in pattern.split("/")[1:]:
        if not is_literal(name) or "(" in name:
            return "/" + "/".join(names)
        names.append(name)
    return "/" + "/".join(names[:-1])


def compiled(pattern: str) -> re.Pattern[str]:
    """Return what matches a path (a directory's without its slash) as a whole."""
    text, at = _sequence(pattern, 0, "")
    if at != len(pattern):
        raise _invalid(pattern)
    return re.compile(text, re.DOTALL)


def replaced(found: re.Match[str], template: str) -> str:
    """Return a template with what its glob captured in place of `$1`, `$2` …."""

    def captured(name: re.Match[str]) -> str:
        number = int(name[1] or name[2])
        return (found[number] or "") if number <= (found.re.groups or 0) else ""

    return _NAMED.sub(captured, template)


def _sequence(pattern: str, at: int, ends: str) -> tuple[str, int]:
    """Translate up to one of `ends`; return the expression, and where it stopped."""
    made = []
    while at < len(pattern) and pattern[at] not in ends:
        text, at = _one(pattern, at)
        made.append(text)
    return "".join(made), at


def _one(pattern: str, at: int) -> tuple[str, int]:
    """Translate one element of the pattern."""
    char = pattern[at]
    if _GROUP.match(pattern, at):
        return _group(pattern, at)
    if pattern.startswith("**", at):
        return ".*", at + 2
    if char == "{":
        text, at = _alternatives(pattern, at + 1, ",", "}")
        return f"(?:{text})", at
    if char == "[":
        found = _CLASS.match(pattern, at)
        if found is None:
            raise _invalid(pattern)
        return _class(*found.groups()), found.end()
    if char == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), at + 2
    return {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)), at + 1


def _group(pattern: str, at: int) -> tuple[str, int]:
    kind = "" if pattern[at] == "(" else pattern[at]
    text, at = _alternatives(pattern, at + len(kind) + 1, "|", ")")
    if kind == "!":
        return f"(?!(?:{text})(?:/|$))[^/]*", at
    return f"({text})" if kind in {"", "@"} else f"((?:{text}){kind})", at


def _alternatives(pattern: str, at: int, between: str, end: str) -> tuple[str, int]:
    made = []
    while True:
        text, at = _sequence(pattern, at, between + end)
        if at == len(pattern):
            raise _invalid(pattern)
        made.append(text)
        at += 1
        if pattern[at - 1] == end:
            return "|".join(made), at


def _class(negated: str, members: str) -> str:
    safe = re.sub(r"[\[\]^&~|]", lambda found: "\\" + found[0], members.replace("\\", ""))
    return f"(?!/)[{'^' if negated else ''}{safe}]"


def _invalid(pattern: str) -> StoreError:
    return StoreError(f"glob pattern ({pattern}) invalid: a bracket is not closed")
