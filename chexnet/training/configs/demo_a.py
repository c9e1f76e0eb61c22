"""The demo's first model: few images, few pixels, little capacity. Better than chance, not good.

chexnet train --line a --config demo_a --dataset dataset
"""

from __future__ import annotations

from dataclasses import replace

from chexnet.training.recipe import Adam, Cosine, Recipe


def recipe(quick: bool = False) -> Recipe:
    """About ten seconds on two cores. `quick` keeps its shape and takes one."""
    demo = Recipe(
        seed=1,
        model="small_cnn",
        options={"resolution": 56, "width": 12},
        optimizer=Adam(learning_rate=3e-3),
        schedule=Cosine(),
        batch_size=32,
        epochs=10,
        images=800,
        keep_best="val_auroc",
    )
    return replace(demo, epochs=1, steps_per_epoch=2, images=64) if quick else demo
