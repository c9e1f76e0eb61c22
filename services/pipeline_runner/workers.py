"""Workers: each runs a transform on one datum after the other, by one process at a time."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pachyderm_sdk.api import pps

from services.pipeline_runner.batching import NextDatum
from services.pipeline_runner.processes import Process
from services.pipeline_runner.scratch import Scratch

Say = Callable[[bytes], None]
READY = 120.0  # Seconds that a batching transform has to ask for its first datum.


class Closed(Exception):
    """The worker was ended: what it ran is not at fault."""


class Worker(Protocol):
    """Runs a transform."""

    def run(self, scratch: Scratch, say: Say, timeout: float | None) -> str | None:
        """Process one datum; return what went wrong, or None.

        Args:
            scratch: the datum's folder.
            say: takes what the transform writes.
            timeout: seconds it may take; None for as long as it likes.

        Raises:
            Closed: `close` was called.
        """

    def handle(self, scratch: Scratch, say: Say, timeout: float | None) -> str | None:
        """Run the transform's error handler on a datum; otherwise as `run`."""

    def close(self) -> None:
        """End for good; both raise Closed from now on. From any thread."""


def make(transform: pps.Transform) -> Worker:
    """Return a worker for a transform."""
    return Batching(transform) if transform.datum_batching else OneByOne(transform)


class OneByOne:
    """Starts the command for each datum."""

    def __init__(self, transform: pps.Transform) -> None:
        self._transform = transform
        self._process: Process | None = None
        self._closed = False

    def run(self, scratch: Scratch, say: Say, timeout: float | None) -> str | None:
        """Process one datum."""
        cmd, stdin = self._transform.cmd, self._transform.stdin
        return self._command(cmd, stdin, scratch, say, timeout)

    def handle(self, scratch: Scratch, say: Say, timeout: float | None) -> str | None:
        """Run the error handler on a datum."""
        cmd, stdin = self._transform.err_cmd, self._transform.err_stdin
        return self._command(cmd, stdin, scratch, say, timeout)

    def _command(
        self,
        cmd: Sequence[str],
        stdin: Sequence[str],
        scratch: Scratch,
        say: Say,
        timeout: float | None,
    ) -> str | None:
        if self._closed:
            raise Closed
        codes: queue.Queue[int] = queue.Queue()
        environment = {**self._transform.env, **scratch.environment}
        try:
            process = _start(self._transform, cmd, stdin, environment, say, codes.put)
        except OSError as error:
            return f"its command {cmd[0] if cmd else ''!r} does not start: {error.strerror}"
        self._process = process
        if self._closed:  # `close` may have come too early to see the process.
            process.kill()
        try:
            code = codes.get(timeout=timeout)
        except queue.Empty:
            process.kill()
            codes.get()
            return f"it took longer than {timeout:.0f} s"
        finally:
            self._process = None  # Its id may soon be another's.
        if self._closed:
            raise Closed
        accepted = (0, *self._transform.accept_return_code)
        return None if code in accepted else _ended(code)

    def close(self) -> None:
        """Kill what runs."""
        self._closed = True
        if (process := self._process) is not None:
            process.kill()


Running = tuple[Process, NextDatum]  # A process and the server that it asks, which ends with it.


class Batching:
    """Keeps the command running, and gives it datum after datum as it asks for them."""

    def __init__(self, transform: pps.Transform) -> None:
        self._transform = transform
        self._handler = OneByOne(transform)
        self._running: Running | None = None
        self._closed = False
        self._say: Say = lambda _: None

    def run(self, scratch: Scratch, say: Say, timeout: float | None) -> str | None:
        """Process one datum."""
        if self._closed:
            raise Closed
        self._say = say
        running = self._running or self._start()
        if isinstance(running, str):
            return running
        _, asks = running
        asks.give({**self._transform.env, **scratch.environment})
        return self._outcome(running, timeout)

    def handle(self, scratch: Scratch, say: Say, timeout: float | None) -> str | None:
        """Run the error handler on a datum."""
        return self._handler.handle(scratch, say, timeout)

    def _start(self) -> Running | str:
        """Start the command; return when it asks for its first datum, or what is wrong."""
        asks = NextDatum()
        environment = {**self._transform.env, "PPS_WORKER_GRPC_PORT": str(asks.port)}
        cmd, stdin = self._transform.cmd, self._transform.stdin
        try:
            process = _start(self._transform, cmd, stdin, environment, self._pass_on, asks.end)
        except OSError as error:
            asks.end(-1)
            return f"its command {cmd[0] if cmd else ''!r} does not start: {error.strerror}"
        self._running = running = process, asks
        if self._closed:  # `close` may have come too early to see the process.
            process.kill()
        return self._outcome(running, READY) or running

    def _pass_on(self, data: bytes) -> None:
        self._say(data)  # To the datum of the moment.

    def _outcome(self, running: Running, timeout: float | None) -> str | None:
        """Wait for the next request, which tells how the datum before went."""
        process, asks = running
        try:
            asked = asks.asked(timeout)
        except queue.Empty:
            process.kill()
            self._running = None
            return f"it took longer than {timeout:.0f} s"
        if self._closed:
            raise Closed
        if isinstance(asked, int):
            self._running = None
            return _ended(asked)
        process.drain()  # What it wrote belongs to the datum that it has just ended.
        return asked or None

    def close(self) -> None:
        """Kill what runs."""
        self._closed = True
        self._handler.close()
        if (running := self._running) is not None:
            running[0].kill()


def _start(
    transform: pps.Transform,
    cmd: Sequence[str],
    stdin: Sequence[str],
    environment: Mapping[str, str],
    say: Say,
    ended: Callable[[int], None],
) -> Process:
    folder = transform.working_dir or environment.get("CHEXNET_PFS")
    return Process(cmd, environment=environment, folder=folder, stdin=stdin, say=say, ended=ended)


def _ended(code: int) -> str:
    return f"it was killed by signal {-code}" if code < 0 else f"it ended with exit code {code}"
