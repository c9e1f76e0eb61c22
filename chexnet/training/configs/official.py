"""CheXNet's recipe on NIH's official split, whose test images are harder than the paper's.

chexnet data nih prepare /data/nih --split official, then
chexnet train --line a --config official --dataset dataset
"""

from __future__ import annotations

from dataclasses import replace

from chexnet.training.configs import chexnet
from chexnet.training.recipe import Recipe


def recipe(quick: bool = False) -> Recipe:
    """The paper's, ended when five epochs bring nothing; the paper does not say when it ended."""
    papers = chexnet.recipe(quick)
    return papers if quick else replace(papers, epochs=50, patience=5)
