"""Imports that are in: each is a table of the repo `labels`, and a group of images in `nih`."""

from __future__ import annotations

import csv
import io

from msgspec import Struct

from chexnet.data.labels import READERS
from chexnet.data.places import BULK, DATA, LABELS
from chexnet.errors import NotFound
from chexnet.steps.ports import Store


class Brought(Struct, frozen=True, kw_only=True):
    """One import."""

    name: str
    labelled: int  # Images that its table knows.
    images: int  # Files of its images.


def every(store: Store) -> list[Brought]:
    """Return the imports that are in, by name."""
    if store.head(LABELS) is None:
        return []
    tables = _tables(store)
    return [
        Brought(
            name=name,
            labelled=_rows(store.read(LABELS, path)),
            images=len(store.list(BULK, f"{DATA}/{name}")),
        )
        for name, path in sorted(tables.items())
        if name != READERS
    ]


def remove(store: Store, name: str, *, images: bool) -> Brought:
    """Take an import out of what datasets are cut from; those that were cut keep it.

    Args:
        store: of the pipeline; the caller is the sole writer of `labels`.
        name: of the import.
        images: whether its images go too. Those that stay have no label, so no dataset has them,
            and importing the same folder again only writes the table.

    Returns:
        What was there.

    Raises:
        NotFound: there is no such import.
    """
    known = {one.name: one for one in every(store)}
    if name not in known:
        rule = f"NAME must be an import that is in: {', '.join(known) or 'there is none'}."
        raise NotFound(f"{rule} Received: {name!r}. See them with: chexnet data list")
    store.write(LABELS, {}, remove=[f"/{name}.csv"])
    if images and (there := store.list(BULK, f"{DATA}/{name}")):
        store.write(BULK, {}, remove=there)
    return known[name]


def behind(store: Store, repo: str, commit: str) -> list[str]:
    """Return the names of the imports that a dataset was cut from; `readers` for their findings."""
    labels = (name for above, name in store.upstream(repo, commit) if above == LABELS)
    return sorted(name for made in labels for name in _tables(store, made))


def _tables(store: Store, commit: str | None = None) -> dict[str, str]:
    """Return name → path of the tables of `labels`."""
    return {p[1:-4]: p for p in store.list(LABELS, commit=commit) if p.count("/") == 1}


def _rows(table: bytes) -> int:
    return sum(1 for _ in csv.reader(io.StringIO(table.decode()))) - 1
