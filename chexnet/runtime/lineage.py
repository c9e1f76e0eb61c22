"""Lineage: from a prediction back to the images that its model learnt from, and forward again.

Everything is read from the version store, so it holds after the bus has forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from chexnet.errors import NotFound
from chexnet.messages import Prediction, Release, decode_json
from chexnet.models import card as cards
from chexnet.steps.ports import Store

RAW, PREDICTIONS, RELEASES = "raw", "predictions", "releases"
DATA, RUN, RELEASED = "/data", "/run.json", "/release"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in a lineage, what is known of it, and what it came from or led to."""

    kind: str  # image, upload, prediction, version, training, dataset
    name: str
    facts: dict[str, Any] = {}
    links: tuple[Node, ...] = ()


def trace(store: Store, model: str, thing: str) -> Node:
    """Return the lineage of an upload, a prediction, an image or a version.

    Args:
        store: of the pipeline.
        model: the served model's name.
        thing: an upload_id, a prediction_id, an image_id or a version's number.

    Raises:
        NotFound: the archive knows no such thing.
    """
    if thing.isdecimal():
        return version(store, model, int(thing))
    if found := _by_file(store, thing):
        if thing == found[0][0].prediction_id:
            return _prediction(store, model, *found[0], back=True)
    elif found := [(p, c) for p, c in _predictions(store) if p.image_id == thing]:
        return _image(store, thing, found)
    raw = _raw(store, thing)
    if not found and raw is None:
        rule = "A lineage starts at an upload, a prediction, an image or a version in the archive."
        todo = "The archivers may not have written it yet: try again, or see chexnet status."
        raise NotFound(f"{rule} Received: {thing!r}. {todo}")
    links = tuple(_prediction(store, model, p, commit, back=True) for p, commit in found)
    return Node(kind="upload", name=thing, facts=raw or {}, links=links)


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


def release(store: Store, model: str, number: int) -> Release:
    """Return the release record of a version; raise NotFound."""
    for record in _releases(store):
        if (record.model, record.version) == (model, number):
            return record
    known = sorted(r.version for r in _releases(store) if r.model == model)
    rule = f"A version must be released. Released are {', '.join(map(str, known)) or 'none'}."
    raise NotFound(f"{rule} Received: {number}. Release one with: chexnet release")


def card(store: Store, model: str, number: int) -> cards.Card:
    """Return the card of a version, as it was committed; raise NotFound."""
    record = release(store, model, number)
    return cards.parse(store.read(record.repo, f"{RELEASED}/{cards.CARD}", record.commit))


def _training(store: Store, record: Release) -> Node:
    repo, _, commit = record.dataset.partition("@")
    dataset = Node(
        kind="dataset", name=record.dataset, facts=_json(store, repo, "/index.json", commit)
    )
    run = _json(store, record.repo, RUN, record.commit)
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
        "archived": f"{PREDICTIONS}@{commit}",
    }
    links = (_version(store, model, made.version),) if back else ()
    return Node(kind="prediction", name=made.prediction_id, facts=facts, links=links)


def _version(store: Store, model: str, number: int) -> Node:
    try:
        return version(store, model, number)
    except NotFound as error:  # The chain ends here, and says so.
        return Node(kind="version", name=f"{model} {number}", facts={"missing": str(error)})


def _image(store: Store, name: str, found: list[tuple[Prediction, str]]) -> Node:
    uploads: dict[str, list[Node]] = {}
    for made, commit in found:
        node = _prediction(store, made.model, made, commit, back=False)
        uploads.setdefault(made.upload_id, []).append(node)
    links = tuple(
        Node(kind="upload", name=upload, facts=_raw(store, upload) or {}, links=tuple(nodes))
        for upload, nodes in sorted(uploads.items())
    )
    return Node(kind="image", name=name, links=links)


def _by_file(store: Store, thing: str) -> list[tuple[Prediction, str]]:
    """Return the predictions whose files are named after `thing`, an upload or a prediction."""
    commit = store.head(PREDICTIONS)
    paths = store.list(PREDICTIONS, DATA, commit) if commit else []
    named = [p for p in paths if p.rsplit("/", 1)[-1].startswith(f"{thing}.")]
    return [
        (decode_json(store.read(PREDICTIONS, p, commit), Prediction), str(commit)) for p in named
    ]


def _predictions(store: Store) -> Iterator[tuple[Prediction, str]]:
    """Yield every prediction in the archive: only an image is looked for this way."""
    if (commit := store.head(PREDICTIONS)) is not None:
        for _, data in store.fetch(PREDICTIONS, DATA, commit):
            yield decode_json(data, Prediction), commit


def _releases(store: Store) -> Iterator[Release]:
    if store.head(RELEASES) is not None:
        for path, data in store.fetch(RELEASES, "/"):
            if path.endswith(".json"):
                yield decode_json(data, Release)


def _raw(store: Store, upload_id: str) -> dict[str, Any] | None:
    """Return where the upload's file lies in the archive."""
    commit = store.head(RAW)
    paths = store.list(RAW, DATA, commit) if commit else []
    path = next((p for p in paths if p.rsplit("/", 1)[-1].split(".")[0] == upload_id), None)
    return {"archived": f"{RAW}@{commit}:{path}"} if path else None


def _json(store: Store, repo: str, path: str, commit: str) -> dict[str, Any]:
    try:
        return dict(msgspec.json.decode(store.read(repo, path, commit)))
    except NotFound as error:
        return {"missing": str(error)}
