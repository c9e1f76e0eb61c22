"""chexnet evaluate: how good a model is, with intervals, beside what was published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chexnet.cli.progress import bar

if TYPE_CHECKING:
    from chexnet.evaluation.record import Evaluation
    from chexnet.steps.ports import Store

app = typer.Typer()


@app.command()
def evaluate(
    what: Annotated[
        str, typer.Argument(help="A version, a commit, a folder, or a CSV file of predictions.")
    ],
    *,
    on: Annotated[
        str, typer.Option(help="For a model: a dataset's commit, or a folder.")
    ] = "dataset",
    split: Annotated[str, typer.Option(help="Of the dataset.")] = "test",
    reference: Annotated[
        Path | None,
        typer.Option(help="What is known of images: NIH's Data_Entry CSV, or a labels.csv."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Judge by these alone: names, one a line.")
    ] = None,
    tune: Annotated[
        Path | None, typer.Option(help="Predictions for other images, to choose thresholds on.")
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="NIH's BBox_List_2017.csv, for the heat maps.")
    ] = None,
    input_: Annotated[
        str, typer.Option("--input", help="Whose labels predictions have.")
    ] = "chest_xray",
    out: Annotated[Path, typer.Option(help="The folder of the three files.")] = Path("evaluation"),
    sensitivity: Annotated[
        float, typer.Option(min=0.01, max=1, help="One threshold keeps to it.")
    ] = 0.9,
    rounds: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Evaluate a model on a dataset, or a file of predictions, and write evaluation.{json,md,html}.

    AUROC with DeLong's intervals (patients as clusters) and a bootstrap of patients, average
    precision, sensitivity, specificity and F1 at thresholds, calibration, subgroups by sex, age and
    view, and heat maps against boxes. What is too small for a figure is named.

    A model is judged on the split of a dataset, or on a folder of image files whose --reference
    names them; images of patients that it learnt from are left out. A file of predictions has one
    column that names the image (image_id or Image Index) and one for each label. A version whose
    card has no figures, such as an imported one, keeps these, so that it may be promoted.

    Examples:
        chexnet evaluate 3
        chexnet evaluate models-b@0123abcd --on dataset@4567cdef
        chexnet evaluate predictions.csv --reference Data_Entry_2017_v2020.csv
        chexnet evaluate 3 --on images/ --reference Data_Entry_2017_v2020.csv
            --images test_list.txt --boxes BBox_List_2017.csv
    """
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.evaluation.evaluate import Plan
    from chexnet.evaluation.files import write
    from chexnet.runtime.evaluating import Question, answer
    from chexnet.settings import Settings

    def store() -> Store:  # Files alone need no platform.
        settings = Settings()
        return PachydermStore(settings.store, settings.pipeline)

    question = Question(
        what=what,
        on=on,
        split=split,
        reference=reference,
        images=images,
        tune=tune,
        boxes=boxes,
        input=input_,
    )
    with bar("Evaluating", show=not as_json) as advance:
        found, scored = answer(
            question,
            Plan(rounds=rounds, seed=seed, sensitivity=sensitivity),
            store,
            lambda count, of: advance(count, told=of),
        )
    write(found, scored, out)
    recorded = what.isdecimal() and record_with(store(), int(what), found)
    if as_json:
        typer.echo(found.encode().decode())
        return
    _show(found)
    typer.echo(f"Wrote evaluation.json, .md and .html into {out}.")
    if recorded:
        typer.echo(f"Recorded it with version {what}, whose card has none: the gate asks for one.")


def record_with(store: Store, version: int, found: Evaluation) -> bool:
    """Keep the figures with a version that has none, such as an imported one; tell whether."""
    from msgspec import to_builtins

    from chexnet import release
    from chexnet.experiments.gate import unevaluated

    known = release.read(store, version)
    if found.mean_auroc is None or not unevaluated(known):
        return False
    facts = {"data": found.data, "images": found.images, "units": found.patients}
    release.evaluated(store, known, {**facts, "macro_auroc": to_builtins(found.mean_auroc)})
    return True


def _show(found: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    from chexnet.evaluation import report

    table = Table(*report.OVERVIEW, title=f"Evaluation of {found.subject}")
    for row in report.overview(found):
        table.add_row(*row)
    console = Console()
    console.print(table)
    for sentence in [*report.summary(found), *report.without(found)]:
        console.print(sentence, markup=False, highlight=False)
