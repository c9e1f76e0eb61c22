"""CheXNet: DenseNet-121 on the 14 findings of ChestX-ray14 (Rajpurkar 2017, arXiv:1711.05225).

chexnet train --line a --config chexnet --dataset dataset
"""

from __future__ import annotations

from dataclasses import replace

from chexnet.training.recipe import Adam, Plateau, Recipe


def recipe(quick: bool = False) -> Recipe:
    """The published training. `quick` keeps its shape and takes seconds on two cores."""
    published = Recipe(
        seed=0,
        model="densenet121",
        weights="imagenet",
        optimizer=Adam(learning_rate=1e-3, beta_1=0.9, beta_2=0.999),
        schedule=Plateau(monitor="val_loss", factor=0.1, patience=1),
        batch_size=16,
        epochs=20,  # Ours: the paper gives none, and keeps the epoch of the lowest val_loss.
        keep_best="val_loss",
        flip=True,  # Left-right, though the heart is on one side: the paper's only augmentation.
    )
    few = replace(published, batch_size=4, epochs=1, steps_per_epoch=2, images=8, judged=16)
    short = replace(few, weights=None)  # Nothing is downloaded.
    return short if quick else published
