"""Workers that are closed at the worst moment leave no process behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pachyderm_sdk.api import pps

from services.pipeline_runner import workers
from services.pipeline_runner.datums import Datum
from services.pipeline_runner.logs import ENOUGH, Log
from services.pipeline_runner.scratch import Scratch
from services.pipeline_runner.workers import Batching, Closed, OneByOne


@pytest.mark.parametrize("kind", [OneByOne, Batching])
def test_a_worker_that_is_closed_while_its_command_starts_ends_it(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = kind(pps.Transform(cmd=["sleep", "600"]))
    started = []
    usual = workers._start

    def closing(*args: Any) -> Any:
        worker.close()  # It sees no process yet.
        started.append(usual(*args))
        return started[0]

    monkeypatch.setattr(workers, "_start", closing)
    scratch = Scratch(Datum("d", (), "h"), tmp_path, {"CHEXNET_PFS": str(tmp_path)})
    with pytest.raises(Closed):
        worker.run(scratch, lambda _: None, None)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0]._process.pid, 0)


def test_an_error_handler_is_ended_with_its_worker(tmp_path: Path) -> None:
    worker = OneByOne(pps.Transform(cmd=["false"], err_cmd=["sh"], err_stdin=["echo; sleep 600"]))
    scratch = Scratch(Datum("d", (), "h"), tmp_path, {"CHEXNET_PFS": str(tmp_path)})
    with pytest.raises(Closed):
        worker.handle(scratch, lambda _: worker.close(), None)


def test_a_log_is_given_in_pieces_worth_writing() -> None:
    log = Log()
    log.say(b"first\n")
    assert log.take(all_=False) == b"first\n"
    log.say(b"little\n")
    assert log.take(all_=False) == b""
    log.say(b"x" * ENOUGH)
    assert log.take(all_=False) == b"little\n" + b"x" * ENOUGH
    log.say(b"last\n")
    assert log.take(all_=True) == b"last\n"


def test_a_worker_that_has_come_and_gone_leaves_no_thread(tmp_path: Path) -> None:
    scratch = Scratch(Datum("d", (), "h"), tmp_path, {"CHEXNET_PFS": str(tmp_path)})
    before = threading.active_count()
    for cmd in (["true"], ["no-such-command"]):
        for _ in range(5):
            worker = Batching(pps.Transform(cmd=cmd))
            assert worker.run(scratch, lambda _: None, None)
            worker.close()
            Batching(pps.Transform(cmd=cmd)).close()
    due = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < due:
        time.sleep(0.05)  # gRPC's threads end by themselves, soon.
    assert threading.active_count() <= before
