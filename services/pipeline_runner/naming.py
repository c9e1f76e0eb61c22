"""Names: which input each file of a datum comes from, as the server does not say it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from pachyderm_sdk.api import pps

from chexnet.adapters.pachyderm.datum_ids import identity, key

TRIED = 1000  # Ways to name a datum's files, where several inputs read one repo.


class Leaf(NamedTuple):
    """An input that reads a repo."""

    name: str
    repo: str
    branch: str


class Found(NamedTuple):
    """A file or directory as a datum has it."""

    repo: str
    path: str


Way = tuple[Leaf, ...]  # An input for each file.
Name = Callable[[str, Sequence[Found]], Way]


def namer(given: pps.Input) -> Name:
    """Return what names the files of a datum, given its id, by the spec's input."""
    leaves = list(_leaves(given))
    by_repo = {leaf.repo: leaf for leaf in leaves}
    if len(by_repo) == len(leaves):
        return lambda _, files: tuple(by_repo[file.repo] for file in files)

    def name(id_: str, files: Sequence[Found]) -> Way:
        """Return the way that the datum's id is made of; of an id of another make, the first."""
        ways = [way for way, end in islice(_ways(given, files, 0), TRIED) if end == len(files)]
        for way in ways:
            keys = (key(*leaf, file.path) for leaf, file in zip(way, files, strict=True))
            if identity(keys) == id_:
                return way
        return ways[0] if ways else tuple(by_repo[file.repo] for file in files)

    return name


def _leaves(given: pps.Input) -> Iterator[Leaf]:
    if given.pfs.repo:
        yield Leaf(given.pfs.name or given.pfs.repo, given.pfs.repo, given.pfs.branch or "master")
    for inner in (*given.cross, *given.union, *given.join, *given.group):
        yield from _leaves(inner)


def _ways(given: pps.Input, files: Sequence[Found], at: int) -> Iterator[tuple[Way, int]]:
    """Yield how an input can name the files from `at` on, and where it then ends."""
    if given.union:
        yield from chain.from_iterable(_ways(each, files, at) for each in given.union)
    elif given.group:
        yield from _runs([leaf for each in given.group for leaf in _leaves(each)], files, at)
    elif given.cross or given.join:
        yield from _series(given.cross or given.join, files, at, gaps=bool(given.join))
    else:
        for leaf in _leaves(given):
            if at < len(files) and files[at].repo == leaf.repo:
                yield (leaf,), at + 1


def _series(
    inputs: Sequence[pps.Input], files: Sequence[Found], at: int, *, gaps: bool
) -> Iterator[tuple[Way, int]]:
    """Name by one input after the other; with `gaps` by some, as in an outer join."""
    if not inputs:
        yield (), at
        return
    for way, end in _ways(inputs[0], files, at):
        for rest, last in _series(inputs[1:], files, end, gaps=gaps):
            yield way + rest, last
    if gaps:
        yield from _series(inputs[1:], files, at, gaps=gaps)


def _runs(leaves: Sequence[Leaf], files: Sequence[Found], at: int) -> Iterator[tuple[Way, int]]:
    """Name any number of files by each input of a group, one input after the other."""
    if not leaves:
        yield (), at
        return
    end = at
    while end < len(files) and files[end].repo == leaves[0].repo:
        end += 1
    for stop in range(end, at - 1, -1):
        for rest, last in _runs(leaves[1:], files, stop):
            yield (leaves[0],) * (stop - at) + rest, last
