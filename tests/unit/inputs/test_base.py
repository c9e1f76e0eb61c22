"""How an installed input is found."""

from __future__ import annotations

from chexnet.inputs.base import load


def test_an_input_is_looked_for_once_since_an_import_asks_for_it_with_each_file() -> None:
    assert load("chest_xray") is load("chest_xray")
    assert load("waveform") is not load("chest_xray")
