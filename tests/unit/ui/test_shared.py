from __future__ import annotations

import ipywidgets
import pytest

from chexnet.errors import Unavailable
from chexnet.ui.shared import LONGEST, Shared, reader


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        ("Ada Lovelace", "Ada Lovelace (unverified)"),
        ("  Ada \n\x1b[31m Lovelace ", "Ada [31m Lovelace (unverified)"),
        ("x" * 1000, "x" * LONGEST + " (unverified)"),
        (" \t", ""),
        ("-.", ""),
    ],
)
def test_a_name_is_recorded_as_unverified(said: str, recorded: str) -> None:
    assert reader(said) == recorded


def test_what_keeps_the_page_from_being_made_is_told() -> None:
    def make(name: str) -> ipywidgets.Widget:
        raise Unavailable("Waiting for <Kafka>.")

    page = Shared(make)
    page._hear(page.asking, {"type": "reader", "name": "Ada"}, [])
    assert "Waiting for &lt;Kafka&gt;." in page.children[-1].value


def test_the_page_is_made_once_for_who_said_a_name_first() -> None:
    made: list[str] = []

    def make(name: str) -> ipywidgets.Widget:
        made.append(name)
        return ipywidgets.HTML(name)

    page = Shared(make)
    assert len(page.children) == 1
    for name in ("", "Ada", "Grace"):
        page._hear(page.asking, {"type": "reader", "name": name}, [])
    assert made == ["Ada (unverified)"]
    assert page.children[-1].value == "Ada (unverified)"
