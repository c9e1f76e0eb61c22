r"""Globs: Pachyderm's patterns over paths.

`*` and `?` stay within one name, `**` crosses slashes; `[a-z]`, `[!a-z]`, `{a,b}`, `\x`, and the
groups `@(a|b)`, `?(…)`, `*(…)`, `+(…)`, `!(…)`.
"""

from __future__ import annotations

import re

from services.version_store.errors import StoreError

_SPECIAL = "*?[{\\"
_GROUP = re.compile(r"[@?*+!]\(")
_CLASS = re.compile(r"\[([!^]?)((?:\\.|[^\]\\])+)\]")


def is_literal(pattern: str) -> bool:
    """Say whether `pattern` can only match itself."""
    return not any(char in pattern for char in _SPECIAL) and not _GROUP.search(pattern)


def directory(pattern: str) -> str:
    """Return the deepest directory below which all matches lie."""
    names: list[str] = []
    for name in pattern.split("/")[1:]:
        if not is_literal(name):
            return "/" + "/".join(names)
        names.append(name)
    return "/" + "/".join(names[:-1])


def compiled(pattern: str) -> re.Pattern[str]:
    """Return what matches a path (a directory's without its slash) as a whole."""
    text, at = _sequence(pattern, 0, "")
    if at != len(pattern):
        raise _invalid(pattern)
    return re.compile(text, re.DOTALL)


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
    kind = pattern[at]
    text, at = _alternatives(pattern, at + 2, "|", ")")
    if kind == "!":
        return f"(?!(?:{text})(?:/|$))[^/]*", at
    return f"(?:{text}){'' if kind == '@' else kind}", at


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
