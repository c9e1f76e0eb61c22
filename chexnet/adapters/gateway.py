"""HttpGateway: a program's way to the gateway. File names are not sent."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from chexnet.errors import BadInput, ChexnetError, Unavailable
from chexnet.settings import GatewaySettings

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
        self._client = httpx.Client(base_url=settings.url, timeout=PATIENCE)

    def send(self, data: bytes, *, patient: str | None = None, issuer: str = "") -> Sent:
        """Send one file or archive; return what was taken and what was refused.

        Raises:
            Unavailable: the gateway, or the bus behind it, does not answer.
            ChexnetError: it does not accept the token.
        """
        headers = {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
        if patient:
            headers |= {"X-Patient-Id": quote(patient), "X-Patient-Issuer": quote(issuer)}
        try:
            answer = self._client.post("/uploads", content=data, headers=headers)
        except httpx.HTTPError as error:
            where = f"Waiting for the gateway at {self._settings.url}: {type(error).__name__}."
            raise Unavailable(f"{where} If it is not running, start it with: make up") from error
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

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
