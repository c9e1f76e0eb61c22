"""HttpGateway: a program's way to the gateway. File names are not sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from chexnet.adapters import tls
from chexnet.errors import BadInput, ChexnetError, NotFound, Unavailable
from chexnet.settings import GatewaySettings

PIECE = 2**20  # Bytes of a body that is read as it is sent.
PATIENCE = httpx.Timeout(30, read=1800)  # Seconds; an archive of a thousand films takes minutes.


class Accepted(Struct, frozen=True, kw_only=True):
    """What the gateway made of a file, or of a file in an archive."""

    index: int = 0
    upload_id: str
    image_id: str
    unit: str
    duplicate: bool = False


class Refusal(Struct, frozen=True, kw_only=True):
    """Why it did not take a file."""

    index: int = 0
    code: str
    reason: str


class Film(Struct, frozen=True, kw_only=True):
    """An upload of a patient that the archive has."""

    upload_id: str
    image_id: str


class Films(Struct, frozen=True, kw_only=True):
    """The gateway's answer about a patient."""

    images: list[Film] = []


class Sent(Struct, frozen=True, kw_only=True):
    """Its answer to one body."""

    uploads: list[Accepted] = []
    refused: list[Refusal] = []
    error: str = ""


class HttpGateway:
    """One connection pool to the gateway that the settings name."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._token_file: Path = settings.token_file
        self._client = httpx.Client(
            base_url=settings.url, timeout=PATIENCE, verify=tls.trusted(settings.ca_file)
        )

    def send(
        self, data: bytes | IO[bytes], *, patient: str | None = None, issuer: str = ""
    ) -> Sent:
        """Send one file or archive; return what was taken and what was refused.

        What is not in memory is read piece by piece, from where it stands.

        Raises:
            Unavailable: the gateway, or the bus behind it, does not answer.
            ChexnetError: it does not accept the token.
        """
        told = (
            {"X-Patient-Id": quote(patient), "X-Patient-Issuer": quote(issuer)} if patient else {}
        )
        body = data if isinstance(data, bytes) else _pieces(data)
        answer = self._ask("POST", "/uploads", told, body)
        sent = msgspec.json.decode(answer.content or b"{}", type=Sent)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise Unavailable(sent.error)
        if sent.error:
            raise ChexnetError(sent.error)
        return sent

    def upload(self, data: bytes) -> list[Accepted]:
        """Send one file; raise BadInput if nothing of it was taken."""
        sent = self.send(data)
        if not sent.uploads:
            first = sent.refused[0]
            raise BadInput(first.code, first.reason)
        return sent.uploads

    def picture(self, image_id: str) -> bytes:
        """Return an image as PNG, at its own resolution.

        Raises:
            NotFound: the archive has not got it, or not yet.
            Unavailable: the gateway, or the archive behind it, does not answer.
        """
        return self._found(f"/images/{quote(image_id, safe='')}").content

    def films(self, unit: str) -> list[Film]:
        """Return the uploads of a patient, the newest first; raise as `picture` does."""
        answer = self._found(f"/patients/{quote(unit, safe='')}/images")
        return msgspec.json.decode(answer.content, type=Films).images

    def _found(self, path: str) -> httpx.Response:
        answer = self._ask("GET", path)
        if answer.is_success:
            return answer
        error = msgspec.json.decode(answer.content or b"{}", type=Sent).error
        kinds: dict[int, type[ChexnetError]] = {404: NotFound, 503: Unavailable}
        raise kinds.get(answer.status_code, ChexnetError)(error)

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        data: bytes | Iterator[bytes] = b"",
    ) -> httpx.Response:
        token = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
        try:
            return self._client.request(
                method, path, content=data, headers={**token, **(headers or {})}
            )
        except httpx.HTTPError as error:
            where = f"Waiting for the gateway at {self._settings.url}: {type(error).__name__}."
            todo = "If it is not running, start it with: make up"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                where = f"The gateway at {self._settings.url} must show a certificate to trust."
                todo = f"Received: {error}. Set CHEXNET_GATEWAY__CA_FILE to the site's authority."
            raise Unavailable(f"{where} {todo}") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _pieces(body: IO[bytes]) -> Iterator[bytes]:
    while piece := body.read(PIECE):
        yield piece
