"""Releases: from a training line's commit to a numbered folder that serving loads, on record.

A version belongs to one commit for ever: to release it again repairs what is missing and gives the
same number. The order is record, folder, control, so a crash in between is repaired the same way.
"""

from __future__ import annotations

import fcntl
import io
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chexnet.errors import BadInput, NotFound, Refused
from chexnet.messages import Release, decode_json, sha256
from chexnet.models import card as cards
from chexnet.models.card import Card
from chexnet.steps.ports import Store

REPO = "releases"
TRAINED = "models-"  # How the repo of a line begins, which is its pipeline's too.
RECORDS = "/releases"
EVALUATED = "evaluated"  # The figures of chexnet evaluate, beside those of the card's splits.
TREE = "/release"  # In a training line's repo.
NEEDED = ("saved_model.pb", cards.CARD, cards.GOLDEN)


def records(store: Store) -> dict[int, Release]:
    """Return all releases, by version."""
    if store.head(REPO) is None:
        return {}
    found = [decode_json(data, Release) for _, data in store.fetch(REPO, RECORDS)]
    return {record.version: record for record in sorted(found, key=lambda r: r.version)}


def read(store: Store, version: int) -> Release:
    """Return the record of a version; raise NotFound."""
    known = records(store)
    if version not in known:
        rule = f"A version must be released; there are {', '.join(map(str, known)) or 'none'}."
        raise NotFound(f"{rule} Received: {version}. Release one with: chexnet release --line LINE")
    return known[version]


def card(store: Store, release: Release) -> Card:
    """Return the card of a release, as it was committed."""
    return cards.parse(store.read(release.repo, f"{TREE}/{cards.CARD}", release.commit))


def golden(store: Store, release: Release) -> dict[str, NDArray[Any]]:
    """Return the golden inputs `x` and the outputs that every server must give for them."""
    data = store.read(release.repo, f"{TREE}/{cards.GOLDEN}", release.commit)
    with np.load(io.BytesIO(data)) as arrays:
        return dict(arrays)


def publish(
    store: Store,
    folder: Path,
    *,
    model: str,
    line: str,
    commit: str | None,
    who: str,
    at: datetime,
) -> Release:
    """Put a trained model where serving loads it, under the next version number.

    Args:
        store: with the repo `models-<line>`.
        folder: of the served model; versions are its subfolders. Serving reads the same folder.
        model: the served model's name.
        line: the training line.
        commit: of the line's repo; its newest by default.
        who: releases it.
        at: when.

    Returns:
        The record. For a commit that was released before it is the same as then.

    Raises:
        NotFound: there is no such line or commit.
        BadInput: the commit holds no release.
        Refused: the version's folder holds something else.
    """
    repo = f"{TRAINED}{line}"
    commit = commit or store.head(repo)
    if commit is None:
        rule = "A release must come from a line that was trained."
        todo = f"Train it with: chexnet train --line {line}"
        raise NotFound(f"{rule} Received: {line!r}, with no commit in {repo}. {todo}")
    files = _tree(store, repo, commit)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        known = records(store)
        release = next((r for r in known.values() if (r.repo, r.commit) == (repo, commit)), None)
        if release is None:
            version = 1 + max([*known, *_numbered(folder)], default=0)
            release = Release(
                model=model,
                version=version,
                repo=repo,
                commit=commit,
                released_at=at,
                released_by=who,
                **_described(files),
            )
            store.ensure(REPO)
            store.write(REPO, {f"{RECORDS}/{version}.json": _readable(release)})
        _place(folder, release, files)
    return release


def evaluated(store: Store, release: Release, metrics: dict[str, Any]) -> None:
    """Put figures of an evaluation into a version's record, where its card brought none.

    Args:
        store: with the record.
        release: as it was read.
        metrics: `data`, `images`, `units` and `macro_auroc`, as of a card's split.
    """
    told = msgspec.structs.replace(release, metrics={**release.metrics, EVALUATED: metrics})
    store.write(REPO, {f"{RECORDS}/{release.version}.json": _readable(told)})


def digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of a release: of its files' SHA-256 and names, sorted by name."""
    lines = [f"{sha256(data)}  {name}\n" for name, data in sorted(files.items())]
    return sha256("".join(lines).encode())


def _tree(store: Store, repo: str, commit: str) -> dict[str, bytes]:
    found = {p.removeprefix(f"{TREE}/"): data for p, data in store.fetch(repo, TREE, commit)}
    missing = [name for name in NEEDED if name not in found]
    if missing:
        rule = f"A release must hold {', '.join(NEEDED)} below {TREE}."
        received = f"Received: {repo}@{commit} without {', '.join(missing)}."
        raise BadInput("release", f"{rule} {received} Train the line again: chexnet train")
    return found


def _described(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return what the files say of themselves in a release record."""
    said = cards.parse(files[cards.CARD])
    return {
        "line": said.line,
        "network": said.network,
        "dataset": said.dataset,
        "labels": said.labels,
        "metrics": said.metrics,
        "code": said.code,
        "sha256": digest(files),
    }


def _place(folder: Path, release: Release, files: Mapping[str, bytes]) -> None:
    """Write the version's folder beside its place, then move it there: serving sees all of it."""
    place = folder / str(release.version)
    if place.exists():
        there = {p.relative_to(place).as_posix(): p for p in place.rglob("*") if p.is_file()}
        if digest({name: path.read_bytes() for name, path in there.items()}) != release.sha256:
            rule = f"{place} must hold version {release.version} as it was released."
            received = f"Received: files of another SHA-256 than {release.sha256[:12]}…"
            raise Refused(f"{rule} {received} Move the folder away, then release again.")
        return
    beside = folder / ".publishing"  # Not a number: serving takes it for no version.
    shutil.rmtree(beside, ignore_errors=True)  # What a crash left.
    for name, data in files.items():
        if ".." in PurePosixPath(name).parts:
            raise BadInput("release", f"A file must lie in its release. Received: {name!r}.")
        path = beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    beside.rename(place)


def _numbered(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]


def _readable(release: Release) -> bytes:
    return msgspec.json.format(release.encode(), indent=1)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time allocate and publish; the system frees it if that dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
