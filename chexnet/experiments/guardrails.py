"""Guardrails: what stops a challenger, or takes a fresh champion back, before any evidence is in.

They ask whether a version works, not whether it is better: that is the decisive metric's question.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from msgspec import Struct

from chexnet.evaluation import drift
from chexnet.evaluation.drift import Reference
from chexnet.evaluation.scored import Floats
from chexnet.messages import Prediction, Presence
from chexnet.models.card import Card
from chexnet.settings import GuardrailSettings

PART = 0.95  # Of the requests are at most as slow as what is compared.
# What the world may do to every version alike.
OF_THE_WORLD = frozenset({"scores", "features", "outliers"})
MORE = 2.0  # Times what the other version shows too: then the world alone does not explain it.
# Told, and nothing more: a base rate of its own may be right at a site.
TOLD_ONLY = frozenset({"calibration"})


class Breach(Struct, frozen=True, kw_only=True):
    """A guardrail that was passed, with the figures; or one that was measured, and may be well."""

    guardrail: str
    version: int
    value: float
    limit: float
    images: int
    label: str = ""
    least: float | None = None  # Of a share: what it is at least, but for chance.

    def __str__(self) -> str:
        """Return the reason as the audit has it."""
        of = f" of {self.label}" if self.label else ""
        return (
            f"Guardrail {self.guardrail}{of}: version {self.version} must stay within "
            f"{self.limit:g}. Received: {self.value:.3g}, over {self.images} images."
        )

    @property
    def passed(self) -> bool:
        """Whether it is beyond its limit, by more than chance."""
        return (self.value if self.least is None else self.least) > self.limit


Figure = Callable[..., Breach]  # Which knows the version, and how many images.


def usual(card: Card) -> Reference | None:
    """Return what a version's card says is usual; None of an older one."""
    if not card.score_deciles or card.feature_distance is None:
        return None
    return Reference(
        mean=np.array(card.feature_mean),
        std=np.array(card.feature_std),
        deciles=np.array([card.score_deciles[label] for label in card.labels]),
        distance=card.feature_distance,
        images=card.score_images,
    )


def blamed(own: Iterable[Breach], beside: Iterable[Breach] | None) -> list[Breach]:
    """Return the breaches that a version is to blame for: it is stopped for those.

    Args:
        own: what the version has passed.
        beside: what the one that it is measured against has passed; None where too little is known
            of that one, so that nobody can tell the version's drift from the world's.
    """
    if beside is None:
        return [b for b in own if b.guardrail not in TOLD_ONLY | OF_THE_WORLD]
    spared = {(b.guardrail, b.label): MORE * b.value for b in beside}
    serious = [b for b in own if b.guardrail not in TOLD_ONLY]
    return [b for b in serious if b.value > spared.get((b.guardrail, b.label), 0.0)]


class Window:
    """The newest images that one version has seen."""

    def __init__(self, limits: GuardrailSettings) -> None:
        self._limits = limits
        self.newest: list[Prediction] = []  # By their moments: topics are read part by part.
        self.answered = self.rejected = 0  # Since the version has its role.

    def add(self, prediction: Prediction) -> None:
        """Take a prediction; it stands for its image from now on."""
        insort(self.newest, prediction, key=lambda p: p.predicted_at)
        del self.newest[: -self._limits.window]
        self.answered += 1

    def __len__(self) -> int:
        """Return how many images it holds."""
        return len(self.newest)

    @property
    def enough(self) -> bool:
        """Whether anything may be said of it."""
        return len(self) >= self._limits.images

    def seconds(self) -> float:
        """Return the 95th percentile of the time in serving."""
        return float(np.quantile([p.seconds for p in self.newest], PART))

    def scores(self) -> Floats:
        """Return the probabilities, [n, L]."""
        return np.array([list(p.probabilities.values()) for p in self.newest])

    def features(self) -> Floats | None:
        """Return the features, [n, D]; None of a model that has none."""
        known = [p.features.array() for p in self.newest if p.features is not None]
        return np.stack(known).astype(np.float64) if known else None

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of the scores."""
        return list(self.newest[-1].probabilities)

    def read(self, known: dict[str, dict[str, Presence]]) -> Iterable[tuple[float, bool]]:
        """Yield probability and finding of what readers said of these images."""
        for p in self.newest:
            for label, said in known.get(p.image_id, {}).items():
                if said in ("present", "absent") and label in p.probabilities:
                    yield p.probabilities[label], said == "present"


def passed(figures: Iterable[Breach]) -> list[Breach]:
    """Return those that are beyond their limits."""
    return [figure for figure in figures if figure.passed]


def measure(
    version: int,
    window: Window,
    reference: Reference | None,
    limits: GuardrailSettings,
    *,
    beside: Window | None = None,
    known: dict[str, dict[str, Presence]] | None = None,
) -> list[Breach]:
    """Return all figures of which anything may be said, within their limits or not.

    Of the scores only labels that differ by more than chance have one.

    Args:
        version: the one in question.
        window: its newest images.
        reference: from its card; None of an older one, whose drift nobody can tell.
        limits: from the settings.
        beside: the window of the version it is measured against; without, latency is not looked at.
        known: image id → what readers who count said of it.
    """
    figure: Figure = partial(Breach, version=version, images=len(window))
    found = []
    if (count := window.rejected + window.answered) >= limits.images:
        share = _share(window.rejected, count)
        found.append(figure(guardrail="errors", limit=limits.errors, images=count, **share))
    if window.enough and beside is not None and beside.enough:
        slow = window.seconds()
        if slow > limits.slow:
            times = slow / beside.seconds()
            found.append(figure(guardrail="latency", limit=limits.latency, value=times))
    if window.enough and reference is not None:
        found += _drift(figure, window, reference, limits)
    pairs = list(window.read(known or {}))
    if (count := len(pairs)) >= limits.images:
        scores, present = map(np.array, zip(*pairs, strict=True))
        z = abs(drift.miscalibration(scores, present))
        found.append(
            figure(guardrail="calibration", limit=limits.calibration, value=z, images=count)
        )
    return found


def _share(hits: int, count: int) -> dict[str, float]:
    return {"value": hits / count, "least": drift.at_least(hits, count)}


def _drift(
    figure: Figure, window: Window, reference: Reference, limits: GuardrailSettings
) -> list[Breach]:
    index, more = drift.stability(window.scores(), reference.deciles, reference.images)
    found = [
        figure(guardrail="scores", limit=limits.scores, value=float(index[i]), label=label)
        for i, label in enumerate(window.labels)
        if more[i]
    ]
    if (features := window.features()) is not None:
        moved = drift.shift(features, reference.mean, reference.std)
        found.append(figure(guardrail="features", limit=limits.features, value=moved))
        far = drift.distances(features, reference.mean, reference.std) > reference.distance
        share = _share(int(far.sum()), len(far))
        found.append(figure(guardrail="outliers", limit=limits.outliers, **share))
    return found
