"""An evaluation's three files: for programs, for a repository, for a browser."""

from __future__ import annotations

from pathlib import Path

import msgspec

from chexnet.evaluation.page import page
from chexnet.evaluation.record import Evaluation
from chexnet.evaluation.report import markdown
from chexnet.evaluation.scored import Scored

NAME = "evaluation"


def write(evaluation: Evaluation, scored: Scored, folder: Path) -> None:
    """Write evaluation.json, .md and .html into a folder, which is made where it is missing.

    Raises:
        ConfigError: matplotlib is not installed; then nothing is written.
    """
    drawn = page(evaluation, scored)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.html").write_text(drawn, encoding="utf-8")
    (folder / f"{NAME}.md").write_text(markdown(evaluation), encoding="utf-8")
    (folder / f"{NAME}.json").write_bytes(msgspec.json.format(evaluation.encode(), indent=1))
