"""The second pipeline goes the whole path on the stack of the first; nothing was told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexnet.messages import new_id
from chexnet.settings import Settings
from tests.commands import chexnet_json
from tests.waveform import signals

pytestmark = pytest.mark.real


def test_a_trace_is_predicted_and_its_lineage_leads_to_the_traces_dataset(
    waveform: Settings, tmp_path: Path
) -> None:
    number = int(new_id().replace("-", "")[-6:], 16)  # A trace that nobody uploaded before.
    trace = tmp_path / "trace.csv"
    trace.write_bytes(next(signals.draw(1, seed=9, start=number)).data)
    prediction = chexnet_json(waveform, "predict", trace)
    assert list(prediction["probabilities"]) == ["Fast", "Irregular", "Dropout"]
    version = chexnet_json(waveform, "lineage", str(prediction["version"]))
    (training,) = version["links"]
    (dataset,) = training["links"]
    assert dataset["facts"]["input"] == "waveform"
