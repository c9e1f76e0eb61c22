"""The two splits of NIH ChestX-ray14: NIH's own lists, and the paper's random one. By patient."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from chexnet.data.splits import TRAIN, VALIDATION, Split, one_each
from chexnet.errors import ConfigError
from chexnet.inputs.nih import Entry


def paper(entries: Iterable[Entry], seed: int) -> dict[str, Split]:
    """Return patient → split: 70 % of patients train, 10 % validate, 20 % test, at random.

    Source: Rajpurkar et al. 2017, arXiv:1711.05225, section 3.1. The paper's own seed is not known,
    so its figures are of other images.
    """
    return _divided({entry.patient for entry in entries}, seed, TRAIN, VALIDATION)


def official(
    entries: Iterable[Entry], train_val: Collection[str], test: Collection[str], seed: int
) -> dict[str, Split]:
    """Return patient → split by NIH's lists; of train_val, one patient in eight validates.

    Args:
        entries: the films in question.
        train_val: names of films, from train_val_list.txt.
        test: likewise, from test_list.txt.
        seed: of who validates; NIH's lists don't say.

    Raises:
        ConfigError: a film is in neither list or in both, or a patient's films are in two.
    """
    given: dict[str, Split] = one_each(_listed(entries, train_val, test))
    learning = {patient for patient, split in given.items() if split == "train"}
    share = TRAIN / (TRAIN + VALIDATION)
    divided: Mapping[str, Split] = _divided(learning, seed, share, 1 - share)
    return {**given, **divided}


def _listed(
    entries: Iterable[Entry], train_val: Collection[str], test: Collection[str]
) -> Iterable[tuple[str, Split]]:
    for entry in entries:
        if (entry.image in train_val) == (entry.image in test):
            rule = "A film must be in one of NIH's lists, train_val_list.txt and test_list.txt."
            where = "both" if entry.image in test else "none"
            raise ConfigError(f"{rule} Received: {entry.image}, in {where}. Download the lists.")
        yield entry.patient, "test" if entry.image in test else "train"


def _divided(patients: set[str], seed: int, train: float, validation: float) -> dict[str, Split]:
    order = np.random.default_rng(seed).permutation(sorted(patients))
    ends = np.rint(np.cumsum([train, validation]) * len(order)).astype(int)
    splits: tuple[Split, ...] = ("train", "validation", "test")
    parts = np.split(order, ends)
    return {str(p): split for split, part in zip(splits, parts, strict=True) for p in part}
