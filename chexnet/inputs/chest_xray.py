"""chest_xray: frontal chest films as PNG, JPEG or DICOM, with the findings of ChestX-ray14."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from chexnet.errors import BadInput
from chexnet.identity import dicom, raster
from chexnet.inputs import canonical
from chexnet.inputs.base import Cleaned, Limits
from chexnet.inputs.labels import FINDINGS


class ChestXray:
    """Chest X-rays. The canonical image is grey, 224 by 224, as CheXNet's."""

    name = "chest_xray"
    labels = FINDINGS
    shape = (224, 224, 1)
    suffixes = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")

    def clean(self, data: bytes, limits: Limits) -> Cleaned:
        """Return the film without its patient; raise BadInput if the file is at fault."""
        _check_size(data, limits.encoded_bytes)
        if dicom.is_dicom(data):
            with raster.readable("DICOM file"):  # pydicom reads late: any access may raise.
                return _clean_dicom(dicom.read(data), limits)
        grey = raster.grey(_known(data), limits.pixels)
        encoded = raster.encode(grey, limits.cleaned_bytes)
        _check_size(encoded, limits.cleaned_bytes)
        return Cleaned(data=encoded, image_id=_digest("raster", grey))

    def decode(self, data: bytes, limits: Limits) -> NDArray[np.uint8]:
        """Return the canonical image; raise BadInput if the file is at fault or names someone."""
        return canonical.resize(_grey(data, limits), self.shape[0])[..., None]

    def view(self, data: bytes, limits: Limits) -> bytes:
        """Return the film as PNG; what has more than 8 bits keeps 16 for a narrow window."""
        grey = _grey(data, limits)
        if grey.dtype == np.uint8:
            return raster.encode(grey.astype(np.uint8, copy=False))
        return raster.encode(np.rint(grey * 257).astype(np.uint16))

    def render(self, canonical_: NDArray[np.uint8]) -> bytes:
        """Return a canonical image as PNG."""
        return canonical.png(canonical_[..., 0])

    def overlay(self, canonical_: NDArray[np.uint8], cam: NDArray[np.float32]) -> bytes:
        """Return a canonical image with a heat map over it, as PNG."""
        return canonical.png(canonical.blend(canonical_[..., 0], cam))


def _clean_dicom(dataset: Dataset, limits: Limits) -> Cleaned:
    dicom.check(dataset, limits.pixels)
    image_id = _digest("dicom", dicom.stored(dataset), *dicom.meaning(dataset))
    stripped = dicom.strip(dataset, image_id, limits.encoded_bytes)
    _check_size(stripped, limits.cleaned_bytes)
    return Cleaned(
        data=stripped,
        image_id=image_id,
        patient=str(dataset.get("PatientID", "")).strip() or None,
        issuer=str(dataset.get("IssuerOfPatientID", "")).strip(),
    )


def _known(data: bytes) -> bytes:
    if not data.startswith((raster.PNG, raster.JPEG)):
        rule = "An image must be a PNG, JPEG or DICOM file."
        received = "an empty file" if not data else "something else"
        raise BadInput("format", f"{rule} Received: {received}. Export it as PNG or DICOM.")
    return data


def _check_size(data: bytes, most: int) -> None:
    if len(data) > most:
        rule = f"An image may have at most {most:,} bytes."
        raise BadInput("too-large", f"{rule} Received: {len(data):,}. Export it as 8-bit PNG.")


def _check_clean(traces: list[str]) -> None:
    if traces:
        rule = "An image on the bus must not say whose it is."
        received = f"Received: one with {', '.join(traces[:8])}"
        more = f" and {len(traces) - 8} more" if len(traces) > 8 else ""
        raise BadInput("identity", f"{rule} {received}{more}. Send it through the gateway.")


def _grey(data: bytes, limits: Limits) -> NDArray[np.floating | np.unsignedinteger]:
    """Return the grey values [rows, columns] of a clean file, 0 to 255, at its own resolution."""
    _check_size(data, limits.cleaned_bytes)
    if dicom.is_dicom(data):
        with raster.readable("DICOM file"):
            dataset = dicom.read(data)
            _check_clean(dicom.traces(dataset))  # First: a dead letter must not keep a name.
            dicom.check(dataset, limits.pixels)
            return dicom.grey(dataset)
    _check_clean(raster.traces(_known(data)))
    grey = raster.grey(data, limits.pixels)
    return grey if grey.dtype == np.uint8 else canonical.stretch(grey)


def _digest(kind: str, pixels: NDArray[np.integer], *tags: str) -> str:
    head = "\n".join([kind, pixels.dtype.newbyteorder("<").str, str(pixels.shape), *tags])
    digest = hashlib.sha256(head.encode() + b"\0")
    digest.update(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
