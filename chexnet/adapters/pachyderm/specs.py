"""Pipeline specs: JSON as Pachyderm has it, checked against the SDK's types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import betterproto
from pachyderm_sdk.api import pfs, pps

from chexnet.errors import ConfigError
from chexnet.messages import sha256

# Annotations of ours: the digest of the spec, and of what decides its output.
SPEC, WORK = "chexnet/spec", "chexnet/work"
_DECIDES = ("input", "transform")


def parse(spec: Mapping[str, Any], project: str) -> pps.CreatePipelineRequest:
    """Return the request that creates a pipeline.

    Args:
        spec: a spec without project: the pipeline and all its inputs are in `project`.
        project: the pipeline's name, as the site has it.

    Raises:
        ConfigError: it has a field that Pachyderm does not know, or of another type.
    """
    try:
        request: pps.CreatePipelineRequest = pps.CreatePipelineRequest().from_dict(dict(spec))
        arrives = pps.CreatePipelineRequest().parse(bytes(request))
        known = arrives.to_dict(casing=betterproto.Casing.SNAKE, include_default_values=True)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        rule = "A pipeline's spec must have the fields of Pachyderm's CreatePipelineRequest."
        raise ConfigError(f"{rule} Received: {error}, in {spec.get('pipeline')}.") from error
    for unknown in _unknown(spec, known, ""):
        rule = "A pipeline's spec must have fields that Pachyderm knows, of its types."
        raise ConfigError(f"{rule} Received: {unknown}, in {spec.get('pipeline')}. Correct it.")
    request.pipeline.project = pfs.Project(name=project)
    for each in inputs(request.input):
        each.project = project
    work = {name: spec.get(name) for name in _DECIDES}
    work["annotations"] = dict(request.metadata.annotations)
    request.metadata.annotations |= {SPEC: _digest(dict(spec)), WORK: _digest(work)}
    return request


def _unknown(given: Any, known: Any, path: str) -> Iterator[str]:
    """Yield the paths of fields in `given` that did not arrive in `known`, or as another kind."""
    if any(isinstance(given, kind) != isinstance(known, kind) for kind in (Mapping, list)):
        yield path[:-1]
    elif isinstance(given, Mapping):
        for name, value in given.items():
            if name in known:
                yield from _unknown(value, known[name], f"{path}{name}.")
            else:
                yield f"{path}{name}"
    elif isinstance(given, list):
        for n, (one, other) in enumerate(zip(given, known, strict=False)):
            yield from _unknown(one, other, f"{path}{n}.")


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode())


def inputs(given: pps.Input) -> Iterator[pps.PfsInput]:
    """Yield the repos that an input reads."""
    if given.pfs.repo:
        yield given.pfs
    for inner in (*given.cross, *given.union, *given.join, *given.group):
        yield from inputs(inner)


def crons(given: pps.Input) -> Iterator[pps.CronInput]:
    """Yield the cron inputs of an input."""
    if given.cron.repo:
        yield given.cron
    for inner in (*given.cross, *given.union, *given.join, *given.group):
        yield from crons(inner)
