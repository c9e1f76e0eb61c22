"""A file that kills, blocks or swells its decoder is rejected; the next one is decoded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from chexnet.errors import BadInput
from chexnet.runtime.isolate import Isolated


def act(what: str) -> str:
    if what == "crash":
        os.abort()
    if what == "hang":
        threading.Event().wait()
    if what == "swell":
        return str(len(bytearray(2**31)))
    if what == "bad":
        raise BadInput("truncated", "A PNG must be whole.")
    if what == "bug":
        raise ZeroDivisionError("by nought")
    return what.upper()


def make() -> Callable[[str], str]:
    return act


@pytest.fixture(scope="module")
def isolated() -> Iterator[Isolated]:
    made = Isolated(make, memory=2**28, seconds=1.0)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("what", "code"),
    [("crash", "crashed"), ("hang", "too-slow"), ("swell", "out-of-memory"), ("bad", "truncated")],
)
def test_what_harms_the_child_is_the_files_fault_and_the_next_is_well(
    isolated: Isolated, what: str, code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        isolated(what)
    assert caught.value.code == code
    assert isolated("good") == "GOOD"


def test_a_bug_is_raised_as_it_is(isolated: Isolated) -> None:
    with pytest.raises(ZeroDivisionError, match="by nought"):
        isolated("bug")
