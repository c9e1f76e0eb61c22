"""Answers for a person, as the workspace shows them: calibrated, and held against their card."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from chexnet.cli.findings import words
from chexnet.runtime.outputs import LIKENESS, Output, calibrated, outputs, unlike

if TYPE_CHECKING:
    from chexnet.cli.desk import Desk
    from chexnet.messages import Prediction
    from chexnet.models.card import Card

BAR = 24  # Characters of a bar.
SHORT = 12  # Of a commit's id that people see.


class Answers:
    """Shows predictions; each version's card is read once.

    Args:
        at: where the cards are found.
    """

    def __init__(self, at: Desk) -> None:
        self._at = at
        self._card = cache(self._read)

    def show(self, prediction: Prediction) -> None:
        """Print all findings of an answer, and what they rest on."""
        card, why = self._card(prediction.version)
        scaled = calibrated(card)
        table = Table(
            title=f"Version {prediction.version} of {prediction.model}",
            caption="Research use only: not a medical device.",
        )
        table.add_column("Finding", no_wrap=True)
        table.add_column("Calibrated" if scaled else "Not calibrated", justify="right")
        table.add_column("│ threshold, ▲ at or above it", no_wrap=True)
        for output in _ranked(prediction, card):
            table.add_row(words(output.label), _percent(output), _bar(output))
        console = Console(highlight=False)
        console.print(table)
        for told in (self._unlike(prediction, card, why), self._origin(card), _numbers(scaled)):
            if told:
                style = "yellow" if told == LIKENESS[True] else None
                console.print(told, markup=False, style=style)

    def top(self, prediction: Prediction, most: int = 1) -> tuple[str, bool]:
        """Return the most probable findings in a few words, and whether the image is unlike."""
        card, _ = self._card(prediction.version)
        found = _ranked(prediction, card)[:most]
        told = ", ".join(f"{words(output.label)} {_percent(output)}" for output in found)
        return told, unlike(prediction, card) is True

    def _read(self, version: int) -> tuple[Card | None, str]:
        from chexnet.errors import ChexnetError
        from chexnet.runtime import lineage

        try:
            return lineage.card(self._at.store, self._at.model, version), ""
        except ChexnetError as error:  # The answer is there all the same.
            return None, str(error)

    def _unlike(self, prediction: Prediction, card: Card | None, why: str) -> str:
        if card is None:
            return f"Without the version's card there are no thresholds. {why}"
        return LIKENESS[unlike(prediction, card)]

    def _origin(self, card: Card | None) -> str:
        from chexnet.data import imports
        from chexnet.errors import ChexnetError

        if card is None:
            return ""
        repo, _, commit = card.dataset.partition("@")
        try:
            names = imports.behind(self._at.store, repo, commit)
        except ChexnetError:  # The dataset is gone; its name is on the card.
            names = []
        of = f", made of {', '.join(names)}" if names else ""
        return f"It was trained as line {card.line} on {repo}@{commit[:SHORT]}{of}."


def _ranked(prediction: Prediction, card: Card | None) -> list[Output]:
    """Return the findings, the most probable first."""
    return sorted(outputs(prediction, card), key=lambda output: -output.probability)


def _numbers(scaled: bool) -> str:
    if scaled:
        return "Calibrated by the card's temperature; --json has the record, which is not."
    return "Not calibrated: compare, don't take for a chance."


def _percent(output: Output) -> str:
    value = 100 * output.probability
    return f"{'▲ ' if output.above else ''}{value:.{1 if value < 10 else 0}f} %"


def _bar(output: Output) -> str:
    drawn = list(f"{'█' * round(BAR * output.probability):<{BAR}}")
    if output.threshold is not None:
        drawn[min(round(BAR * output.threshold), BAR - 1)] = "│"
    return "".join(drawn)
