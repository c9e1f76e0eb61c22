"""A pipeline's input: its defaults, what is wrong with it, and the branches that it reads."""

from __future__ import annotations

from collections.abc import Iterator

import betterproto
from pachyderm_sdk.api import pfs, pps

from services.version_store import names
from services.version_store.errors import StoreError, unimplemented

KINDS = ("pfs", "join", "group", "cross", "union", "cron")


def visit(given: pps.Input) -> Iterator[pps.Input]:
    """Yield the input and all those inside it, the outer ones first."""
    yield given
    for inner in (*given.join, *given.group, *given.cross, *given.union):
        yield from visit(inner)


def kind(given: pps.Input) -> str:
    """Return the one kind that an input is; raise StoreError if it is none or several."""
    found = [name for name in KINDS if _is_set(given, name)]
    if not found:
        raise StoreError("no input set")
    if len(found) > 1:
        raise StoreError("multiple input types set")
    return found[0]


def _is_set(given: pps.Input, name: str) -> bool:
    value = getattr(given, name)
    return bool(value) if isinstance(value, list) else betterproto.serialized_on_wire(value)


def complete(given: pps.Input, pipeline: pps.Pipeline) -> None:
    """Fill in what an input leaves out, and refuse one that can't be."""
    for each in visit(given):
        if kind(each) == "pfs":
            _complete_pfs(each.pfs, pipeline)
        elif kind(each) == "cron":
            each.cron.project = each.cron.project or pipeline.project.name
            each.cron.repo = each.cron.repo or f"{pipeline.name}_{each.cron.name}"


def _complete_pfs(given: pps.PfsInput, pipeline: pps.Pipeline) -> None:
    if given.s3 or betterproto.serialized_on_wire(given.trigger):
        raise unimplemented("An input's s3 or trigger")
    if not given.repo:
        raise StoreError("input must specify a repo")
    if not given.glob:
        raise StoreError("input must specify a glob")
    given.project = given.project or pipeline.project.name
    given.branch = given.branch or "master"
    given.name = given.name or given.repo
    if given.name == "out":  # /pfs/out is where output lies.
        raise StoreError("input cannot be named out")
    given.repo_type = given.repo_type or "user"
    given.glob = names.path(given.glob)


def branches(given: pps.Input) -> list[pfs.Branch]:
    """Return the branches that an input reads."""
    found = []
    for each in visit(given):
        if kind(each) == "pfs":
            named = each.pfs
            found.append(_branch(named.project, named.repo, named.repo_type, named.branch))
        elif kind(each) == "cron":
            found.append(_branch(each.cron.project, each.cron.repo, "user", "master"))
    return found


def _branch(project: str, repo: str, type_: str, name: str) -> pfs.Branch:
    owner = pfs.Repo(name=repo, type=type_, project=pfs.Project(name=project))
    return pfs.Branch(repo=owner, name=name)


def at(given: pps.Input, commit: str) -> pps.Input:
    """Return an input that reads what the commits of the set `commit` were made from."""
    made: pps.Input = pps.Input().parse(bytes(given))
    for each in visit(made):
        if kind(each) == "pfs":
            each.pfs.commit = commit
        elif kind(each) == "cron":
            each.cron.commit = commit
    return made
