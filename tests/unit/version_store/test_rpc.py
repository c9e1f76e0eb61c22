"""A stream whose caller was killed is not taken for one that is whole, however busy the server."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from betterproto.lib.google.protobuf import Empty, StringValue

from services.version_store.database import Database
from services.version_store.rpc import Call, Method, Services

PATH = "/test.API/Send"
STREAMS = 16
CLIENT = f"""
import sys, threading
import grpc
channel = grpc.insecure_channel(sys.argv[1])
send = channel.stream_unary({PATH!r}, None, None)
def endless():
    yield b""
    threading.Event().wait()
calls = [send.future(endless()) for _ in range({STREAMS})]
threading.Event().wait()
"""


@contextmanager
def burning(threads: int) -> Iterator[None]:
    """Keep the interpreter as busy as it can be."""
    over = threading.Event()

    def burn() -> None:
        while not over.is_set():
            sum(range(10_000))

    burners = [threading.Thread(target=burn) for _ in range(threads)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(0.02)  # Each thread keeps the interpreter for longer than 5 ms.
    for burner in burners:
        burner.start()
    yield
    over.set()
    sys.setswitchinterval(usual)
    for burner in burners:
        burner.join()


class Site:
    """A server of one method, and what it took of each stream."""

    def __init__(self, folder: Path) -> None:
        self.began: queue.Queue[None] = queue.Queue()
        self.whole: queue.Queue[bool] = queue.Queue()
        self._database = Database(folder / "store.sqlite")
        method = Method(StringValue, self._take, requests=True)
        self._server = grpc.server(ThreadPoolExecutor(2 * STREAMS))
        self._server.add_generic_rpc_handlers((Services({PATH: method}, self._database),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _take(self, requests: Iterator[StringValue], call: Call) -> Empty:
        next(requests)
        self.began.put(None)
        try:
            list(requests)
        except grpc.RpcError:  # As gRPC tells it when it knows in time.
            self.whole.put(False)
        else:
            self.whole.put(call.whole())
        return Empty()

    def close(self) -> None:
        self._server.stop(None).wait()
        self._database.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_no_stream_of_a_killed_caller_is_whole(site: Site) -> None:
    client = subprocess.Popen([sys.executable, "-c", CLIENT, site.address])
    for _ in range(STREAMS):
        site.began.get()
    with burning(2):
        client.kill()
        client.wait()
        taken = [site.whole.get() for _ in range(STREAMS)]
    assert taken == [False] * STREAMS


def test_a_stream_that_its_caller_ended_is_whole(site: Site) -> None:
    with grpc.insecure_channel(site.address) as channel, burning(2):
        send = channel.stream_unary(PATH, bytes, Empty.FromString)
        assert send(iter([StringValue("a"), StringValue("b")])) == Empty()
    assert site.whole.get()
