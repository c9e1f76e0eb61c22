"""What the archive holds: predictions, uploads, images, releases, and who learnt from them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from chexnet.data.dataset import TOLD
from chexnet.data.places import BULK, DATA, IMAGES, LABELS, RAW, Place, parse
from chexnet.data.splits import split_of
from chexnet.errors import NotFound
from chexnet.messages import Prediction, Release, decode_json
from chexnet.models import card as cards
from chexnet.steps.ports import Store

PREDICTIONS, RELEASES, DATASET = "predictions", "releases", "dataset"
RELEASED = "/release"


def predictions(store: Store) -> Iterator[tuple[Prediction, str]]:
    """Yield every prediction with the commit that it is read from."""
    if (commit := store.head(PREDICTIONS)) is not None:
        for _, data in store.fetch(PREDICTIONS, DATA, commit):
            yield decode_json(data, Prediction), commit


def named(store: Store, thing: str) -> list[tuple[Prediction, str]]:
    """Return the predictions whose files are named after an upload or a prediction."""
    commit = store.head(PREDICTIONS)
    paths = store.glob(PREDICTIONS, f"{DATA}/*/*/{thing}.*", commit) if commit else []
    return [
        (decode_json(store.read(PREDICTIONS, p, commit), Prediction), str(commit)) for p in paths
    ]


def upload(store: Store, upload_id: str) -> dict[str, Any] | None:
    """Return where an upload's file lies."""
    commit = store.head(RAW)
    paths = store.glob(RAW, f"{DATA}/*/*/{upload_id}.*", commit) if commit else []
    return {"archived": f"{RAW}@{commit}:{paths[0]}"} if paths else None


def files(store: Store, image_id: str) -> dict[str, Place]:
    """Return where an image's files lie, as they came in: repo@commit:path → place."""
    found = {}
    for repo in (RAW, BULK):
        if commit := store.head(repo):
            for path in _of_image(store, repo, image_id, commit):
                found[f"{repo}@{commit}:{path}"] = parse(path)
    return found


def _of_image(store: Store, repo: str, image_id: str, commit: str | None = None) -> list[str]:
    """Return the paths of an image in a repo: asked of the server, which has many others."""
    found = store.glob(repo, f"{DATA}/*/*/*{image_id}.*", commit)
    return [path for path in found if parse(path).image_id == image_id]


def datasets(store: Store, image_id: str) -> Iterator[str]:
    """Yield the commits of the datasets that hold an image, the newest first.

    It is there if the commits that a dataset was made from have the image and a label of it: so no
    shard has to be read.
    """
    if store.head(DATASET) is None:
        return
    paths = _of_image(store, IMAGES, image_id)

    @cache  # Many datasets are made from one commit of the other.
    def has(repo: str, commit: str) -> bool:
        if repo == IMAGES:
            return any(store.list(IMAGES, path, commit) for path in paths)
        tables = (data for _, data in store.fetch(LABELS, "/", commit))
        return any(f"\n{image_id},".encode() in table for table in tables)

    for commit in store.commits(DATASET):
        made_from = dict(store.upstream(DATASET, commit))
        if all(repo in made_from and has(repo, made_from[repo]) for repo in (IMAGES, LABELS)):
            yield commit


def split(store: Store, commit: str, unit: str) -> str:
    """Return the split that a unit has in a dataset."""
    try:
        told = store.list(DATASET, TOLD, commit)
    except NotFound:  # The dataset is gone; by hash is how most are divided.
        told = []
    if not told:
        return split_of(unit)
    return str(json(store, DATASET, TOLD, commit).get(unit, split_of(unit)))


def releases(store: Store) -> Iterator[Release]:
    """Yield the records of all releases."""
    if store.head(RELEASES) is not None:
        for path, data in store.fetch(RELEASES, "/"):
            if path.endswith(".json"):
                yield decode_json(data, Release)


def learnt(store: Store, record: Release) -> tuple[str, ...]:
    """Return the units and images that a version was trained on; none if its card is gone."""
    try:
        data = store.read(record.repo, f"{RELEASED}/{cards.CARD}", record.commit)
    except NotFound:
        return ()
    return cards.parse(data).training_units


def json(store: Store, repo: str, path: str, commit: str) -> dict[str, Any]:
    """Return a JSON file; if it is gone, only why, as `missing`."""
    try:
        return dict(msgspec.json.decode(store.read(repo, path, commit)))
    except NotFound as error:
        return {"missing": str(error)}
