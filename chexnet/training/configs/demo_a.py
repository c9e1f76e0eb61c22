"""The demo's first model: half of the images, a quarter of the pixels. Useful, not good.

chexnet train --line a --config demo_a --dataset dataset
"""

from __future__ import annotations

from dataclasses import replace

from chexnet.training.recipe import Adam, Cosine, Recipe


def recipe(quick: bool = False) -> Recipe:
    """About 15 s on two cores. `quick` keeps its shape and takes a second."""
    demo = Recipe(
        seed=1,
        model="small_cnn",
        options={"resolution": 56, "width": 12},
        optimizer=Adam(learning_rate=3e-3),
        schedule=Cosine(),
        batch_size=32,
        epochs=12,
        images=1500,
        keep_best="val_auroc",
    )
    short = replace(demo, epochs=1, steps_per_epoch=2, images=64, judged=64)
    return short if quick else demo
