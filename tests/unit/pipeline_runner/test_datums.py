"""Datums from the wire as the SDK has them, their hashes, and what a job has to do."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from pachyderm_sdk.api import pfs, pps

from chexnet.adapters.pachyderm import wire
from services.pipeline_runner.datums import Datum, Part, hashed, parse
from services.pipeline_runner.meta import _add, _delete
from services.pipeline_runner.naming import namer
from services.pipeline_runner.plan import plan
from services.pipeline_runner.records import Change, Input, Record, collision, merged

TEXT = st.text(min_size=1, max_size=300)


def reads(repo: str, name: str, branch: str = "master") -> pps.Input:
    return pps.Input(pfs=pps.PfsInput(repo=repo, name=name, branch=branch))


def info(repo: str, commit: str, path: str, digest: bytes, kind: pfs.FileType) -> pfs.FileInfo:
    owner = pfs.Repo(name=repo, type="user", project=pfs.Project(name="xray"))
    file = pfs.File(commit=pfs.Commit(repo=owner, id=commit), path=path)
    return pfs.FileInfo(file=file, file_type=kind, size_bytes=2**40, hash=digest)


@given(TEXT, TEXT, st.binary(max_size=40), st.sampled_from([pfs.FileType.FILE, pfs.FileType.DIR]))
def test_a_datum_is_read_as_the_sdk_reads_it(
    id_: str, path: str, digest: bytes, kind: pfs.FileType
) -> None:
    first, second = info("raw", "c1", path, digest, kind), info("labels", "c2", "/", b"x", kind)
    told = pps.DatumInfo(datum=pps.Datum(id=id_), data=[first, second])
    crossed = pps.Input(cross=[reads("raw", "source"), reads("labels", "table")])
    datum = parse(bytes(told), namer(crossed), "salt")
    assert datum.id == id_
    assert [(p.name, p.repo, p.commit, p.path, p.hash) for p in datum.parts] == [
        ("source", "raw", "c1", path, digest),
        ("table", "labels", "c2", "/", b"x"),
    ]
    assert {p.folder for p in datum.parts} == {kind == pfs.FileType.DIR}
    assert pfs.File().parse(datum.parts[0].file).path == path


@given(TEXT, st.binary(min_size=1, max_size=500))
def test_requests_are_written_as_the_sdk_writes_them(path: str, data: bytes) -> None:
    added = pfs.ModifyFileRequest(add_file=pfs.AddFile(path=path, raw=data))
    assert pfs.ModifyFileRequest().parse(_add(path, data)) == added
    gone = pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path))
    assert pfs.ModifyFileRequest().parse(_delete(path)) == gone


@given(st.integers(0, 2**63 - 1))
def test_numbers_come_back(value: int) -> None:
    assert wire.varint(memoryview(wire.encoded(value)), 0)[0] == value
    assert wire.number(memoryview(wire.field(1, b"abc") + wire.count(2, value)), 2) == value


def part(path: str, digest: bytes = b"1", name: str = "in") -> Part:
    return Part(name, "in", "master", "c", path, digest, folder=False, file=b"")


@given(st.lists(st.tuples(TEXT, st.binary(max_size=8)), min_size=1, max_size=4, unique=True))
def test_a_hash_changes_with_all_that_decides_an_output(parts: list[tuple[str, bytes]]) -> None:
    made = [part(path, digest) for path, digest in parts]
    same = hashed("salt", made)
    assert hashed("salt", [p._replace(commit="other") for p in made]) == same
    assert hashed("pepper", made) != same
    assert hashed("salt", [made[0]._replace(hash=b"another"), *made[1:]]) != same
    assert hashed("salt", [made[0]._replace(name="other"), *made[1:]]) != same
    assert hashed("salt", [*made, part("/one more")]) != same


@dataclass
class Known:
    """A record by what matters here."""

    id: str
    hash: str = "h"
    state: str = "success"
    job: str = "before"

    def record(self) -> Record:
        inputs = (Input("in", "in", "c", f"/{self.id}"),)
        return Record(
            id=self.id,
            hash=self.hash,
            state=self.state,  # type: ignore[arg-type]
            inputs=inputs,
            job=self.job,
            outputs=(f"/{self.id}",) if self.state == "success" else (),
        )


def test_only_what_is_new_changed_or_failed_runs() -> None:
    known = [
        Known("same"),
        Known("changed", hash="old"),
        Known("failed", state="failed"),
        Known("recovered", state="recovered"),
        Known("begun", job="now"),
        Known("gone"),
    ]
    names = ("same", "changed", "failed", "recovered", "begun", "new")
    datums = [Datum(name, (), "h") for name in names]
    made = plan(datums, {one.id: one.record() for one in known}, "now")
    assert [datum.id for datum in made.run] == ["changed", "failed", "new"]
    assert made.skipped == 2
    assert [record.id for record in made.resumed] == ["begun"]
    assert [record.id for record in made.gone] == ["gone"]
    assert made.total == 6


def test_a_pending_change_takes_all_that_was_and_brings_what_is() -> None:
    records = {"a": Known("a").record(), "b": Known("b", state="failed").record()}
    changes = [
        Change(datum="a", remove=("/old", "/a")),
        Change(datum="a", remove=("/older",)),
        Change(datum="b", remove=("/b",)),
        Change(datum="c", remove=("/c",)),
    ]
    told = {change.datum: (change.remove, change.copy) for change in merged(changes, records)}
    assert told == {
        "a": (("/old", "/older"), ("/a",)),  # /a is written anew: to delete it first is no need.
        "b": (("/b",), ()),
        "c": (("/c",), ()),
    }


def test_two_datums_on_one_path_collide() -> None:
    one, other = Known("a").record(), Known("b").record()
    assert collision([one, other]) is None
    both = [
        one,
        Record(**{f: getattr(other, f) for f in other.__struct_fields__} | {"outputs": ("/a",)}),
    ]
    found = collision(both)
    assert found is not None
    assert found[0] == "/a"
