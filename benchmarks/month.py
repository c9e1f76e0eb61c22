"""A month in fifteen minutes: a better model comes in, is proven and promoted; a bad one is caught.

python -m benchmarks.month [--images 400] [--plot docs/images/month.png]

A answers. B is trained, and looked at in shadow; a canary takes it to half of the patients; the
sequence decides, and it is promoted. C comes with grey values inverted before it: its guardrail
ends the experiment. Somebody who is in a hurry promotes it by force, but leaves a fourth of the
patients with B: by these the guardian can tell, and takes C back.

Models, steps, guardian, gate, audit and statistics are the platform's own; the hours, the patients
(phantoms) and those who read them are simulated. A reader calls a finding right in nine cases of
ten where it is there, in nineteen of twenty where it is not, and reads seven images of ten, half a
day to a day and a half after they came.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.month_plot import draw
from benchmarks.month_site import MODEL, Site, saved
from chexnet import topics
from chexnet.data import phantoms
from chexnet.data.parallel import spread
from chexnet.experiments import chain, decisions
from chexnet.experiments.champions import champions
from chexnet.experiments.declared import Declared
from chexnet.messages import Audit, Prediction, decode, new_id
from chexnet.settings import GuardrailSettings
from chexnet.training import recipe as recipes
from chexnet.training.run import run
from tests import datasets

DAYS, START = 30, datetime(2026, 3, 1, tzinfo=UTC)
TRAINED = 3000  # Phantoms that a and b learn from.
SIDE = 224
HOLDBACK = 0.25  # Of the patients stay with B when C is forced.
SENSITIVITY, SPECIFICITY, READ = 0.9, 0.95, 0.7
COMPARED: dict[str, Any] = {
    "schema": "experiment-file/1",
    "metric": "brier",
    "cases": 600,
    "lag_days": 2.0,
    "bound": 0.5,
    "stages": (0.1, 0.25, 0.5, 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="A day.")
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        month = Month(Path(scratch), given.images)
        try:
            month.pass_by()
        finally:
            month.tell()
        month.check()
        if given.plot:
            draw(given.plot, month.predictions(), month.looks, month.entries(), START)


class Month:
    """The story: what people do on which day. All else happens by itself."""

    def __init__(self, folder: Path, images: int) -> None:
        self._rng = np.random.default_rng(3)
        self.site = Site(folder / "served", START, GuardrailSettings())
        self._folder, self._images = folder, images
        self._waiting: list[
            tuple[float, str, str, frozenset[str]]
        ] = []  # For readers: when, whose.
        self.looks: list[tuple[float, float, float, float]] = []  # Day, difference, low, high.
        self.refused: list[str] = []

    def pass_by(self) -> None:
        """Let the month pass."""
        self._train()
        people = _people(self._images * DAYS)
        drawn = list(spread(_pixels, people))
        half = self._images // 2
        for n, day in enumerate(self.site.half_days(DAYS)):
            of_today = slice(n * half, (n + 1) * half)
            if day == int(day):
                self._people(int(day))
            self._arrive(day, people[of_today], drawn[of_today])
            self._readers(day)
            self.site.guard()
            self.site.archive_audit()

    def _train(self) -> None:
        films = self._folder / "films"
        for _ in phantoms.write(films, phantoms.plan(TRAINED, seed=0), size=SIDE):
            pass
        data = datasets.dataset(films, self.site.source, self._folder)
        for line in ("a", "b"):
            out = self._folder / line
            run(
                data,
                self.site.source,
                recipes.load(f"demo_{line}"),
                line=line,
                config=f"demo_{line}",
                out=out,
                runs=self._folder / "runs",
                checkpoints=self._folder / "checkpoints",
            )

    def _people(self, day: int) -> None:
        """Do what those at the desk do in the morning of a day."""
        site, running = self.site, self.site.control.experiment
        if day == 0:
            version = self._release("a")
            site_by = site.by("ada", "the first")
            decisions.promote(site.bus, site.control, version, [], [], {}, site_by)
        elif day == 3:
            self._start("b-in-shadow", "shadow", self._release("b"))
        elif day == 8:
            decisions.stop(site.bus, site.control, site.by("ada", "it works: on to patients"), {})
            self._start("b-for-some", "canary", 2)
        elif day == 20:
            self._start("c-in-shadow", "shadow", self._release("c"))
        elif day == 23:
            by = site.by("bob", "it is the newest, and we are late", force=True)
            decisions.promote(
                site.bus, site.control, 3, site.unready(3), ["no evidence"], {}, by, HOLDBACK
            )
        elif running is not None and running.name == "b-for-some":
            self._decide(day)

    def _release(self, line: str) -> int:
        answer = saved(self._folder / ("b" if line == "c" else line) / "release")
        if line == "c":  # As after a wrong MONOCHROME1: what is bright should be dark.
            return self.site.release(
                "c", self._folder / "b/release", lambda x: answer((255 - x).astype(np.uint8))
            )
        return self.site.release(line, self._folder / line / "release", answer)

    def _start(self, name: str, design: Any, version: int) -> None:
        site, arm = self.site, "c" if version == 3 else "b"
        file = Declared(name=name, design=design, arms={arm: version}, **COMPARED)
        by = site.by("ada")
        decisions.start(
            site.bus,
            site.control,
            file.experiment(salt=new_id(), at=by.at, who=by.who),
            file.arms,
            file.included,
            site.unready(version),
            by,
        )

    def _decide(self, day: int) -> None:
        """Look at the sequence, as one may every day, and promote as soon as the gate opens."""
        site, looked = self.site, self.site.control
        finding = site.review().arms["b"]
        sequence = finding.comparison.sequential
        if sequence and sequence.difference:
            found = sequence.difference
            self.looks.append((day, found.value, found.low, found.high))
        if finding.missing:
            self.refused.append(f"day {day}: {finding.missing[0]}")
            return
        by = site.by("ada", "the sequence lies above 0")
        decisions.promote(
            site.bus, looked, 2, site.unready(2), finding.missing, finding.plain(), by
        )

    def _arrive(self, day: float, people: list[phantoms.Phantom], drawn: list[Any]) -> None:
        named = [(p.patient, p.file, x) for p, x in zip(people, drawn, strict=True)]
        self.site.arrive(named)
        for p in people:
            if self._rng.random() < READ:
                due = day + self._rng.uniform(0.5, 1.5)
                self._waiting.append((due, p.patient, p.file, p.findings))

    def _readers(self, day: float) -> None:
        """Read what is due; readers err."""
        due = [case for case in self._waiting if case[0] <= day]
        self._waiting = [case for case in self._waiting if case[0] > day]
        for _, unit, image, findings in due:
            chance = [
                SENSITIVITY if name in findings else 1 - SPECIFICITY
                for name in self.site.source.labels
            ]
            there = self._rng.random(len(chance)) < chance
            words = np.where(there, "present", "absent").tolist()
            said = dict(zip(self.site.source.labels, words, strict=True))
            self.site.read(unit, image, said, str(self._rng.choice(["eva", "max"])))

    def entries(self) -> list[Audit]:
        """Return the audit."""
        return list(decisions.history(self.site.bus, MODEL))

    def predictions(self) -> list[Prediction]:
        """Return all answers that people got."""
        return [decode(m, Prediction) for m in self.site.bus.read([topics.PREDICTIONS]).to_end()]

    def tell(self) -> None:
        """Print the month as the audit has it."""
        told: set[tuple[int, str]] = set()
        for entry in self.entries():
            kind = str(entry.evidence.get("guardrail", ""))
            if kind and (entry.before, kind) in told:
                continue  # Of another label, under the same revision.
            told.add((entry.before, kind))
            day = (entry.at - START).total_seconds() / 86400
            print(f"day {day:4.1f}  {entry.who:9} {entry.action:9} {entry.reason[:110]}")
        for sentence in self.refused:
            print("the gate,", sentence[:150])
        for reign in champions(self.entries()):
            print(f"champion {reign.version}: from {reign.since:%d %B}, by {reign.put_by.who}")

    def check(self) -> None:
        """Fail unless the story went as told, and its record is whole."""
        told = [(e.who, e.action, e.control and e.control.champion) for e in self.entries()]
        decided = [t for t in told if t[1] in ("promote", "rollback")]
        assert decided == [
            ("ada", "promote", 1),
            ("ada", "promote", 2),
            ("bob", "promote", 3),
            ("guardian", "rollback", 2),
        ], decided
        assert ("guardian", "stop", 2) in told, "c's guardrail must end its experiment"
        grown = [e.control.exposure for e in self.entries() if e.action == "expose" and e.control]
        assert grown == [0.25, 0.5], grown
        verdict = chain.verify(self.site.bus, self.site.store)
        assert not verdict.broken, verdict.broken
        self._check_revisions()

    def _check_revisions(self) -> None:
        """Each answer belongs to one revision, and is by a version that had a role in it."""
        by_revision = {e.after: e.control for e in self.entries() if e.control}
        counts: Counter[int] = Counter()
        for p in self.predictions():
            of = by_revision[p.revision]
            held = (of.previous,) if of.holdback else ()
            assert p.version in (of.champion, *of.arms.values(), *held), p
            counts[p.version] += 1
        told = ", ".join(f"version {v}: {n}" for v, n in sorted(counts.items()))
        print(f"{sum(counts.values())} images answered, each once; {told}")
        assert sum(counts.values()) == self._images // 2 * 2 * DAYS
        assert counts[3] < 2 * self._images  # The bad one answered for less than two days.


def _people(count: int) -> list[phantoms.Phantom]:
    """Return patients whom no model has seen, in the order in which their images come."""
    planned = phantoms.plan(count, seed=77)
    order = np.random.default_rng(5).random(len(planned))
    return [planned[n] for n in np.argsort(order)]


def _pixels(phantom: phantoms.Phantom) -> Any:
    return phantoms.render(phantom, size=SIDE)[..., None]


if __name__ == "__main__":
    main()
