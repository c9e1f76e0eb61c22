"""The second pipeline's two files by themselves; tests/integration takes them the whole path."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
import pytest
from chexnet_waveform.input import Waveform
from PIL import Image

from chexnet.errors import BadInput
from chexnet.inputs.base import Limits, load
from tests.waveform import signals

LIMITS = Limits()


def test_it_is_found_by_its_entry_point() -> None:
    assert isinstance(load("waveform"), Waveform)


def test_the_patient_is_handed_over_and_leaves_the_file() -> None:
    signal = next(signals.draw(1))
    cleaned = Waveform().clean(signal.data, LIMITS)
    assert (cleaned.patient, cleaned.issuer) == ("P00000", "signals")
    assert b"#" not in cleaned.data
    assert b"P00000" not in cleaned.data


def test_a_trace_with_comments_is_refused_on_the_bus_as_identity() -> None:
    signal = next(signals.draw(1))
    with pytest.raises(BadInput) as refused:
        Waveform().decode(signal.data, LIMITS)
    assert refused.value.code == "identity"


def test_the_range_of_the_recorder_is_the_range_of_a_byte() -> None:
    ramp = "\n".join(["-9", "-1.5"] + ["0"] * 252 + ["1.5", "9"]).encode()
    canonical = Waveform().decode(ramp, LIMITS)
    assert canonical.shape == (256, 1)
    assert [canonical[i, 0] for i in (0, 1, 100, 254, 255)] == [0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "length"),
        (b"1\n" * 15, "length"),
        (b"nan\n" * 20, "not-finite"),
        (b"\x89PNG\r\n", "not-a-trace"),
        (b"hello\n" * 20, "not-a-trace"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        Waveform().clean(data, LIMITS)
    assert refused.value.code == code


def test_a_trace_is_drawn_and_a_map_shades_where_it_is_high() -> None:
    flat = np.full((256, 1), 128, np.uint8)
    cam = np.zeros((1, 16), np.float32)
    cam[0, 12] = 1.0
    plain = np.asarray(Image.open(io.BytesIO(Waveform().render(flat))).convert("RGB"))
    heat = np.asarray(Image.open(io.BytesIO(Waveform().overlay(flat, cam))).convert("RGB"))
    assert plain.shape == heat.shape == (320, 1024, 3)
    changed = np.abs(plain.astype(int) - heat).sum(axis=(0, 2))
    assert abs(int(changed.argmax()) - 12 / 15 * 1023) < 20


@pytest.mark.slow
def test_its_network_learns_the_traces_and_exports_without_maps(tmp_path) -> None:
    from chexnet_waveform.model import WaveformCNN

    from chexnet.models import card as cards
    from chexnet.models.export import export

    source, drawn = Waveform(), list(signals.draw(400, seed=1))
    x = np.stack([source.decode(source.clean(s.data, LIMITS).data, LIMITS) for s in drawn])
    y = np.array([list(s.findings.values()) for s in drawn], np.float32)
    model = WaveformCNN().build(source.shape, source.labels)
    _fit(model, x[:300], y[:300])
    right = (model.predict(x[300:], verbose=0)["logits"] > 0) == (y[300:] > 0.5)
    assert right.mean() > 0.75  # Chance, by always saying absent, is 0.6.
    card = cards.Card(
        line="a",
        network="waveform_cnn",
        input="waveform",
        labels=source.labels,
        shape=source.shape,
        thresholds=dict.fromkeys(source.labels, 0.5),
        feature_mean=(),
        feature_std=(),
        metrics={},
        dataset="dataset@0",
        training_units=(),
        training_digest=cards.digest(()),
        code="test",
        seed=0,
        params={},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    export(model, tmp_path / "1", card, x[:4])
    assert set(np.load(tmp_path / "1" / cards.GOLDEN)) == {"x", "probabilities", "features"}
    assert cards.read(tmp_path / "1").labels == ("Fast", "Irregular", "Dropout")


def _fit(model, x, y) -> None:
    import keras

    keras.utils.set_random_seed(0)
    loss = {"logits": keras.losses.BinaryCrossentropy(from_logits=True), "features": None}
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=loss)
    model.fit(x, {"logits": y}, batch_size=32, epochs=25, verbose=0)
