"""Datums: the units of a pipeline's work, as its input makes them of the files that it matches.

A datum's id is a hash of names and paths, so that the same file has the same id in every job.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from pachyderm_sdk.api import pfs, pps

from services.version_store import inputs, trees, wire
from services.version_store.database import Sql
from services.version_store.errors import StoreError, unimplemented
from services.version_store.listing import View


class Part(NamedTuple):
    """One input's file or directory in a datum."""

    key: bytes  # What the datum's id is made of.
    info: bytes  # A FileInfo on the wire.


Datum = tuple[Part, ...]


def of_input(sql: Sql, request: pps.ListDatumRequest) -> Iterator[bytes]:
    """Yield the datums of an input, as DatumInfo on the wire.

    Inputs without a commit are read at the head of their branch.
    """
    inputs.complete(request.input, pps.Pipeline(project=pfs.Project(name="default")))
    for datum in _datums(sql, request.input):
        yield wire.datum_info(identity(datum), [part.info for part in datum])


def identity(datum: Datum) -> str:
    """Return the id of a datum: a hash of the names, repos, branches and paths of its parts."""
    digest = hashlib.blake2b(digest_size=32)
    for part in datum:
        digest.update(part.key)
    return digest.hexdigest()


def _datums(sql: Sql, given: pps.Input) -> Iterator[Datum]:
    kind = inputs.kind(given)
    if kind == "pfs":
        for part in _parts(sql, given.pfs):
            yield (part,)
    elif kind == "union":
        for each in given.union:
            yield from _datums(sql, each)
    elif kind == "cross":
        for parts in product(*(list(_datums(sql, each)) for each in given.cross)):
            yield tuple(part for datum in parts for part in datum)
    elif kind == "cron":
        raise StoreError(
            "can't list datums with a cron input, there will be no datums until the pipeline is "
            "created"
        )
    else:
        raise unimplemented(f"An input's {kind}")


def _parts(sql: Sql, given: pps.PfsInput) -> Iterator[Part]:
    owner = pfs.Repo(name=given.repo, type=given.repo_type, project=pfs.Project(name=given.project))
    view = View(sql, pfs.Commit(repo=owner, id=given.commit or given.branch))
    if given.glob == "/" and not trees.holds(sql, view.stack, "/"):
        return  # A root without a file is no datum.
    nodes = view.glob(given.glob)
    fixed = b"".join(_sized(text) for text in (given.name, given.repo, given.branch))
    for node, info in zip(nodes, view.encoded(nodes), strict=True):
        yield Part(fixed + _sized(node.path), info)


def _sized(text: str) -> bytes:
    data = text.encode()
    return data + len(data).to_bytes(8, "big")
