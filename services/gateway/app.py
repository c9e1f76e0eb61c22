"""The gateway's HTTP: uploads go in, and what became of them can be seen.

POST /uploads, GET /uploads/<id>, GET /uploads/<id>/events, GET /images/<image id> (a PNG at full
resolution), GET /patients/<pseudonym>/images.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from typing import IO, Any
from urllib.parse import unquote

import msgspec
from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from chexnet.errors import BadInput, NotFound, Unavailable
from chexnet.inputs.base import Limits
from chexnet.messages import Message
from chexnet.steps.ports import Bus
from services.gateway import archives
from services.gateway.films import Films
from services.gateway.intake import Intake, Patient
from services.gateway.statuses import FINAL, Status, Statuses

log = logging.getLogger("gateway")
UPLOADS = Counter("chexnet_uploads", "Files by what became of them.", ["outcome"])
GLANCE = 0.05  # Seconds between looks at a status: a waiting thread each would stop uploads at 40.
IN_MEMORY = 32 * 2**20  # Bytes of a body; a larger archive goes to a temporary file.


class Gateway:
    """The routes' handlers.

    Args:
        tokens: of which every request must bring one, as `Authorization: Bearer <token>`.
    """

    def __init__(
        self,
        intake: Intake,
        statuses: Statuses,
        films: Films,
        bus: Bus,
        *,
        tokens: Sequence[str],
        limits: Limits,
    ) -> None:
        self._intake, self._statuses, self._films, self._bus = intake, statuses, films, bus
        self._tokens, self._limits = tokens, limits

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/uploads", self.upload, methods=["POST"]),
                Route("/uploads/{upload_id}", self.status),
                Route("/uploads/{upload_id}/events", self.events),
                Route("/images/{image_id}", self.image),
                Route("/patients/{unit}/images", self.patient),
            ]
        )

    async def upload(self, request: Request) -> Response:
        """Take one file, or a zip of files, as the body."""
        if (refusal := self._unauthorised(request)) is not None:
            return refusal
        patient = Patient(
            unquote(request.headers.get("x-patient-id", "")).strip() or None,
            unquote(request.headers.get("x-patient-issuer", "")),
        )
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            try:
                await self._receive(request, body)
            except BadInput as error:
                return _json(413, {"uploads": [], "refused": [_refused(0, error)]})
            except ClientDisconnect:
                return Response(status_code=400)
            try:
                return await run_in_threadpool(self._take, body, patient)
            except Unavailable as error:
                return _json(503, {"error": str(error)})

    async def _receive(self, request: Request, body: IO[bytes]) -> None:
        size, start = 0, b""
        async for chunk in request.stream():
            size, start = size + len(chunk), (start + chunk[:4])[:4]
            if size > self._limits.archive_bytes:
                break
            if size <= self._largest(
                start
            ):  # The rest is read and dropped, so that the client hears why.
                body.write(chunk)
        limit = self._largest(start)
        if size > limit:
            rule = f"A file may have at most {limit:,} bytes."
            raise BadInput("too-large", f"{rule} Received: more. Export it as 8-bit PNG.")
        body.seek(0)

    def _largest(self, start: bytes) -> int:
        limits = self._limits
        return limits.archive_bytes if start in archives.MAGICS else limits.encoded_bytes

    def _take(self, body: IO[bytes], patient: Patient) -> Response:
        uploads: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for index, made in enumerate(self._intake.take(body, patient)):
            if isinstance(made, BadInput):
                refused.append(_refused(index, made))
                continue
            duplicate = self._statuses.has_image(made.headers.image_id)
            try:
                self._bus.send([made])  # One by one: a large archive is never whole in memory.
            except Unavailable as error:
                if not uploads:
                    raise
                rest = BadInput("unavailable", f"{error} Send this one and the rest again.")
                refused.append(_refused(index, rest))
                break
            self._statuses.sent(made)
            UPLOADS.labels("accepted").inc()
            log.info("sent", extra={"fields": _ids(made)})
            uploads.append(_accepted(index, made, duplicate=duplicate))
        for refusal in refused:
            UPLOADS.labels(refusal["code"]).inc()
            log.info("refused", extra={"fields": {"code": refusal["code"]}})
        return _json(202 if uploads else 422, {"uploads": uploads, "refused": refused})

    async def status(self, request: Request) -> Response:
        """Answer how far an upload is."""
        if (refusal := self._unauthorised(request)) is not None:
            return refusal
        status = self._statuses.get(request.path_params["upload_id"])
        return _unknown() if status is None else _json(200, status)

    async def events(self, request: Request) -> Response:
        """Stream an upload's states as server-sent events, until it is predicted or rejected."""
        if (refusal := self._unauthorised(request)) is not None:
            return refusal
        upload_id = request.path_params["upload_id"]
        if self._statuses.get(upload_id) is None:
            return _unknown()
        return StreamingResponse(self._stream(request, upload_id), media_type="text/event-stream")

    async def _stream(self, request: Request, upload_id: str) -> AsyncIterator[bytes]:
        told: Status | None = None
        while not (told and told.state in FINAL) and not await request.is_disconnected():
            status = self._statuses.get(upload_id)
            if status is not None and status != told:
                told = status
                yield b"data: " + msgspec.json.encode(status) + b"\n\n"
            await asyncio.sleep(GLANCE)

    async def image(self, request: Request) -> Response:
        """Answer with an image at full resolution."""
        return await self._shown(
            request,
            lambda: Response(
                self._films.picture(request.path_params["image_id"]), media_type="image/png"
            ),
        )

    async def patient(self, request: Request) -> Response:
        """Answer which images of a patient there are, the newest first."""
        return await self._shown(
            request,
            lambda: _json(200, {"images": self._films.of(request.path_params["unit"])}),
        )

    async def _shown(self, request: Request, make: Callable[[], Response]) -> Response:
        if (refusal := self._unauthorised(request)) is not None:
            return refusal
        try:
            return await run_in_threadpool(make)
        except NotFound as error:
            return _json(404, {"error": str(error)})
        except BadInput as error:
            return _json(422, {"error": str(error)})
        except Unavailable as error:
            return _json(503, {"error": str(error)})

    def _unauthorised(self, request: Request) -> Response | None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        taken = [hmac.compare_digest(given.encode(), token.encode()) for token in self._tokens]
        if any(taken):
            return None
        rule = "A request must bring the gateway's token as Authorization: Bearer."
        return _json(401, {"error": f"{rule} Received: none, or another. It is in the token file."})


def _json(status: int, body: object) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _unknown() -> Response:
    rule = "An upload id must be of a recent upload."
    return _json(404, {"error": f"{rule} Received: another. Try: chexnet lineage <upload id>"})


def _accepted(index: int, upload: Message, *, duplicate: bool) -> dict[str, Any]:
    return {"index": index, **_ids(upload), "duplicate": duplicate}


def _ids(upload: Message) -> dict[str, str]:
    headers = upload.headers
    return {"upload_id": headers.upload_id, "image_id": headers.image_id, "unit": upload.key}


def _refused(index: int, error: BadInput) -> dict[str, Any]:
    return {"index": index, "code": error.code, "reason": str(error)}
