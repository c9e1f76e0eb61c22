"""chexnet status, in words: what answers, and what answered before."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from chexnet.cli.status import _show
from chexnet.messages import Control

EMPTY = Control.empty("xray")
FIRST = structs.replace(EMPTY, champion=1, revision=2)


@pytest.mark.parametrize(
    ("control", "told"),
    [
        (EMPTY, "No version answers yet. Let one: chexnet promote VERSION."),
        (FIRST, "Champion: version 1, none before it. Revision 2."),
        (structs.replace(FIRST, previous=4), "Champion: version 1, before it 4. Revision 2."),
    ],
)
def test_what_answers_is_told_in_words(
    control: Control, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {"services": {}, "serving": {}, "archive": {}}
    _show({**parts, "control": msgspec.to_builtins(control)})
    said = capsys.readouterr().out
    assert f"{told} Experiment: none." in " ".join(said.split())
    assert "None" not in said
