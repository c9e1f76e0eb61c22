"""Globs, against a matcher that tries all ways, one character at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.version_store import globs
from services.version_store.errors import StoreError

PARTS = ["a", "b", "/", "*", "**", "?", "[ab]", "[!a]", "{a,b/}", "{,ab}"]


def matches(parts: list[str], text: str) -> bool:
    """Say whether the parts match all of `text`; written for clarity, not for speed."""
    if not parts:
        return not text
    part, rest = parts[0], parts[1:]
    if part in {"*", "**"}:
        ends = range(len(text) + 1)
        return any(matches(rest, text[n:]) for n in ends if part == "**" or "/" not in text[:n])
    if part.startswith("{"):
        return any(matches([*word, *rest], text) for word in part[1:-1].split(","))
    if not text:
        return False
    one = {"?": text[0] != "/", "[ab]": text[0] in "ab", "[!a]": text[0] not in "a/"}
    return one.get(part, part == text[0]) and matches(rest, text[1:])


@given(some.lists(some.sampled_from(PARTS), max_size=6), some.text("ab/c", max_size=7))
def test_a_glob_matches_what_the_simple_matcher_does(parts: list[str], text: str) -> None:
    compiled = globs.compiled("/" + "".join(parts))
    # Neighbouring stars are written as one: `*` and `*` read as `**`.
    joined = "".join(parts)
    if "***" in joined or ("**" in joined and "**" not in parts):
        return
    assert bool(compiled.fullmatch("/" + text)) == matches(["/", *parts], "/" + text)


@given(some.lists(some.sampled_from(PARTS), max_size=5), some.text("ab/c", max_size=7))
def test_all_matches_lie_below_the_directory(parts: list[str], text: str) -> None:
    pattern = "/" + "".join(parts)
    if globs.compiled(pattern).fullmatch("/" + text):
        assert ("/" + text).startswith(globs.directory(pattern).rstrip("/") + "/")


@given(some.text(some.sampled_from("ab/.+()|^$\\é"), max_size=6))
def test_an_escaped_text_matches_itself_only(text: str) -> None:
    escaped = "".join("\\" + char for char in text)
    assert globs.compiled(escaped).fullmatch(text)
    assert not globs.compiled(escaped).fullmatch(text + "x")


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/@(a|bc)", ["/a", "/bc"], ["/", "/abc"]),
        ("/?(a)b", ["/b", "/ab"], ["/aab"]),
        ("/+(ab)", ["/ab", "/abab"], ["/", "/a"]),
        ("/*(a)", ["/", "/aa"], ["/b"]),
        ("/!(a).png", ["/b.png", "/ab.png"], ["/a.png/x", "/a/b.png"]),
        ("/[0-9][!0-9]", ["/1a"], ["/11", "/a1", "/1/"]),
        ("/*.{png,jpg}", ["/x.png", "/y.jpg"], ["/x.gif", "/d/x.png"]),
    ],
)
def test_groups_and_classes(pattern: str, yes: list[str], no: list[str]) -> None:
    found = globs.compiled(pattern)
    assert all(found.fullmatch(path) for path in yes)
    assert not any(found.fullmatch(path) for path in no)


@pytest.mark.parametrize("pattern", ["/[a", "/{a,b", "/@(a"])
def test_an_open_bracket_is_refused(pattern: str) -> None:
    with pytest.raises(StoreError, match="a bracket is not closed"):
        globs.compiled(pattern)
