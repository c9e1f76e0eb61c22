"""A second model that is worse than demo_a: CI trains it to see that its promotion is refused.

chexnet train --line b --config demo_worse --dataset dataset
"""

from __future__ import annotations

from dataclasses import replace

from chexnet.training.recipe import Adam, Cosine, Recipe


def recipe(quick: bool = False) -> Recipe:
    """Six seconds on two cores: too few images to learn what the findings look like."""
    demo = Recipe(
        seed=3,
        model="small_cnn",
        options={"resolution": 56, "width": 8},
        optimizer=Adam(learning_rate=3e-3),
        schedule=Cosine(),
        batch_size=32,
        epochs=8,
        images=500,
        keep_best="val_auroc",
    )
    short = replace(demo, epochs=1, steps_per_epoch=2, images=64, judged=64)
    return short if quick else demo
