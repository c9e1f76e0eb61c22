"""Datums: the units of a pipeline's work, as its input makes them of the files that it matches.

A datum's id is a hash of names and paths, so that the same file has the same id in every job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from pachyderm_sdk.api import pfs, pps

from chexnet.adapters.pachyderm import datum_ids
from services.version_store import globs, inputs, names, trees, wire
from services.version_store.database import Sql
from services.version_store.errors import StoreError
from services.version_store.listing import View


class Part(NamedTuple):
    """One input's file or directory in a datum."""

    key: bytes  # What the datum's id is made of.
    info: bytes  # A FileInfo on the wire.
    join_on: str = ""
    group_by: str = ""
    outer: bool = False  # Whether a join keeps it without a partner.


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
    return datum_ids.identity(part.key for part in datum)


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
    elif kind == "join":
        yield from _joined([list(_datums(sql, each)) for each in given.join])
    elif kind == "group":
        yield from _grouped([list(_datums(sql, each)) for each in given.group])
    else:
        raise StoreError(
            "can't list datums with a cron input, there will be no datums until the pipeline is "
            "created"
        )


def _joined(inputs_: Sequence[Sequence[Datum]]) -> Iterator[Datum]:
    """Yield all combinations of parts of equal key, one of each input; outer parts also alone."""
    sides = [_by_key(datums, lambda part: part.join_on) for datums in inputs_]
    for key in sorted(set().union(*sides)):
        present = [side[key] for side in sides if key in side]
        for parts in product(*present):
            kept = parts if len(parts) == len(sides) else tuple(p for p in parts if p.outer)
            if kept:
                yield kept


def _grouped(inputs_: Sequence[Sequence[Datum]]) -> Iterator[Datum]:
    """Yield one datum of all parts of equal key."""
    sides = [_by_key(datums, lambda part: part.group_by) for datums in inputs_]
    for key in sorted(set().union(*sides)):
        yield tuple(part for side in sides for part in side.get(key, ()))


def _by_key(datums: Sequence[Datum], key: Callable[[Part], str]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for datum in datums:
        for part in datum:
            found.setdefault(key(part), []).append(part)
    return found


def _parts(sql: Sql, given: pps.PfsInput) -> Iterator[Part]:
    owner = pfs.Repo(name=given.repo, type=given.repo_type, project=pfs.Project(name=given.project))
    view = View(sql, pfs.Commit(repo=owner, id=given.commit or given.branch))
    if given.glob == "/" and not trees.holds(sql, view.stack, "/"):
        return  # A root without a file is no datum.
    nodes = view.glob(given.glob)
    fixed = datum_ids.key(given.name, given.repo, given.branch)
    pattern = globs.compiled(names.path(given.glob))
    keyed = bool(given.join_on or given.group_by)
    for node, info in zip(nodes, view.encoded(nodes), strict=True):
        key = fixed + datum_ids.key(node.path)
        found = pattern.fullmatch(node.name) if keyed else None
        if found is None:
            yield Part(key, info, outer=given.outer_join)
        else:
            join_on = globs.replaced(found, given.join_on)
            yield Part(key, info, join_on, globs.replaced(found, given.group_by), given.outer_join)
