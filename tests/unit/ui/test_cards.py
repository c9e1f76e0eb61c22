"""A version's card: looked for until it is there, and only then kept."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from chexnet.errors import NotFound, Unavailable
from chexnet.models.card import Card
from chexnet.ui import cards as module
from chexnet.ui.cards import Cards
from tests.unit.ui.stack import a_card, until


class Store:
    """A store of cards that may be away."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0
        self.pause: Callable[[], object] = lambda: None

    def __call__(self, version: int) -> Card:
        self.asked += 1
        self.pause()
        if self.error:
            raise self.error
        return a_card()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(module, "PAUSES", (0.01,))
    return Store()


def test_a_moment_without_the_store_is_not_for_ever(store) -> None:
    store.error = Unavailable("Waiting for the store.")
    cards = Cards(store)
    assert cards.of(3) is None
    until(lambda: "Waiting" in cards.why(3))
    store.error = None
    until(lambda: cards.of(3) == a_card())
    assert cards.why(3) == ""
    cards.close()


def test_what_was_found_is_asked_for_once(store) -> None:
    cards = Cards(store)
    until(lambda: cards.of(3))
    assert cards.of(3) == a_card()
    assert (store.asked, cards.revision) == (1, 1)
    cards.close()


def test_a_version_without_a_card_says_so(store) -> None:
    store.error = NotFound("Version 3 has no card.")
    cards = Cards(store)
    cards.of(3)
    until(lambda: cards.why(3) == "Version 3 has no card.")
    assert cards.of(3) is None
    cards.close()


def test_who_asks_never_waits_for_the_store(store) -> None:
    go = threading.Event()
    store.pause = go.wait
    cards = Cards(store)
    assert cards.of(3) is None  # Although the store holds its answer back.
    go.set()
    until(lambda: cards.of(3))
    cards.close()
