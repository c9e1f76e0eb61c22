"""A transform's process on this machine: a group of its own, its output captured."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PYTHON = Path(sys.executable).parent


class Process:
    """A running command. `say` gets its output as it comes, from a thread.

    Args:
        command: program and arguments; `python` is the runner's own.
        environment: added to the runner's.
        folder: where it runs.
        stdin: what it reads.
        say: takes output; called from one thread at a time.
        ended: called with the exit code, from a thread, after all output has been said.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: str | None,
        stdin: Sequence[str],
        say: Callable[[bytes], None],
        ended: Callable[[int], None],
    ) -> None:
        path = f"{PYTHON}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        given = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **environment}
        self._say, self._ended = say, ended
        self._lock = threading.Lock()
        self._process = subprocess.Popen(  # noqa: S603 A spec's command is code by design.
            list(command),
            env=given,
            cwd=folder,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 For mypy: it was asked for.
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()
        threading.Thread(target=self._await, daemon=True).start()
        if self._process.stdin is not None:
            text = "".join(f"{line}\n" for line in stdin)
            threading.Thread(target=self._feed, args=(text.encode(),), daemon=True).start()

    def _feed(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101
        with suppress(BrokenPipeError):
            self._process.stdin.write(data)
            self._process.stdin.close()

    def _follow(self) -> None:
        while select.select([self._output], [], []) and self.drain():
            pass

    def _await(self) -> None:
        code = self._process.wait()
        self.kill()  # What it left behind would keep its output open.
        self._follower.join()
        self._ended(code)

    def drain(self) -> bool:
        """Say all that has been written so far; return False once nothing more can come."""
        with self._lock:
            while True:
                try:
                    data = os.read(self._output, 2**16)
                except BlockingIOError:
                    return True
                if not data:
                    return False
                self._say(data)

    def kill(self) -> None:
        """End it with all its children, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
