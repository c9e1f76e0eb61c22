"""Isolation: a file is decoded in a child process, so that it can kill nothing but that child."""

from __future__ import annotations

import ctypes
import logging
import math
import multiprocessing as mp
import os
import resource
import signal
import threading
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from chexnet.errors import BadInput, Unavailable

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # As glibc's malloc.h has them.
KEPT = 32 * 2**20  # Bytes; the most that glibc takes as the second one.


class Isolated:
    """Runs calls one at a time in a child that is made anew after a crash or a time-out.

    Args:
        make: called once in the child; returns the function that the calls run. Picklable.
        memory: bytes of address space that the child may add to what it has after `make`.
        seconds: how long one call may take.
    """

    def __init__(
        self, make: Callable[[], Callable[..., Any]], *, memory: int, seconds: float
    ) -> None:
        self._make, self._memory, self._seconds = make, memory, seconds
        self._child: tuple[mp.process.BaseProcess, Connection] | None = None
        self._one_at_a_time = threading.Lock()

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns, or raise what it raises.

        Raises:
            BadInput: `crashed`, `too-slow` or `out-of-memory`: this input does that to a process.
            Unavailable: no child starts.
        """
        with self._one_at_a_time:
            if self._child is not None and not self._child[0].is_alive():
                self.close()  # It ended between two calls: neither file's fault.
            child, pipe = self._child = self._child or self._start()
            try:
                pipe.send(args)
                if not pipe.poll(self._seconds):
                    rule = f"One file may take {self._seconds:.0f} s to decode."
                    raise BadInput("too-slow", f"{rule} Received: one that takes longer.")
                good, result = pipe.recv()
            except (EOFError, ConnectionError) as error:
                child.join()
                self._child = None
                rule = "A file must be decoded without harm to the process."
                received = f"Received: one that ended it (exit code {child.exitcode})."
                raise BadInput("crashed", f"{rule} {received} Export the image again.") from error
            except BadInput:
                self.close()
                raise
        if good:
            return result
        raise result

    def _start(self) -> tuple[mp.process.BaseProcess, Connection]:
        context = mp.get_context("spawn")  # A fork would copy Kafka's threads and sockets.
        ours, theirs = context.Pipe()
        child = context.Process(
            target=_serve,
            args=(theirs, self._make, self._memory, math.ceil(self._seconds) + 1),
            name="isolated",
            daemon=True,
        )
        child.start()
        theirs.close()
        try:  # Its start is no file's time, and its failure no file's fault.
            ours.recv()
        except EOFError:
            child.join()
            rule = "A decoding process must start."
            received = f"Received: exit code {child.exitcode}. Its own words are in this log."
            raise Unavailable(f"{rule} {received}") from None
        return child, ours

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            child, pipe = self._child
            pipe.close()
            child.kill()
            child.join()
            self._child = None


def _serve(
    pipe: Connection, make: Callable[[], Callable[..., Any]], memory: int, seconds: int
) -> None:
    # A signal to the service's group is the service's: its last file must not be cut off.
    os.setpgid(0, 0)
    logging.disable()  # What decoders log and warn of may quote the file, its patient's name too.
    warnings.simplefilter("ignore")
    # What a file took stays for the next one: page faults were a fifth of decoding's time.
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:  # glibc's alone.
        mallopt(M_TRIM_THRESHOLD, KEPT)
        mallopt(M_MMAP_THRESHOLD, KEPT)
    function = make()
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, mapped + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send("ready")
    while True:
        try:
            args = pipe.recv()
        except EOFError:
            return
        signal.alarm(seconds)  # Ends this process even where its parent was killed meanwhile.
        try:
            answer = (True, function(*args))
        except MemoryError:
            rule = f"One file may take {memory:,} bytes to decode."
            answer = (False, BadInput("out-of-memory", f"{rule} Received: one that takes more."))
        except Exception as error:  # The parent raises it.
            answer = (False, error)
        signal.alarm(0)
        pipe.send(answer)
