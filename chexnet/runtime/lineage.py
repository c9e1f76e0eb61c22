"""Lineage: from anything back to what it came from, and forward to what came from it.

Everything is read from the version store, so it holds after the bus has forgotten. Between repos it
is Pachyderm's own provenance; predictions and releases are records that name their commits.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from chexnet.data.dataset import INDEX
from chexnet.errors import NotFound
from chexnet.messages import Prediction, Release
from chexnet.models import card as cards
from chexnet.release import TRAINED
from chexnet.runtime import archived
from chexnet.steps import archive
from chexnet.steps.ports import Store

RUN, DATASET = "/run.json", "dataset"
# Of an upload, and of a prediction on it; or of an image.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\..+)?|[0-9a-f]{64}")
NEWEST = 3  # Commits of one repo that are shown below another.


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in a lineage, what is known of it, and its neighbours both ways."""

    kind: str  # image, upload, prediction, version, training, dataset, commit
    name: str
    facts: dict[str, Any] = {}
    links: tuple[Node, ...] = ()  # What it came from.
    leads: tuple[Node, ...] = ()  # What came from it.


def trace(store: Store, model: str, thing: str) -> Node:
    """Return the lineage of an upload, a prediction, an image, a version or a commit.

    Args:
        store: of the pipeline.
        model: the served model's name.
        thing: an upload_id, a prediction_id, an image_id, a version's number, or repo@commit.

    Raises:
        NotFound: the archive knows no such thing.
    """
    if "@" in thing:
        repo, _, name = thing.partition("@")
        return commit(store, model, repo, name)
    if thing.isdecimal():
        return msgspec.structs.replace(
            version(store, model, int(thing)), leads=_answers(store, int(thing))
        )
    found, raw = [], None
    if archive.NAME.fullmatch(thing):  # What names no file must not be a glob.
        if found := archived.named(store, thing):
            if thing == found[0][0].prediction_id:
                return _prediction(store, model, *found[0], back=True)
        elif image := _image(store, model, thing):
            return image
        raw = archived.upload(store, thing)
    if not found and raw is None:
        rule = "A lineage starts at an upload, a prediction, an image, a version or a commit."
        received = f"Received: {thing!r}, which is none of them."
        todo = "Take an id that chexnet upload or predict has printed, a version's number, or a"
        todo += " commit as dataset@0123abcd."
        if ID.fullmatch(thing):
            received = f"Received: {thing!r}, which the archive has not."
            todo = "The archivers may not have written it yet: try again, or see chexnet status."
        raise NotFound(f"{rule} {received} {todo}")
    leads = tuple(_prediction(store, model, p, commit, back=True) for p, commit in found)
    return Node(kind="upload", name=thing, facts=raw or {}, leads=leads)


def commit(store: Store, model: str, repo: str, name: str) -> Node:
    """Return a commit with all that it was made from and all that was made from it."""
    return msgspec.structs.replace(
        _back(store, repo, name), leads=_forward(store, model, repo, name)
    )


def _back(store: Store, repo: str, name: str) -> Node:
    links = tuple(_back(store, *up) for up in store.upstream(repo, name))
    return Node(
        kind=_kind(repo), name=f"{repo}@{name}", facts=_known(store, repo, name), links=links
    )


def _forward(store: Store, model: str, repo: str, name: str) -> tuple[Node, ...]:
    made = [
        Node(kind="version", name=f"{model} {r.version}", facts={"network": r.network})
        for r in archived.releases(store)
        if (r.repo, r.commit) == (repo, name)
    ]
    by_repo: dict[str, list[str]] = {}
    for other, id_ in store.downstream(repo, name):
        by_repo.setdefault(other, []).append(id_)
    for other, ids in by_repo.items():
        if (older := len(ids) - NEWEST) > 0:  # An import stands above each commit of uploads.
            made.append(Node(kind="commit", name=f"{older} older ones of {other}"))
        made += [
            Node(
                kind=_kind(other),
                name=f"{other}@{id_}",
                facts=_known(store, other, id_),
                leads=_forward(store, model, other, id_),
            )
            for id_ in ids[-NEWEST:]
        ]
    return tuple(made)


def _kind(repo: str) -> str:
    if repo == DATASET:
        return "dataset"
    return "training" if repo.startswith(TRAINED) else "commit"


def _known(store: Store, repo: str, name: str) -> dict[str, Any]:
    """Return what a commit says of itself, if it is one that does."""
    file = {DATASET: INDEX, "training": RUN}.get(_kind(repo))
    return archived.json(store, repo, file, name) if file else {}


def version(store: Store, model: str, number: int) -> Node:
    """Return a version with its training and its dataset."""
    record = release(store, model, number)
    facts = {
        "network": record.network,
        "released_at": record.released_at.isoformat(timespec="seconds"),
        "released_by": record.released_by,
        "sha256": record.sha256,
        "metrics": record.metrics,
    }
    return Node(
        kind="version", name=f"{model} {number}", facts=facts, links=(_training(store, record),)
    )


def _answers(store: Store, number: int) -> tuple[Node, ...]:
    """Return how often a version has predicted, for each arm that it stood for."""
    counts: dict[str, int] = {}
    for made, _ in archived.predictions(store):
        if made.version == number:
            counts[made.arm] = counts.get(made.arm, 0) + 1
    return tuple(
        Node(kind="predictions", name=f"as {arm}", facts={"count": count})
        for arm, count in sorted(counts.items())
    )


def release(store: Store, model: str, number: int) -> Release:
    """Return the release record of a version; raise NotFound."""
    for record in archived.releases(store):
        if (record.model, record.version) == (model, number):
            return record
    known = sorted(r.version for r in archived.releases(store) if r.model == model)
    rule = f"A version must be released. Released are {', '.join(map(str, known)) or 'none'}."
    raise NotFound(f"{rule} Received: {number}. Release one with: chexnet release")


def card(store: Store, model: str, number: int) -> cards.Card:
    """Return the card of a version, as it was committed; raise NotFound."""
    record = release(store, model, number)
    return cards.parse(store.read(record.repo, f"{archived.RELEASED}/{cards.CARD}", record.commit))


def _training(store: Store, record: Release) -> Node:
    repo, _, name = record.dataset.partition("@")
    try:
        dataset = _back(store, repo, name)
    except NotFound as error:  # The chain ends here, and says so.
        dataset = Node(kind="dataset", name=record.dataset, facts={"missing": str(error)})
    run = archived.json(store, record.repo, RUN, record.commit)
    facts = {"line": record.line, "code": record.code, "run": run}
    return Node(
        kind="training", name=f"{record.repo}@{record.commit}", facts=facts, links=(dataset,)
    )


def _prediction(store: Store, model: str, made: Prediction, commit: str, *, back: bool) -> Node:
    facts = {
        "upload_id": made.upload_id,
        "image_id": made.image_id,
        "arm": made.arm,
        "version": made.version,
        "revision": made.revision,
        "experiment": made.experiment,
        "predicted_at": made.predicted_at.isoformat(timespec="milliseconds"),
        "tensor_sha256": made.tensor_sha256,
        "archived": f"{archived.PREDICTIONS}@{commit}",
    }
    links = (_version(store, model, made.version),) if back else ()
    return Node(kind="prediction", name=made.prediction_id, facts=facts, links=links)


def _version(store: Store, model: str, number: int) -> Node:
    try:
        return version(store, model, number)
    except NotFound as error:  # The chain ends here, and says so.
        return Node(kind="version", name=f"{model} {number}", facts={"missing": str(error)})


def _image(store: Store, model: str, name: str) -> Node | None:
    """Return an image with its uploads, and the datasets that hold it; None if it is none."""
    files = archived.files(store, name)
    found = [(p, c) for p, c in archived.predictions(store) if p.image_id == name]
    if not files and not found:
        return None
    uploads: dict[str, list[Node]] = {}
    for made, commit in found:
        node = _prediction(store, made.model, made, commit, back=False)
        uploads.setdefault(made.upload_id, []).append(node)
    predicted = (
        Node(kind="upload", name=upload, facts=archived.upload(store, upload) or {}, leads=(*made,))
        for upload, made in sorted(uploads.items())
    )
    units = {place.unit for place in files.values()} | {p.unit for p, _ in found}
    unit = max(units, key=lambda unit: unit != name)  # As a dataset has it: the patient's, if any.
    held = _holding(store, model, name, unit)
    facts = {"archived": [*files], "unit": unit}
    return Node(kind="image", name=name, facts=facts, leads=(*predicted, *held))


def _holding(store: Store, model: str, image: str, unit: str) -> list[Node]:
    """Return the datasets that hold an image, each with the versions that were trained on it."""
    by_dataset: dict[str, list[Node]] = {
        f"{DATASET}@{commit}": [] for commit in archived.datasets(store, image)
    }
    for record in archived.releases(store):
        learnt = not {image, unit}.isdisjoint(archived.learnt(store, record))
        if learnt or record.dataset in by_dataset:
            facts = {"learnt from it": "yes" if learnt else "no"}
            node = Node(kind="version", name=f"{model} {record.version}", facts=facts)
            by_dataset.setdefault(record.dataset, []).append(node)
    return [
        Node(
            kind="dataset",
            name=name,
            facts={"split": archived.split(store, name.partition("@")[2], unit)},
            leads=tuple(versions),
        )
        for name, versions in by_dataset.items()
    ]
