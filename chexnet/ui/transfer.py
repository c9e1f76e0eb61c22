"""Files on their way from the browser: they come in pieces, since a websocket message is limited.

The kernel passes them on to the gateway, which removes the identity; nothing is written here.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from chexnet.adapters.gateway import Sent
from chexnet.errors import ChexnetError
from chexnet.ui.cases import Cases


class Gateway(Protocol):
    """Where files go; chexnet/adapters/gateway.py fills it."""

    def send(self, data: bytes) -> Sent:
        """Send one file; return what was taken and what was refused of it.

        Raises:
            Unavailable: the gateway does not answer.
        """


class Inbox:
    """Puts the pieces of files together, and hands each whole file to the gateway.

    Args:
        gateway: where files go.
        cases: is told how far each file is.
        largest: bytes of one file.
    """

    def __init__(self, gateway: Gateway, cases: Cases, largest: int) -> None:
        self._gateway, self._cases, self._largest = gateway, cases, largest
        self._open: dict[str, tuple[int, bytearray]] = {}
        self._senders = ThreadPoolExecutor(4, thread_name_prefix="upload")
        self._lock = threading.Lock()

    def begin(self, file_id: str, name: str, size: int) -> bool:
        """Expect `size` bytes. Return False if the file is refused at once."""
        self._cases.begin(file_id, name, size)
        if size > self._largest:
            rule = f"A file may have at most {self._largest / 2**20:.0f} MiB."
            received = f"Received: {size / 2**20:.1f} MiB."
            self._cases.refuse(file_id, f"{rule} {received} Export it as 8-bit PNG, or split it.")
            return False
        if size == 0:
            rule = "A file must have bytes."
            self._cases.refuse(file_id, f"{rule} Received: an empty one. Export it again.")
            return False
        with self._lock:
            self._open[file_id] = (size, bytearray())
        return True

    def add(self, file_id: str, piece: bytes) -> Future[None] | None:
        """Append a piece; with the last one, send the file on and return its sending."""
        with self._lock:
            if file_id not in self._open:
                return None  # It was refused, or this kernel is younger than the page.
            size, held = self._open[file_id]
            held += piece
            count = len(held)
            if count >= size:
                del self._open[file_id]
        self._cases.received(file_id, count)
        return self._senders.submit(self._send, file_id, bytes(held)) if count >= size else None

    def _send(self, file_id: str, data: bytes) -> None:
        try:
            self._cases.accept(file_id, self._gateway.send(data))
        except ChexnetError as error:
            self._cases.refuse(file_id, str(error))
        except Exception as error:
            self._cases.refuse(file_id, f"Sending failed: {type(error).__name__}. Try it again.")
            raise

    def close(self) -> None:
        """Send what is under way, then stop."""
        self._senders.shutdown()
