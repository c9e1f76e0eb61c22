"""From what a person names to its evaluation: predictions in a file, or a model and some images."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from msgspec import Struct, structs

from chexnet.data.labels import LABELS_FILE
from chexnet.data.splits import SPLITS
from chexnet.errors import ConfigError
from chexnet.evaluation import tables
from chexnet.evaluation.evaluate import Plan, evaluate
from chexnet.evaluation.localisation import Located, locate
from chexnet.evaluation.record import Evaluation
from chexnet.evaluation.scored import Scored
from chexnet.inputs.base import Input, Limits, load
from chexnet.runtime import subjects
from chexnet.runtime.judging import Judged, Model, of_dataset, of_folder

Told = Callable[[int, str], None]  # How many more are done, and what of.


class Question(Struct, frozen=True, kw_only=True):
    """What to evaluate, and on what.

    Args:
        what: a CSV file of predictions; or a model: a folder, a version, a commit.
        on: for a model: a dataset's commit, or a folder that is a dataset or holds image files.
        split: of a dataset.
        reference: what is known of images; a folder of images may have its own labels.csv.
        images: a list of the images to judge by; all without one.
        tune: predictions for other images, to choose thresholds on.
        boxes: of findings in a folder's images.
        input: whose labels predictions have; a model says it itself.
    """

    what: str
    on: str
    split: str
    reference: Path | None
    images: Path | None
    tune: Path | None
    boxes: Path | None
    input: str

    @property
    def of_predictions(self) -> bool:
        """Whether it is a file of predictions, and not a model."""
        return self.what.removesuffix(".gz").endswith(".csv")


def answer(
    question: Question,
    plan: Plan,
    store: subjects.Open,
    told: Told = lambda *_: None,
) -> tuple[Evaluation, Scored]:
    """Return the evaluation, and the predictions that it is of.

    Args:
        question: what, and on what.
        plan: how.
        store: opens the pipeline's; called only where a name is in it.
        told: called as it goes on.

    Raises:
        ConfigError: options don't fit together, or a file is not what it must be.
        NotFound: there is no such model or dataset.
        BadInput: the model can't be loaded or is not as it was exported.
    """
    _check(question)
    if question.of_predictions:
        judged, located = _predictions(question, load(question.input)), list[Located]()
        subject = Path(question.what).name
        data = f"by {question.reference.name}" if question.reference else ""
    else:
        with subjects.release(question.what, store) as (subject, folder):
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # Its notes on the CPU.
            from chexnet.models.released import Released  # Takes TensorFlow's seconds.

            model = Released(folder)
            data, judged, located = _asked(model, question, plan, store, told)
            plan = structs.replace(
                plan, thresholds=model.card.thresholds, temperature=model.card.temperature
            )
    found = evaluate(
        judged.scored,
        plan,
        subject=subject,
        data=data,
        tuning=judged.tuning,
        located=located,
        notes=judged.notes,
        told=lambda count: told(count, "resamples"),
    )
    return found, judged.scored


def _check(question: Question) -> None:
    if question.of_predictions:
        if question.reference is None:
            rule = "Predictions need --reference, a table of what is known of their images."
            raise ConfigError(f"{rule} Received: none. Give NIH's Data_Entry CSV or a labels.csv.")
        if question.boxes is not None:
            rule = "--boxes needs the heat maps of a model."
            raise ConfigError(f"{rule} Received: predictions. Leave it out.")
        return
    if question.tune is not None:
        rule = "--tune is for predictions; a model has the dataset's validation split."
        raise ConfigError(f"{rule} Received: a model. Leave it out.")
    if question.split not in SPLITS:
        rule = f"--split must be one of {', '.join(SPLITS)}."
        raise ConfigError(f"{rule} Received: {question.split!r}. Correct it.")
    if not _is_images(question.on):
        given = {"--reference": question.reference, "--images": question.images}
        given["--boxes"] = question.boxes
        if named := [name for name, value in given.items() if value is not None]:
            rule = f"{', '.join(named)} go with a folder of image files, whose names they have."
            raise ConfigError(f"{rule} Received: --on {question.on}. Give the folder, or no names.")


def _is_images(on: str) -> bool:
    return Path(on).is_dir() and not subjects.is_dataset(Path(on))


def _predictions(question: Question, source: Input) -> Judged:
    said = tables.predictions(Path(question.what), source.labels)
    known = tables.reference(Path(question.reference or ""), said.labels)
    if question.images is not None:
        said = said.only(tables.names(question.images))
    notes: list[str] = []
    scored = tables.join(said, known, notes)
    if question.tune is None:
        return Judged(scored=scored, notes=notes)
    other = tables.predictions(question.tune, said.labels)
    if other.labels != said.labels:
        rule = f"--tune must have the labels of the predictions: {', '.join(said.labels)}."
        raise ConfigError(f"{rule} Received: {', '.join(other.labels)}. Add the others.")
    if both := set(said.image) & set(other.image):
        rule = "Thresholds must be chosen on other images than those that are judged by."
        raise ConfigError(f"{rule} Received: {len(both)} in both, such as {min(both)}.")
    return Judged(scored=scored, tuning=tables.join(other, known, notes), notes=notes)


def _asked(
    model: Model,
    question: Question,
    plan: Plan,
    store: subjects.Open,
    told: Told,
) -> tuple[str, Judged, list[Located]]:
    def images(count: int) -> None:
        told(count, "images")

    if not _is_images(question.on):
        name, read = subjects.dataset(question.on, store)
        split = next(one for one in SPLITS if one == question.split)
        return f"{split} of {name}", of_dataset(model, read, split, images), []
    folder = Path(question.on)
    known = tables.reference(question.reference or folder / LABELS_FILE, model.card.labels)
    wanted = known if question.images is None else tables.names(question.images)
    called = {PurePosixPath(name).name: name for name in known}
    boxes = [
        structs.replace(box, image=box.image if box.image in known else called[box.image])
        for box in ([] if question.boxes is None else tables.boxes(question.boxes))
        if box.image in known or box.image in called
    ]
    judged = of_folder(
        model,
        load(model.card.input),
        folder,
        known,
        Limits(),
        chosen=[name for name in known if tables.listed(name, wanted)],
        mapped=frozenset(box.image for box in boxes),
        told=images,
    )
    if boxes and not judged.maps:
        judged.notes.append("No image that has a box has a heat map: nothing was located.")
    patient = {name: known[name].patient for name in judged.maps}
    return (
        str(folder),
        judged,
        locate(judged.maps, boxes, model.card.labels, patient, plan.confidence),
    )
