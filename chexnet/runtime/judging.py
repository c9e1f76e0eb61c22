"""What a model says of a data set, beside what is known of it: what an evaluation is made from."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from chexnet.data.checkout import parse, untold
from chexnet.data.dataset import INDEX
from chexnet.data.labels import UNKNOWN
from chexnet.data.parallel import spread
from chexnet.data.splits import Split
from chexnet.errors import BadInput, ConfigError
from chexnet.evaluation.details import columns
from chexnet.evaluation.scored import Scored
from chexnet.evaluation.tables import NAMED, Known, Predictions, join
from chexnet.inputs.base import Input, Limits, load
from chexnet.models.base import CAM, PROBABILITIES
from chexnet.models.card import Card

BATCH = 32
Map = NDArray[np.float32]
Arrays = dict[str, NDArray[np.float32]]
Part = dict[str, NDArray[Any]]  # Columns of some rows.
Item = TypeVar("Item")
Told = Callable[[int], None]


class Model(Protocol):
    """A loaded release: see chexnet/models/released.py."""

    card: Card

    def __call__(self, x: NDArray[np.uint8]) -> Arrays:
        """Return the signature's outputs for a batch of canonical images."""


class Judged(Struct, kw_only=True):
    """A model's answers.

    Args:
        scored: on the images to judge by.
        tuning: on the images that thresholds and temperature may be chosen on.
        maps: image → heat maps [L, h, w], of the images that were asked for.
        notes: what was left out, in sentences.
    """

    scored: Scored
    tuning: Scored | None = None
    maps: dict[str, Map] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def of_dataset(
    model: Model, read: Callable[[str], bytes], split: Split, told: Told = lambda _: None
) -> Judged:
    """Ask a model about one split of a dataset, a shard at a time.

    Images that the model learnt from are left out, with their patients' other images. Where another
    split than validation is judged, thresholds may be chosen on validation.

    Args:
        model: to be judged.
        read: returns a file of the dataset by its path.
        split: to judge by.
        told: called with how many more images are done.

    Raises:
        ConfigError: the dataset is of another input than the model, or no image is left.
        BadInput: it is not a dataset.
    """
    index = parse(read(INDEX))
    _check(model.card, index.input, index.labels, index.shape, "The dataset")
    wanted = {split, "validation"}
    parts: dict[str, list[Part]] = {name: [] for name in wanted}
    for shard in index.shards:
        with np.load(io.BytesIO(read(shard.path))) as file:
            arrays = dict(file)
        for name in wanted:
            rows = np.flatnonzero(arrays["split"] == name)
            if len(rows):
                parts[name].append(_part(model, arrays, rows, told))
    notes: list[str] = []
    if not parts[split]:
        raise _nothing(f"the split {split}", notes)
    scored = _scored(parts[split], _learnt(model.card), model.card, notes)
    tuning = None
    if split != "validation" and parts["validation"]:
        tuning = _scored(parts["validation"], frozenset(), model.card, [])
    return Judged(scored=scored, tuning=tuning, notes=notes)


def of_folder(
    model: Model,
    source: Input,
    folder: Path,
    known: Mapping[str, Known],
    limits: Limits,
    *,
    chosen: Sequence[str],
    mapped: frozenset[str] = frozenset(),
    told: Told = lambda _: None,
) -> Judged:
    """Ask a model about a folder of image files, cleaned and decoded as uploads are.

    Args:
        model: to be judged.
        source: the model's input.
        folder: files by name, or by their path below it; in any depth.
        known: image → what is known of it, label by label in the model's order.
        limits: of one file.
        chosen: the images to judge by.
        mapped: the images whose heat maps to keep.
        told: called with how many more images are done.

    Raises:
        ConfigError: the input is another than the model's, or no image is left.
    """
    card = model.card
    _check(card, source.name, source.labels, source.shape, "The pipeline")
    notes: list[str] = []
    films = _films(source, _files(folder, source, chosen, notes), limits, told)
    learnt = _learnt(card)
    failed, left_out = list[str](), list[str]()
    names, probabilities, maps = list[str](), list[NDArray[np.float32]](), dict[str, Map]()
    for batch in _batches(_fit(films, known, learnt, failed, left_out)):
        answers = model(np.stack([x for _, x in batch]))
        probabilities.append(answers[PROBABILITIES])
        for place, (name, _) in enumerate(batch):
            names.append(name)
            if name in mapped and CAM in answers:
                maps[name] = answers[CAM][place]
    _note(notes, failed, "could not be read")
    _note(notes, left_out, "are of patients that the model learnt from; they were left out")
    if not names:
        raise _nothing(str(folder), notes)
    said = Predictions(card.labels, tuple(names), np.concatenate(probabilities).astype(np.float64))
    return Judged(scored=join(said, known, notes), maps=maps, notes=notes)


class _Film(Struct, frozen=True):
    name: str
    image_id: str
    x: NDArray[np.uint8]


class _Unreadable(Struct, frozen=True):
    name: str
    reason: str


def _films(
    source: Input, files: Mapping[str, Path], limits: Limits, told: Told
) -> Iterator[_Film | _Unreadable]:
    read = partial(_read, source.name, limits)
    for film in spread(read, list(files.items()), crashed=_crashed):
        told(1)
        yield film


def _read(source: str, limits: Limits, file: tuple[str, Path]) -> _Film | _Unreadable:
    """Clean and decode, as the gateway and preprocess do: the same bytes for the model."""
    name, path = file
    try:
        loaded = load(source)
        cleaned = loaded.clean(path.read_bytes(), limits)
        return _Film(name, cleaned.image_id, loaded.decode(cleaned.data, limits))
    except (BadInput, OSError) as error:
        return _Unreadable(name, str(error))


def _crashed(file: tuple[str, Path]) -> _Film | _Unreadable:
    return _Unreadable(file[0], "What reads it crashed.")


def _fit(
    films: Iterable[_Film | _Unreadable],
    known: Mapping[str, Known],
    learnt: frozenset[str],
    failed: list[str],
    left_out: list[str],
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the images that a model may be judged by, and list the others."""
    for film in films:
        if isinstance(film, _Unreadable):
            failed.append(f"{film.name} ({film.reason})")
        elif {film.image_id, known[film.name].patient} & learnt:
            left_out.append(film.name)
        else:
            yield film.name, film.x


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _files(folder: Path, source: Input, chosen: Sequence[str], notes: list[str]) -> dict[str, Path]:
    """Return each image's file: by its path below the folder, else by its name in any depth."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in source.suffixes:
            found.setdefault(path.name, path)
            found[path.relative_to(folder).as_posix()] = path
    _note(notes, [name for name in chosen if name not in found], "have no file")
    return {name: found[name] for name in chosen if name in found}


def _part(
    model: Model, arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.intp], told: Told
) -> Part:
    said = []
    for at in range(0, len(rows), BATCH):
        chosen = rows[at : at + BATCH]
        said.append(model(arrays["x"][chosen])[PROBABILITIES])
        told(len(chosen))
    part = {name: arrays[name][rows] for name in ("y", "unit", "image_id")}
    part["details"] = arrays["details"][rows] if "details" in arrays else untold(len(rows))
    return {**part, PROBABILITIES: np.concatenate(said).astype(np.float64)}


def _scored(parts: Sequence[Part], learnt: frozenset[str], card: Card, notes: list[str]) -> Scored:
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    seen = np.isin(whole["unit"], list(learnt)) | np.isin(whole["image_id"], list(learnt))
    _note(
        notes,
        whole["image_id"][seen].tolist(),
        "are of patients that the model learnt from; they were left out",
    )
    if seen.all():
        raise _nothing("the dataset", notes)
    left = {name: column[~seen] for name, column in whole.items()}
    return Scored.of(
        card.labels,
        left["image_id"],
        left["unit"],
        left[PROBABILITIES],
        left["y"] == 1,
        left["y"] != UNKNOWN,
        columns(left["details"]),
    )


def _check(card: Card, name: str, labels: Sequence[str], shape: Sequence[int], what: str) -> None:
    if (card.input, card.labels, card.shape) != (name, tuple(labels), tuple(shape)):
        rule = f"{what} must be of the model's input, {card.input}, {card.shape}, as it was trained"
        raise ConfigError(f"{rule}. Received: {name}, {tuple(shape)}, {', '.join(labels)}.")


def _learnt(card: Card) -> frozenset[str]:
    """Return the patients and images that training learnt from, or chose its best epoch by."""
    return frozenset(card.training_units)


def _note(notes: list[str], names: Sequence[str], what: str) -> None:
    if names:
        first = ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
        notes.append(f"{len(names)} images {what}: {first}")


def _nothing(where: str, notes: Sequence[str]) -> ConfigError:
    rule = "An evaluation needs an image that the model did not learn from, with what is known."
    told = f" {'; '.join(notes)}." if notes else ""
    return ConfigError(f"{rule} Received: none in {where}.{told} Choose other images.")
