"""What is evaluated: what a model said of images, beside what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct, field, structs
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Strings = NDArray[np.str_]


class Finding(Struct, frozen=True):
    """One label, on the images of which it is known."""

    name: str
    scores: Floats  # [n] probabilities.
    present: Bools  # [n]
    patient: NDArray[np.intp]  # [n] from 0; numbers of all patients, also those without this label.
    patients: int

    @property
    def sides(self) -> tuple[int, int]:
        """How many patients have an image with the finding, and one without it."""
        with_it, without = self.patient[self.present], self.patient[~self.present]
        return len(np.unique(with_it)), len(np.unique(without))


class Scored(Struct, frozen=True, kw_only=True):
    """Images with probabilities and reference; build it with `of`.

    Args:
        labels: L names.
        image: [N] ids or file names.
        patient: [N] whose image it is, numbered from 0.
        patients: how many there are.
        probabilities: [N, L], 0 to 1.
        present: [N, L], the reference; means nothing where it is not known.
        known: [N, L].
        details: attribute (sex, age, view) → [N] its group; empty where unknown.
    """

    labels: tuple[str, ...]
    image: Strings
    patient: NDArray[np.intp]
    patients: int
    probabilities: Floats
    present: Bools
    known: Bools
    details: Mapping[str, Strings] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        image: Sequence[str] | Strings,
        patient: Sequence[str] | Strings,
        probabilities: Floats,
        present: Bools,
        known: Bools | None = None,
        details: Mapping[str, Strings] | None = None,
    ) -> Scored:
        """Return them, with patients numbered in the order of their names.

        Raises:
            ValueError: there is no image, a shape is another than [N, L], or a probability is not
                within 0 and 1.
        """
        shape = (len(image), len(labels))
        arrays = (probabilities, present, present if known is None else known)
        if any(array.shape != shape for array in arrays) or len(patient) != len(image):
            rule = f"Probabilities and reference must be of {shape[0]} images and {shape[1]} labels"
            raise ValueError(f"{rule}. Received: {[array.shape for array in arrays]}.")
        if not len(image):
            raise ValueError("An evaluation needs an image. Received: none.")
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            row, column = np.argwhere(~((probabilities >= 0) & (probabilities <= 1)))[0]
            rule = "A probability must be within 0 and 1."
            received = f"Received: {probabilities[row, column]} for {labels[column]}"
            raise ValueError(f"{rule} {received} of {image[row]}. Correct the predictions.")
        names, number = np.unique(np.asarray(patient), return_inverse=True)
        return cls(
            labels=tuple(labels),
            image=np.asarray(image),
            patient=number.astype(np.intp),
            patients=len(names),
            probabilities=probabilities,
            present=present,
            known=np.ones(shape, bool) if known is None else known,
            details=details or {},
        )

    def rows(self, chosen: Bools | NDArray[np.intp]) -> Scored:
        """Return some of the images; patients keep their numbers."""
        return structs.replace(
            self,
            image=self.image[chosen],
            patient=self.patient[chosen],
            probabilities=self.probabilities[chosen],
            present=self.present[chosen],
            known=self.known[chosen],
            details={name: column[chosen] for name, column in self.details.items()},
        )

    def findings(self) -> Iterator[Finding]:
        """Yield each label on the images of which it is known."""
        for column, name in enumerate(self.labels):
            known = self.known[:, column]
            yield Finding(
                name,
                self.probabilities[known, column],
                self.present[known, column],
                self.patient[known],
                self.patients,
            )
