"""What is kept of a job, when the stream that brings it breaks off anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest
from pachyderm_sdk.api import pfs, pps

from chexnet.adapters.pachyderm.datum_meta import PENDING, RECORDS
from services.pipeline_runner import meta, records
from services.pipeline_runner.meta import kept, left
from services.pipeline_runner.records import Input, Outcome, Record, merged

COMMIT = pfs.Commit(id="c" * 32)
PIPELINE = pps.Pipeline(name="out", project=pfs.Project(name="test"))
BIG = b"comes in several pieces"


def record(name: str, *, job: str, outputs: tuple[str, ...]) -> Record:
    inputs = (Input("in", "in", "c", f"/{name}"),)
    return Record(id=name, hash=job, state="success", inputs=inputs, job=job, outputs=outputs)


def apply(files: dict[str, bytes], requests: Iterable[bytes]) -> None:
    """Do to a tree what Pachyderm would."""
    for data in requests:
        asked = pfs.ModifyFileRequest().parse(data)
        if path := asked.delete_file.path:
            for name in [n for n in files if n == path or (path[-1] == "/" and n.startswith(path))]:
                del files[name]
        elif path := asked.add_file.path:
            files[path] = files.get(path, b"") + asked.add_file.raw


def known(files: dict[str, bytes]) -> dict[str, Record]:
    found = [records.parse(data) for name, data in files.items() if name.startswith(RECORDS)]
    return {one.id: one for one in found}


def output(files: dict[str, bytes], before: dict[str, bytes]) -> dict[str, bytes]:
    """Bring the output to what the records say, as the end of a job does."""
    found = [d for name, data in files.items() if name.startswith(PENDING) for d in [data]]
    changes = [change for data in found for change in records.parse_changes(data)]
    made, there = dict(before), known(files)
    for change in merged(changes, there):
        for path in change.remove:
            made.pop(path, None)
        for path in change.copy:
            made[path] = files[there[change.datum].source(path)]
    return made


@pytest.fixture
def outcomes(tmp_path: Path) -> list[Outcome]:
    made = []
    for name, content in (("a", BIG), ("b", b"new b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}2").write_bytes(content)
        told = record(name, job="now", outputs=(f"/{name}2",))
        made.append(Outcome(record=told, folder=tmp_path / name))
    return made


def before() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """A meta tree with datum `a` done by an earlier job, and the output of then."""
    old = record("a", job="before", outputs=("/a1",))
    return {old.path: records.encode(old), old.source("/a1"): b"old a"}, {"/a1": b"old a"}


def test_any_beginning_of_what_is_kept_can_be_done_again(
    outcomes: list[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meta, "CHUNK", 8)
    files, _ = before()
    stream = list(kept(COMMIT, PIPELINE, outcomes, known(files)))
    for count in range(len(stream) + 1):
        files, was = before()
        apply(files, islice(stream, count))
        done = {one.id for one in known(files).values() if one.job == "now"}
        for one in known(files).values():
            there = [files.get(one.source(path)) for path in one.outputs]
            assert there == {"a": [BIG], "b": [b"new b"]}[one.id] or one.job == "before"
        again = [outcome for outcome in outcomes if outcome.record.id not in done]
        apply(files, kept(COMMIT, PIPELINE, again, known(files)))
        assert output(files, was) == {"/a2": BIG, "/b2": b"new b"}


def test_any_beginning_of_a_removal_can_be_done_again() -> None:
    files, _ = before()
    stream = list(left(COMMIT, list(known(files).values())))
    for count in range(len(stream) + 1):
        files, was = before()
        apply(files, islice(stream, count))
        if gone := list(known(files).values()):
            apply(files, left(COMMIT, gone))
        assert output(files, was) == {}
