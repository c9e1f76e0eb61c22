"""Transform of ab-report: what was predicted and read in, a report of each experiment out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from chexnet.errors import ChexnetError
from chexnet.experiments import report
from chexnet.experiments.comparison import resampled
from chexnet.experiments.observed import FEEDBACK, PREDICTIONS, Observed
from chexnet.experiments.registered import FILE, Registered
from chexnet.experiments.review import Review, examine
from chexnet.messages import Feedback, Prediction, R, decode_json
from chexnet.pipelines import pfs

ROUNDS = 1000  # Of the patient bootstrap.


def main() -> int:
    """Write `/<experiment>/report.{json,html,png}` for each; return the exit code.

    An experiment that can't be reported says why, and keeps no other from its report.
    """
    observed = Observed.of(
        predictions=_records(pfs.path(PREDICTIONS), Prediction),
        feedback=_records(pfs.path(FEEDBACK), Feedback),
        read_to={repo: pfs.commit(repo) for repo in (PREDICTIONS, FEEDBACK)},
    )
    for file in sorted(pfs.path("experiments").glob(f"*/{FILE}")):
        folder = pfs.out() / file.parent.name
        folder.mkdir()
        try:
            registered = decode_json(file.read_bytes(), Registered)
            write(examine(registered, observed), folder)
        except (ChexnetError, ValueError) as error:
            refuse(folder, str(error))
            print(f"{folder.name}: {error}", flush=True)
        else:
            print(f"{folder.name}: {', '.join(registered.control.arms)}", flush=True)
    return 0


def refuse(folder: Path, reason: str) -> None:
    """Write why an experiment has no report, where that would be."""
    (folder / "report.json").write_bytes(msgspec.json.encode({"error": reason}))
    (folder / "report.html").write_text(report.refusal(folder.name, reason), encoding="utf-8")


def write(review: Review, folder: Path, rounds: int = ROUNDS) -> None:
    """Write one experiment's report as JSON, page and figure."""
    checks = {
        arm: resampled(finding.sample, finding.comparison, rounds)
        for arm, finding in review.arms.items()
        if finding.comparison.difference
    }
    comparisons = [finding.comparison for finding in review.arms.values()]
    told = {**review.plain(), "bootstrap": checks}
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1))
    (folder / "report.html").write_text(report.page(review, checks), encoding="utf-8")
    (folder / "report.png").write_bytes(report.figure(*comparisons))


def _records(folder: Path, kind: type[R]) -> Iterator[R]:
    for file in sorted(folder.glob("data/*/*/*.json")):
        yield decode_json(file.read_bytes(), kind)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ChexnetError as error:
        sys.exit(str(error))
