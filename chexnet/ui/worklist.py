"""The worklist of a workspace: the cases that the draw included, and with which probability."""

from __future__ import annotations

from collections.abc import Iterable

from chexnet.experiments import worklist
from chexnet.ui.cards import Cards
from chexnet.ui.cases import Case
from chexnet.ui.reading import Readings


class Worklist:
    """Says of each case whether it is to be read. It shows no output, and the reader no chance.

    Args:
        model: whose images these are; the draw is its own.
        cards: of the versions that answered.
    """

    def __init__(self, model: str, cards: Cards) -> None:
        self._model, self._cards = model, cards
        self._known: dict[str, float | None] = {}  # By upload: a prediction does not change.

    def propensity(self, case: Case) -> float | None:
        """Return with which probability the draw included the case; None where it did not.

        A case without a prediction is not drawn yet: a reading of it came by another way. Nor is
        one whose card can't be read: with other thresholds the chance would be another.
        """
        if case.prediction is None:
            return None
        if case.upload_id not in self._known:
            said = case.prediction
            if (card := self._cards.of(said.version)) is None:
                return None
            self._known[case.upload_id] = worklist.drawn(
                self._model, case.image_id, said.probabilities, card.thresholds
            )
        return self._known[case.upload_id]

    def undrawn(self, case: Case) -> str:
        """Return why the case could not be drawn although it has its prediction; "" else."""
        if case.prediction is None or self._cards.of(case.prediction.version) is not None:
            return ""
        return (
            "Whether it is on the worklist can't be told now, and a reading is recorded without "
            f"its chance. {self._cards.why(case.prediction.version)}"
        )

    def waiting(self, cases: Iterable[Case], readings: Readings) -> list[Case]:
        """Return the cases of the list that the reader has not read, in their order."""
        return [
            case
            for case in cases
            if self.propensity(case) is not None and readings.phase(case) == "blinded"
        ]
