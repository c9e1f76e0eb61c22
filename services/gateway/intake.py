"""Intake: what the gateway makes of one body. Files become messages without identity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import IO

from msgspec import Struct

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.identity.pseudonym import Pseudonyms, normalise
from chexnet.inputs.base import Cleaned, Limits
from chexnet.messages import Headers, Message
from services.gateway import archives


class Patient(Struct, frozen=True):
    """Whose images these are, as the caller states it. It never leaves the gateway."""

    identifier: str | None
    issuer: str = ""


class Intake:
    """Turns bodies into messages for `uploads`.

    Args:
        clean: removes a file's identity and raises BadInput if a model could not read it.
        pseudonyms: made with the identity key.
        new_id, clock: give ids and moments.
    """

    def __init__(
        self,
        clean: Callable[[bytes, Limits], Cleaned],
        pseudonyms: Pseudonyms,
        limits: Limits,
        *,
        new_id: Callable[[], str],
        clock: Callable[[], datetime],
    ) -> None:
        self._clean, self._pseudonyms, self._limits = clean, pseudonyms, limits
        self._new_id, self._clock = new_id, clock

    def take(self, body: IO[bytes], patient: Patient) -> Iterator[Message | BadInput]:
        """Yield, for the file or for each file of a zip, its message or why it is refused."""
        start = body.read(4)
        body.seek(0)
        files: Iterable[bytes | BadInput]
        try:
            is_zip = start in archives.MAGICS
            files = archives.members(body, self._limits) if is_zip else [body.read()]
            for file in files:
                yield file if isinstance(file, BadInput) else self._one(file, patient)
        except BadInput as error:
            yield error

    def _one(self, data: bytes, patient: Patient) -> Message | BadInput:
        try:
            cleaned = self._clean(data, self._limits)
        except BadInput as error:
            return error
        try:
            key = self._unit(cleaned, patient)
        except BadInput as error:
            return error
        headers = Headers(
            schema=topics.UPLOADS.schemas[-1],
            upload_id=self._new_id(),
            image_id=cleaned.image_id,
            created_at=self._clock(),
        )
        return Message(topic=topics.UPLOADS, key=key, value=cleaned.data, headers=headers)

    def _unit(self, cleaned: Cleaned, stated: Patient) -> str:
        """Return the patient's pseudonym, or the image id where nobody says whose it is."""
        identifier = stated.identifier or cleaned.patient
        if identifier is None:
            return cleaned.image_id
        if stated.identifier and cleaned.patient and not _same(stated, cleaned):
            rule = "A stated patient id must be the one that the file has."
            todo = "Send the file without an id, or with its own patient's."
            raise BadInput("patient-mismatch", f"{rule} Received: another. {todo}")
        issuer = (stated.issuer if stated.identifier else "") or cleaned.issuer
        return self._pseudonyms.of(identifier, issuer)


def _same(stated: Patient, cleaned: Cleaned) -> bool:
    """Whether both name one patient. An issuer that either leaves out is the other's."""
    issuers = {normalise(issuer) for issuer in (stated.issuer, cleaned.issuer) if issuer}
    ids = {normalise(stated.identifier or ""), normalise(cleaned.patient or "")}
    return len(ids) == 1 and len(issuers) <= 1
