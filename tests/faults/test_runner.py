"""The pipelines' worker, killed or put to sleep in mid-job: each datum's output is there once."""

from __future__ import annotations

import fcntl
import multiprocessing as mp
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import pytest

from chexnet.adapters.pachyderm import Job, PachydermPipelines, PachydermStore
from chexnet.adapters.pachyderm.connection import Connection
from chexnet.runtime.health import Health
from services.pipeline_runner.meta import Meta
from services.pipeline_runner.runner import Runner as InProcess
from tests.contract.pachyderm.server import Server
from tests.runners import Runner

pytestmark = pytest.mark.slow
DATUMS = 12
PROJECT = "test"


class Site:
    """A version store, a pipeline, and a file in which its transform counts its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.server = folder, Server(folder / "store")
        self.address = self.server.address
        self.store = PachydermStore(self.address, PROJECT)
        self.pipelines = PachydermPipelines(self.address, PROJECT)
        self.runs, self.gate = folder / "runs", folder / "gate"
        self.runners: list[Runner] = []
        self._closed = self.gate.open("wb")  # A lock: it opens for those who wait and who come.
        fcntl.flock(self._closed, fcntl.LOCK_EX)
        self.store.ensure("in")

    def apply(self, name: str = "out", *, gated: bool = False) -> None:
        """Make a pipeline that copies files; gated, it waits with the file called `gate`."""
        wait = f"test $(basename $in) != gate || flock --shared {self.gate} true;" if gated else ""
        script = f"echo {name}/$(basename $in) >> {self.runs}; {wait} cp $in $CHEXNET_PFS/out/"
        spec = {
            "pipeline": {"name": name},
            "input": {"pfs": {"name": "in", "repo": "in", "glob": "/*"}},
            "transform": {"cmd": ["sh"], "stdin": [script]},
        }
        self.pipelines.apply([spec])

    def waiting(self) -> set[int]:
        """The processes that wait at the gate, or are about to."""
        command = [b"flock", b"--shared", str(self.gate).encode(), b"true", b""]
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # It has just ended.
                if (folder / "cmdline").read_bytes().split(b"\0") == command:
                    found.add(int(folder.name))
        return found

    def open_gate(self) -> None:
        self._closed.close()

    def put(self, *names: str) -> str:
        return self.store.write("in", {f"/{name}": name.encode() for name in names})

    def run(self, instance: str = "0") -> Runner:
        """Start a runner, which ends with the test."""
        self.runners.append(Runner(self.address, PROJECT, self.folder, instance=instance))
        return self.runners[-1]

    def counts(self) -> Counter[str]:
        return Counter(self.runs.read_text().split()) if self.runs.exists() else Counter()

    def newest(self, name: str = "out") -> Job:
        return self.pipelines.jobs(name, 1)[0]

    def until(self, seen: Callable[[], bool]) -> None:
        pause = threading.Event()
        while not seen():
            pause.wait(0.05)

    def until_waiting(self) -> None:
        """All datums but the gate are done, and that one waits."""
        self.until(lambda: self.newest().processed == DATUMS and bool(self.waiting()))

    def check(self, names: list[str], pipeline: str = "out") -> None:
        """The newest job has ended well, and its output is what it must be."""
        job = self.pipelines.wait(pipeline, self.newest(pipeline).id)
        assert job.state == "success", job.reason
        assert dict(self.store.fetch(pipeline)) == {f"/{n}": n.encode() for n in names}
        assert list(self.store._pfs.fsck()) == []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for runner in made.runners:
        runner.kill()
    assert made.server.stop() == 0


def _die(call: Callable[..., Any], when: str, *args: Any, **more: Any) -> Any:
    """Be killed before or after a call."""
    if when == "before":
        os._exit(9)
    call(*args, **more)
    os._exit(9)


def _dying(self: Meta, call: Callable[..., Any], when: str, *args: Any, **more: Any) -> Any:
    return _die(call, when, self, *args, **more)


def _run(address: str, folder: Path, point: str) -> None:
    """Run jobs until one comes to `point`."""
    when, _, name = point.partition(" ")
    if name == "end":
        together = Connection.together

        def ending(self: Connection, *requests: Any) -> str:
            if len(requests) > 1:
                _die(together, when, self, *requests)
            return together(self, *requests)

        Connection.together = ending  # type: ignore[method-assign]
    else:
        setattr(Meta, name, partialmethod(_dying, getattr(Meta, name), when))
    InProcess(
        partial(Connection, address, PROJECT),
        does=lambda _: True,
        size=2,
        scratch=folder / "scratch" / f"{PROJECT}-0",
        health=Health("runner"),
        stop=threading.Event(),
    ).run()


@pytest.mark.parametrize(
    "point",
    ["before keep", "after keep", "before take_over", "after take_over", "before end", "after end"],
)
def test_a_kill_at_each_point_of_a_job_leaves_each_output_once(site: Site, point: str) -> None:
    names = [f"f{n}" for n in range(DATUMS)]
    site.put(*names)
    site.apply()
    process = mp.get_context("spawn").Process(target=_run, args=(site.address, site.folder, point))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    killed_with = site.counts()
    runner = site.run()
    site.check(names)
    if point != "before keep":  # What was kept is not run again.
        assert site.counts() == killed_with
    site.put("later")
    site.check([*names, "later"])
    assert runner.stop() == 0


def test_a_killed_runner_s_job_goes_on_and_its_transform_is_ended(site: Site) -> None:
    names = [*(f"a{n}" for n in range(DATUMS)), "gate"]
    site.put(*names)
    site.apply(gated=True)
    runner = site.run()
    site.until_waiting()
    runner.kill()
    orphans = site.waiting()
    assert orphans  # A kill of the runner does not reach them.
    runner.start()
    site.until(lambda: site.counts()["out/gate"] == 2)
    assert not orphans & site.waiting()
    site.open_gate()
    site.check(names)
    assert {n for n, count in site.counts().items() if count > 1} == {"out/gate"}
    assert runner.stop() == 0


def test_sigterm_in_mid_job_leaves_it_for_the_next_runner(site: Site) -> None:
    names = [*(f"a{n}" for n in range(DATUMS)), "gate"]
    site.put(*names)
    site.apply(gated=True)
    runner = site.run()
    site.until_waiting()
    assert runner.stop() == 0
    assert not site.newest().over
    runner.start()
    site.until(lambda: site.counts()["out/gate"] == 2)
    site.open_gate()
    site.check(names)
    assert runner.stop() == 0


def test_another_runner_takes_over_from_one_that_was_killed(site: Site) -> None:
    names = [*(f"a{n}" for n in range(DATUMS)), "gate"]
    site.put(*names)
    site.apply(gated=True)
    first = site.run()
    site.until_waiting()
    second = site.run(instance="1")
    first.kill()
    site.until(lambda: site.counts()["out/gate"] == 2)
    site.open_gate()
    site.check(names)
    assert second.stop() == 0


def test_a_runner_that_slept_through_its_lease_can_end_no_job(site: Site) -> None:
    names = [*(f"a{n}" for n in range(DATUMS)), "gate"]
    site.put(*names)
    site.apply(gated=True)
    sleeper = site.run()
    site.until_waiting()
    sleeper.process.send_signal(signal.SIGSTOP)
    waker = site.run(instance="1")
    site.until(lambda: site.counts()["out/gate"] == 2)
    sleeper.process.send_signal(signal.SIGCONT)
    job = site.newest()
    site.open_gate()
    site.check(names)
    assert site.newest().id == job.id
    site.put("later")
    site.check([*names, "later"])
    assert sleeper.stop() == 0
    assert waker.stop() == 0


def test_two_runners_share_the_jobs_of_several_pipelines(site: Site) -> None:
    runners = [site.run(instance=str(n)) for n in range(2)]
    for name in ("one", "two", "three"):
        site.apply(name)
    for n in range(5):
        site.put(f"f{n}")
    for name in ("one", "two", "three"):
        site.check([f"f{n}" for n in range(5)], name)
    assert set(site.counts().values()) == {1}
    assert len(site.counts()) == 15
    assert [runner.stop() for runner in runners] == [0, 0]


@pytest.mark.parametrize("ends", ["in the outage", "after it"])
def test_a_killed_version_store_is_waited_for(site: Site, ends: str) -> None:
    names, runner = _kill_store_in_mid_job(site)
    if ends == "in the outage":
        site.open_gate()
        site.until(lambda: '"event":"waiting","pipeline":"out"' in runner.log.read_text())
    site.server.start()
    site.open_gate()
    site.check(names)
    counts = site.counts()
    assert counts.pop("out/gate") <= 2  # What nobody could be told of is done again.
    assert counts == {f"out/{name}": 1 for name in names if name != "gate"}
    assert runner.stop() == 0


def test_a_job_that_is_stopped_after_an_outage_is_left(site: Site) -> None:
    _, runner = _kill_store_in_mid_job(site)
    site.server.start()
    job = site.newest()
    site.pipelines.stop_job("out", job.id, "a test")
    site.until(lambda: not site.waiting())  # The transform was ended, and the gate is shut.
    assert site.newest().state == "killed"
    assert runner.stop() == 0


def _kill_store_in_mid_job(site: Site) -> tuple[list[str], Runner]:
    """Return when all but the gate is done, the store is gone, and the runner has seen it."""
    names = [*(f"a{n}" for n in range(DATUMS)), "gate"]
    site.put(*names)
    site.apply(gated=True)
    runner = site.run()
    site.until_waiting()
    site.server.kill()
    site.until(lambda: '"event":"waiting"' in runner.log.read_text())
    return names, runner
