"""Films for the viewer: fetched from the gateway at full resolution, and packed for the page.

The bus carries what the model sees; that is shown until the film is there, or where it never comes.
"""

from __future__ import annotations

import io
import logging
import threading
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from chexnet.errors import ChexnetError, NotFound
from chexnet.inputs.base import Input
from chexnet.ui.cases import Case
from chexnet.ui.transfer import Gateway

log = logging.getLogger(__name__)
TRIES = 15  # An upload is in the archive within seconds.
PAUSE = 1.0  # Seconds between two.
KEPT = 6  # Packed films, so that going back is quick.
Send = Callable[[Mapping[str, Any], bytes | None], None]


def pack(png: bytes) -> tuple[dict[str, int], bytes]:
    """Return what a PNG measures, and its values deflated: little endian, row by row.

    A canvas would decode 16-bit values to 8 bits, and a narrow window would show bands.
    """
    with Image.open(io.BytesIO(png)) as image:
        kept = image if image.mode in {"L", "RGB", "I;16"} else image.convert("RGB")
        values = np.asarray(kept)
    channels = values.shape[2] if values.ndim == 3 else 1
    told = {"rows": values.shape[0], "columns": values.shape[1], "channels": channels}
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    told["bits"] = 8 * values.dtype.itemsize
    return told, zlib.compress(little.tobytes(), 1)


def uploaded_at(upload_id: str) -> datetime:
    """Return the moment that a UUIDv7 was made at (RFC 9562, 5.7)."""
    return datetime.fromtimestamp(int(upload_id.replace("-", "")[:12], 16) / 1000, UTC)


class Pane:
    """One place for a film: what was wanted last, and a thread that gets it."""

    def __init__(self, name: str, get: Callable[[Case, str, Callable[[], bool]], None]) -> None:
        self._get = get
        self._wanted: tuple[Case, str] | None = None
        self._number = 0  # Of the newest want: who works for an older one stops.
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def want(self, case: Case, image_id: str) -> None:
        """Get this image, and no longer what was wanted before."""
        with self._changed:
            self._wanted, self._number = (case, image_id), self._number + 1
            if self._number == 1:
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Want nothing any more."""
        with self._changed:
            self._closed, self._number = True, self._number + 1
            self._changed.notify_all()

    def pause(self, gone: Callable[[], bool]) -> None:
        """Wait a little, or until something else is wanted."""
        with self._changed:
            self._changed.wait_for(gone, PAUSE)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed)
                if self._closed or self._wanted is None:
                    return
                (case, image_id), self._wanted = self._wanted, None
                number = self._number
            self._get(case, image_id, partial(self._superseded, number))

    def _superseded(self, number: int) -> bool:
        return self._number != number


class Films:
    """Answers the viewer's questions: at once with what is at hand, later with the film.

    There is one thread for the chosen case's film and one for that beside it. Who goes on to the
    next case takes the want of the last one back, so that arrowing through a list fetches little.

    Args:
        gateway: has the films.
        source: draws what the model sees.
        send: sends a message and its bytes to the page.
    """

    def __init__(self, gateway: Gateway, source: Input, send: Send) -> None:
        self._gateway, self._source, self._send = gateway, source, send
        self._packed: dict[str, tuple[dict[str, int], bytes]] = {}
        self._lock = threading.Lock()
        self._own, self._beside = Pane("film", self._answer), Pane("film-beside", self._answer)

    def want(self, case: Case, image_id: str) -> None:
        """Send an image of the case's patient as soon as it can be had."""
        own = image_id == case.image_id
        if own and self._kept(image_id) is None and case.canonical is not None:
            self._tell(case, image_id, *pack(self._source.render(case.canonical)), sharp=False)
        (self._own if own else self._beside).want(case, image_id)

    def close(self) -> None:
        """Stop waiting for what is not there yet."""
        self._own.close()
        self._beside.close()

    def _answer(self, case: Case, image_id: str, gone: Callable[[], bool]) -> None:
        own = image_id == case.image_id
        try:
            film = self._film(image_id, gone, self._own if own else self._beside)
            if gone():
                return
            self._tell(case, image_id, *film, sharp=True)
            if own and case.unit != image_id:
                films = self._earlier(case)
                self._send({"type": "earlier", "id": case.case_id, "films": films}, None)
        except Exception as error:  # Told to who waits for it; the thread goes on to the next.
            text = str(error)
            if not isinstance(error, ChexnetError):
                log.exception("a film can't be shown")
                text = f"The film can't be shown: {type(error).__name__}. Choose the case again."
            if not gone():
                self._send({"type": "problem", "id": case.case_id, "text": text}, None)

    def _film(
        self, image_id: str, gone: Callable[[], bool], pane: Pane
    ) -> tuple[dict[str, int], bytes]:
        if (kept := self._kept(image_id)) is not None:
            return kept
        packed = pack(self._fetch(image_id, gone, pane))
        with self._lock:
            self._packed[image_id] = packed
            for oldest in list(self._packed)[:-KEPT]:
                del self._packed[oldest]
        return packed

    def _kept(self, image_id: str) -> tuple[dict[str, int], bytes] | None:
        with self._lock:
            return self._packed.get(image_id)

    def _fetch(self, image_id: str, gone: Callable[[], bool], pane: Pane) -> bytes:
        for _ in range(TRIES):
            try:
                return self._gateway.picture(image_id)
            except NotFound:
                pane.pause(gone)
                if gone():
                    raise
        return self._gateway.picture(image_id)

    def _earlier(self, case: Case) -> list[dict[str, str]]:
        """Return the patient's other images from before this upload, the newest first."""
        before = [f for f in self._gateway.films(case.unit) if f.upload_id < case.upload_id]
        newest = {f.image_id: f for f in reversed(before) if f.image_id != case.image_id}
        ordered = sorted(newest.values(), key=lambda film: film.upload_id, reverse=True)
        return [
            {
                "image": film.image_id,
                "when": f"{uploaded_at(film.upload_id).astimezone():%d %b %Y %H:%M}",
            }
            for film in ordered
        ]

    def _tell(
        self, case: Case, image_id: str, measured: Mapping[str, int], data: bytes, *, sharp: bool
    ) -> None:
        told = {"type": "film", "id": case.case_id, "image": image_id, "sharp": sharp}
        self._send({**told, **measured}, data)
