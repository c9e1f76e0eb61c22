"""The recipe of the tests: a small network on an input that is no image."""

from __future__ import annotations

from chexnet.training.recipe import Adam, Cosine, Recipe

WAVES = Recipe(
    model="waveform_cnn",
    options={"width": 8},
    optimizer=Adam(learning_rate=5e-3),
    schedule=Cosine(),
    batch_size=16,
    epochs=6,
    keep_best="val_auroc",
)
