"""What the versions in question have been seen to do, and which guardrails that passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.evaluation.drift import Reference
from chexnet.experiments import guardrails
from chexnet.experiments.guardrails import Breach, Window
from chexnet.experiments.questioned import Question, Watch
from chexnet.experiments.truths import truths
from chexnet.messages import Feedback, Message, Prediction, Presence, decode
from chexnet.settings import GuardrailSettings

FOLLOWED = (topics.PREDICTIONS, topics.SHADOW, topics.IMAGES.dlq, topics.FEEDBACK)


class Seen:
    """The windows of one watch.

    Args:
        watch: what is in question.
        usual: gives a version's reference, from its card; None where it has none.
        limits: of the guardrails.
    """

    def __init__(
        self, watch: Watch, usual: Callable[[int], Reference | None], limits: GuardrailSettings
    ) -> None:
        self._watch, self._limits = watch, limits
        self.windows = {version: Window(limits) for version in watch.versions}
        self._usual = {version: usual(version) for version in watch.versions}
        self._first = {q.version: q.revision for q in watch.questions}
        self._staged: Counter[int] = Counter()
        self._reads: list[Feedback] = []
        self._known: dict[str, dict[str, Presence]] = {}
        self.figures: dict[int, list[Breach]] = {}
        self.found: dict[int, list[Breach]] = {}

    def take(self, messages: Iterable[Message]) -> bool:
        """Take what has come, one by one, and measure every version again; say whether any has."""
        read, taken = len(self._reads), False
        for message in messages:
            taken = True
            with suppress(BadInput):  # The archiver sends it to the DLQ.
                self._one(message)
        if not taken:
            return False
        if len(self._reads) > read:
            self._known = {image: truth.findings for image, truth in truths(self._reads).items()}
        against = {q.version: self.windows[q.against] for q in self._watch.questions}
        self.figures = {
            version: guardrails.measure(
                version,
                window,
                self._usual[version],
                self._limits,
                beside=against.get(version),
                known=self._known,
            )
            for version, window in self.windows.items()
        }
        self.found = {v: guardrails.passed(figures) for v, figures in self.figures.items()}
        return True

    @property
    def breaches(self) -> list[Breach]:
        """All guardrails that were passed, by whatever version."""
        return [breach for found in self.found.values() for breach in found]

    def blamed(self, question: Question) -> list[Breach]:
        """Return what the version in question is to blame for."""
        other = question.against
        known = self.windows[other].enough and self._usual[other] is not None
        beside = self.found.get(other, []) if known else None
        return guardrails.blamed(self.found.get(question.version, []), beside)

    def doubted(self, question: Question) -> list[Breach]:
        """Return what it would be to blame for, if the other version were well where unknown."""
        return guardrails.blamed(
            self.found.get(question.version, []), self.found.get(question.against, [])
        )

    def well(self, question: Question) -> bool:
        """Say whether enough was seen of the version, and nothing speaks against it."""
        return self.windows[question.version].enough and not self.doubted(question)

    def shown(self, question: Question) -> bool:
        """Say whether the version has been seen enough in this stage of the experiment."""
        return self._staged[question.version] >= self._limits.images

    def _one(self, message: Message) -> None:
        if message.topic == topics.FEEDBACK:
            self._reads.append(decode(message, Feedback))
        elif message.topic == topics.IMAGES.dlq:
            self._failed(message.headers.extra)
        else:
            self._said(decode(message, Prediction))

    def _said(self, prediction: Prediction) -> None:
        version = prediction.version
        if version not in self.windows or prediction.revision < self._first.get(version, 0):
            return
        self.windows[version].add(prediction)
        stage = self._watch.stage
        if stage is not None and prediction.revision >= stage.revision:
            self._staged[version] += 1

    def _failed(self, why: dict[str, str]) -> None:
        """Count a dead letter against the version that failed; the sender's faults are nobody's."""
        version, revision = why.get("version", ""), why.get("revision", "")
        if why.get("error") != "internal" or not version.isdecimal() or not revision.isdecimal():
            return
        number = int(version)
        if number in self.windows and int(revision) >= self._first.get(number, 0):
            self.windows[number].rejected += 1
