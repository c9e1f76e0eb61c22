"""Files on their way from the browser: they come in pieces, since a websocket message is limited.

The kernel passes them on to the gateway, which removes the identity. Images stay in memory; a
larger archive waits in a temporary file without a name, as it does in the gateway.
"""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import IO, Protocol

from chexnet.adapters.gateway import Film, Sent
from chexnet.errors import ChexnetError
from chexnet.inputs.base import Limits
from chexnet.ui.cases import Cases

IN_MEMORY = 32 * 2**20  # Bytes of a file.
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06")  # How a zip begins, and an empty one.


class Gateway(Protocol):
    """Where files go; chexnet/adapters/gateway.py fills it."""

    def send(self, data: IO[bytes], *, patient: str | None = None) -> Sent:
        """Send one file, of a patient where one is stated; return what was taken and refused.

        Raises:
            Unavailable: the gateway does not answer.
        """

    def picture(self, image_id: str) -> bytes:
        """Return an image as PNG at its own resolution.

        Raises:
            NotFound: the archive has not got it, or not yet; Unavailable: as `send`.
        """

    def films(self, unit: str) -> list[Film]:
        """Return the uploads of a patient, the newest first; raise as `send` does."""


class _Coming:
    """One file of which not all has come yet."""

    def __init__(self, size: int, patient: str, at: float) -> None:
        self.size, self.patient, self.heard_at = size, patient, at
        self.body: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115


class Inbox:
    """Puts the pieces of files together, and hands each whole file to the gateway.

    What it holds is bounded by the page: the last piece of a file is acknowledged when the gateway
    has answered, and a page has few files under way.

    Args:
        gateway: where files go.
        cases: is told how far each file is.
        limits: of a file, and of an archive.
        patience: seconds that a page may take for a piece; then it is taken for closed.
    """

    def __init__(
        self, gateway: Gateway, cases: Cases, limits: Limits, *, patience: float = 120.0
    ) -> None:
        self._gateway, self._cases, self._limits = gateway, cases, limits
        self._patience = patience
        self._coming: dict[str, _Coming] = {}
        self._senders = ThreadPoolExecutor(4, thread_name_prefix="upload")
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watch: threading.Thread | None = None

    def begin(self, file_id: str, size: int, piece: bytes, patient: str = "") -> Future[bool]:
        """Expect `size` bytes of a patient, the first being `piece`; return what `add` does."""
        self._cases.begin(file_id, size)
        if refusal := self._refusal(size, piece):
            self._cases.refuse(file_id, refusal)
            return _known(go=False)
        with self._lock:
            self._coming[file_id] = _Coming(size, patient, monotonic())
            if self._watch is None:
                self._watch = threading.Thread(target=self._look_around, daemon=True)
                self._watch.start()
        return self.add(file_id, piece)

    def add(self, file_id: str, piece: bytes) -> Future[bool]:
        """Append a piece; the last one sends the file on.

        Returns:
            Whether the page may go on. Of the last piece it comes when the gateway has answered.
        """
        with self._lock:
            if (coming := self._coming.get(file_id)) is None:
                return _known(go=False)  # It was refused, or this kernel is younger than the page.
            coming.heard_at = monotonic()
            try:
                coming.body.write(piece)
            except OSError as error:
                del self._coming[file_id]
                rule = "An archive above 32 MiB waits in the folder for temporary files."
                todo = "Make room there, or split it."
                self._cases.refuse(file_id, f"{rule} Received: {error.strerror}. {todo}")
                return _known(go=False)
            count = coming.body.tell()
            if count >= coming.size:
                del self._coming[file_id]
        self._cases.received(file_id, count)
        if count < coming.size:
            return _known(go=True)
        return self._senders.submit(self._send, file_id, coming)

    def abandon(self, file_id: str, why: str) -> None:
        """No more comes of a file; `why` is a sentence for the reader."""
        with self._lock:
            coming = self._coming.pop(file_id, None)
        if coming is not None:
            coming.body.close()
            self._cases.refuse(file_id, f"A file must come whole. {why} Add it again.")

    def close(self) -> None:
        """Send what is whole, then stop."""
        self._closed.set()
        self._senders.shutdown()

    def _refusal(self, size: int, start: bytes) -> str:
        """Return why a file can't be taken, or nothing."""
        if size == 0:
            return "A file must have bytes. Received: an empty one. Export it again."
        archive = start.startswith(ARCHIVES)
        limit = self._limits.archive_bytes if archive else self._limits.encoded_bytes
        if size <= limit:
            return ""
        rule = f"{'An archive' if archive else 'A file'} may have at most {_told(limit)}."
        todo = "Split it." if archive else "Export it as 8-bit PNG."
        return f"{rule} Received: {_told(size)}. {todo}"

    def _send(self, file_id: str, coming: _Coming) -> bool:
        with coming.body as body:
            body.seek(0)
            try:
                sent = self._gateway.send(body, patient=coming.patient or None)
                self._cases.accept(file_id, sent)
            except ChexnetError as error:
                self._cases.refuse(file_id, str(error))
            except Exception as error:
                told = f"Sending failed: {type(error).__name__}. Try it again."
                self._cases.refuse(file_id, told)
                raise
        return True

    def _look_around(self) -> None:
        """Give up files of pages that were closed without a word."""
        while not self._closed.wait(self._patience / 4):
            late = monotonic() - self._patience
            with self._lock:
                silent = [i for i, coming in self._coming.items() if coming.heard_at < late]
            for file_id in silent:
                self.abandon(file_id, "Received: a part, and then nothing.")


def _known(*, go: bool) -> Future[bool]:
    known: Future[bool] = Future()
    known.set_result(go)
    return known


def _told(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB".replace(".0 ", " ")
