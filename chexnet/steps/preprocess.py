"""Preprocess: one upload in, one canonical image out. Same bytes in, same bytes out."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chexnet import topics
from chexnet.errors import BadInput
from chexnet.inputs.base import Limits
from chexnet.messages import Message, Rejected


class Decoder(Protocol):
    """The part of an input that this step needs; in a service it runs in a child process."""

    def decode(self, data: bytes, limits: Limits) -> NDArray[np.uint8]:
        """Return the canonical image; raise BadInput if the file is at fault."""


def preprocess(upload: Message, *, source: Decoder, limits: Limits) -> list[Message | Rejected]:
    """Bring one upload to the model's input.

    Args:
        upload: a record of `uploads`; its value is a file that the input can read.
        source: the input in use. Training calls the same object: the same bytes.
        limits: checked before decoding, so that a decompression bomb costs nothing.

    Returns:
        One message for `images`, or one `Rejected`: the worker writes that to the DLQ.
    """
    if upload.headers.schema not in topics.UPLOADS.schemas:
        known = " or ".join(topics.UPLOADS.schemas)
        rule = f"The header schema must be {known}. Received: {upload.headers.schema!r}."
        todo = "Upgrade preprocess, then run: chexnet dlq replay uploads"
        return [Rejected(message=upload, code="schema", reason=f"{rule} {todo}")]
    if not upload.headers.upload_id or not upload.headers.image_id or not upload.key:
        rule = "An upload must have a key and the headers upload_id and image_id."
        received = f"Received: {upload.key!r}, {upload.headers.upload_id!r}"
        reason = f"{rule} {received}, {upload.headers.image_id!r}. Send it through the gateway."
        return [Rejected(message=upload, code="headers", reason=reason)]
    if (size := len(upload.value)) > limits.cleaned_bytes:
        rule = f"An image may have at most {limits.cleaned_bytes:,} bytes. Received: {size:,}."
        reason = f"{rule} Export it as 8-bit PNG."
        return [Rejected(message=upload, code="too-large", reason=reason)]
    try:
        image = source.decode(upload.value, limits)
    except BadInput as error:  # The file's fault. Outages and bugs are not caught: the worker's.
        keep = error.code != "identity"
        return [Rejected(message=upload, code=error.code, reason=str(error), keep_bytes=keep)]
    return [upload.to(topics.IMAGES, value=image.tobytes())]
