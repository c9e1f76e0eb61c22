"""A training in this process and no job: alone, or as one of the hosts that TF_CONFIG names."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from chexnet.data.checkout import resolve, unpack
from chexnet.inputs.base import Input
from chexnet.pipelines import lines
from chexnet.pipelines.lines import Trained
from chexnet.steps.ports import Store
from chexnet.training.progress import Report
from chexnet.training.recipe import Recipe


def train(
    store: Store,
    source: Input,
    dataset: str,
    recipe: Recipe,
    *,
    line: str,
    config: str,
    state: Path,
    report: Report,
) -> Trained | None:
    """Train on a dataset, and commit what came of it to the line's repo.

    Of several hosts each calls it with the same arguments: they share every batch.

    Args:
        store: of the pipeline.
        source: its input.
        dataset: dataset@commit; where several hosts train, not without the commit.
        recipe: how.
        line: of its own, as of `lines.bring`.
        config: the recipe's name.
        state: the site's folder.
        report: called as it goes on.

    Returns:
        What was committed; None on a host that is not the first.

    Raises:
        Refused: a pipeline has this line.
        NotFound: there is no such dataset.
    """
    lines.own(line)
    repo, commit = resolve(store, dataset)
    from chexnet.training.run import run  # TensorFlow takes seconds: what is wrong fails first.

    began = time.monotonic()
    (state / "scratch").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="train-", dir=state / "scratch") as scratch:
        files, arrays, out = (Path(scratch) / name for name in ("files", "arrays", "out"))
        for path, data in store.fetch(repo, "/", commit):
            file = files / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        arrays.mkdir()
        card = run(
            unpack(files, f"{repo}@{commit}", arrays),
            source,
            recipe,
            line=line,
            config=config,
            out=out,
            runs=state / "runs",
            checkpoints=state / "checkpoints",
            report=report,
        )
        if card is None:
            return None
        made = lines.bring(store, line, out)
    seconds = time.monotonic() - began
    return Trained(repo=lines.own(line), commit=made, card=card, seconds=seconds)
