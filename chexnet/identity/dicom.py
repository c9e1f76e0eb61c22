"""DICOM without identity: an allow-list of tags, new UIDs, pixels written anew.

The list keeps what a reader or a model needs of the pixels, with sex, age and view. Everything else
goes, whatever it holds (DICOM PS3.15, Annex E: the basic profile, and stricter).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

from chexnet.errors import BadInput
from chexnet.identity.raster import readable

PROJECTIONS = ("CR", "DX", "DR", "RG", "RF", "OT", "SC")
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
TABLES = ("ModalityLUTSequence", "VOILUTSequence")
IN_TABLES = ("LUTDescriptor", "LUTData")
NUMBERS = (
    "SamplesPerPixel",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PlanarConfiguration",
    "PixelAspectRatio",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "WindowCenter",
    "WindowWidth",
    "RescaleIntercept",
    "RescaleSlope",
    "PixelPaddingValue",
)
# Coded values: a value of another form is left out, since it could be anything.
CODED = {
    "SOPClassUID": r"1\.2\.840\.10008(\.\d+)*",
    "Modality": r"[A-Z]{2}",
    "PhotometricInterpretation": r"MONOCHROME[12]|RGB|YBR_[A-Z0-9_]{3,12}",
    "VOILUTFunction": r"LINEAR|LINEAR_EXACT|SIGMOID",
    "PresentationLUTShape": r"IDENTITY|INVERSE",
    "LossyImageCompression": r"0[01]",
    "BodyPartExamined": r"CHEST|THORAX|LUNG",
    "ViewPosition": r"[A-Z]{2,4}",
    "PatientSex": r"[MFO]",
    "PatientAge": r"\d{3}[DWMY]",
    "BurnedInAnnotation": r"NO",
}
ALLOWED = {*NUMBERS, *CODED, *TABLES, *UIDS, "PixelData"}
IN_HEADER = {  # What every writer must put before the data set, none of it the writer's to choose.
    "FileMetaInformationGroupLength",
    "FileMetaInformationVersion",
    "MediaStorageSOPClassUID",
    "MediaStorageSOPInstanceUID",
    "TransferSyntaxUID",
    "ImplementationClassUID",
    "ImplementationVersionName",
}
MEANING = (
    "PhotometricInterpretation",
    "BitsStored",
    "PixelRepresentation",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "RescaleIntercept",
    "RescaleSlope",
    "ViewPosition",
)
OLDEST = "090Y"  # Older ages are rare enough to name a person.


def is_dicom(data: bytes) -> bool:
    """Return whether `data` starts as a DICOM file does."""
    return data[128:132] == b"DICM"


def read(data: bytes) -> Dataset:
    """Return the data set, its pixels not decoded yet; raise BadInput(`unreadable`)."""
    with readable("DICOM file"):
        return pydicom.dcmread(io.BytesIO(data))


def check(dataset: Dataset, pixels: int) -> None:
    """Refuse what is not one X-ray projection of a size that can be decoded.

    Args:
        dataset: of the file.
        pixels: the most that an image may have; checked before decoding.

    Raises:
        BadInput: `not-an-xray`, `no-pixels`, `frames`, `too-many-pixels`, `colour-model`,
            `burned-in` or `unreadable`.
    """
    with readable("DICOM file"):
        modality = str(dataset.get("Modality", ""))
        rows, columns = int(dataset.get("Rows", 0)), int(dataset.get("Columns", 0))
        frames = int(dataset.get("NumberOfFrames") or 1)
        for keyword in NUMBERS:
            for value in _values(dataset, keyword):
                float(value)
    if modality not in PROJECTIONS:
        rule = f"A DICOM file must be an X-ray projection ({', '.join(PROJECTIONS)})."
        raise BadInput("not-an-xray", f"{rule} Received: modality {modality[:16]!r}.")
    if "PixelData" not in dataset or not rows or not columns:
        rule = "A DICOM file must hold whole-number pixels."
        raise BadInput("no-pixels", f"{rule} Received: none. Export the image, not its report.")
    if frames != 1:
        rule = f"A DICOM file must hold one image. Received: {frames} frames."
        raise BadInput("frames", f"{rule} Export them one by one.")
    if rows * columns > pixels:
        rule = f"An image may have at most {pixels:,} pixels."
        received = f"Received: {rows:,} rows of {columns:,}."
        raise BadInput("too-many-pixels", f"{rule} {received} Export it smaller.")
    if not _fits(dataset, "PhotometricInterpretation"):
        rule = "The pixels of a DICOM file must be grey or RGB."
        raise BadInput("colour-model", f"{rule} Received: another kind. Export it as 8-bit grey.")
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        rule = "An image must not have words in its pixels."
        received = "Received: one with BurnedInAnnotation YES."
        raise BadInput("burned-in", f"{rule} {received} Export it without annotation.")


def traces(dataset: Dataset) -> list[str]:
    """Return the names of places beside the allowed ones that hold something; [] is clean."""
    tables = [item for keyword in TABLES for item in dataset.get(keyword) or ()]
    found = [
        *_beside(dataset, ALLOWED),
        *_beside(dataset.file_meta, IN_HEADER),
        *(name for item in tables for name in _beside(item, set(IN_TABLES))),
        *(k for k in CODED if not _fits(dataset, k) and dataset.get(k)),
    ]
    return [*found, "preamble"] if (dataset.preamble or b"").strip(b"\0") else found


def _beside(dataset: Dataset, allowed: set[str]) -> list[str]:
    return [
        element.keyword or f"({element.tag.group:04X},{element.tag.element:04X})"
        for element in dataset
        if element.keyword not in allowed and not element.is_empty
    ]


def _values(dataset: Dataset, keyword: str) -> list[Any]:
    value = dataset.get(keyword)
    return list(value) if isinstance(value, MultiValue) else [] if value is None else [value]


def _fits(dataset: Dataset, keyword: str) -> bool:
    return re.fullmatch(CODED[keyword], str(dataset.get(keyword, ""))) is not None


def meaning(dataset: Dataset) -> list[str]:
    """Return what tells one image from another beside its stored values."""
    colour = dataset.SamplesPerPixel == 3  # Stored values are RGB then, however they were coded.
    values = [
        "RGB"
        if colour and keyword == "PhotometricInterpretation"
        else str(dataset.get(keyword, ""))
        for keyword in MEANING
    ]
    for item in (item for keyword in TABLES for item in dataset.get(keyword) or ()):
        values += [str(list(item.LUTDescriptor)), _table(item["LUTData"].value)]
    return values


def _table(data: bytes | Sequence[int]) -> str:
    entries = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data, "<u2")
    return hashlib.sha256(entries.tobytes()).hexdigest()


def stored(dataset: Dataset) -> NDArray[np.integer]:
    """Return the stored values [rows, columns] or [rows, columns, 3]; bits above are cleared.

    Raises:
        BadInput: `unreadable`.
    """
    with readable("DICOM file"):
        values: NDArray[np.integer] = dataset.pixel_array
        if dataset.PixelRepresentation == 0:  # Old overlays lie in the bits above.
            values = values & np.array((1 << dataset.BitsStored) - 1, values.dtype)
        return values


def grey(dataset: Dataset) -> NDArray[np.float32]:
    """Return grey values [rows, columns], 0 to 255, black to white, through its window.

    8-bit values without a window are kept; others are stretched to the whole range.

    Raises:
        BadInput: `not-finite`, `unreadable`.
    """
    values = stored(dataset)
    with readable("DICOM file"):
        if values.ndim == 3:  # Rec. 601, as Pillow weighs colours.
            weighed: NDArray[np.float64] = values @ np.array([0.299, 0.587, 0.114])
            return weighed.astype(np.float32)
        rescaled = apply_modality_lut(values, dataset)
        shown = np.asarray(apply_voi_lut(rescaled, dataset), np.float64)
    if not np.isfinite(shown).all():
        rule = "Every pixel must have a value."
        raise BadInput("not-finite", f"{rule} Received: some that are no number. Export it again.")
    bits = int(dataset.BitsStored)
    windowed = "WindowWidth" in dataset or "VOILUTSequence" in dataset
    whole_range = bits == 8 and not windowed and dataset.PixelRepresentation == 0
    low, high = (0.0, 255.0) if whole_range else (shown.min(), shown.max())
    scaled = (shown - low) * (255 / max(high - low, 1e-9))
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        scaled = 255 - scaled
    return np.asarray(scaled.clip(0, 255), np.float32)


def strip(dataset: Dataset, image_id: str, encoded_bytes: int) -> bytes:
    """Return the file anew: allowed tags, UIDs made of the image id, pixels without compression.

    Pixels that would be larger than `encoded_bytes` are deflated, which loses nothing.
    """
    values = stored(dataset)
    clean = Dataset()
    for keyword in NUMBERS:
        if keyword in dataset:
            clean[keyword] = dataset[keyword]
    for keyword in CODED:
        if _fits(dataset, keyword):
            setattr(clean, keyword, str(dataset[keyword].value))
    if "PatientAge" in clean and clean.PatientAge.endswith("Y"):
        clean.PatientAge = min(clean.PatientAge, OLDEST)
    for keyword in TABLES:
        if keyword in dataset:
            setattr(clean, keyword, [_only(item, IN_TABLES) for item in dataset[keyword].value])
    for keyword in UIDS:
        setattr(clean, keyword, generate_uid(entropy_srcs=[image_id, keyword]))
    if values.ndim == 3:
        clean.PhotometricInterpretation = "RGB"
        clean.PlanarConfiguration = 0
    clean.PixelData = np.ascontiguousarray(values).tobytes() + b"\0" * (values.nbytes % 2)
    clean["PixelData"].VR = "OB" if values.itemsize == 1 else "OW"
    return _write(clean, deflated=values.nbytes + 2**16 > encoded_bytes)


def _only(item: Dataset, keywords: tuple[str, ...]) -> Dataset:
    kept = Dataset()
    for keyword in keywords:
        if keyword in item:
            kept[keyword] = item[keyword]
    return kept


def _write(dataset: Dataset, *, deflated: bool) -> bytes:
    dataset.file_meta = FileMetaDataset()
    syntax = DeflatedExplicitVRLittleEndian if deflated else ExplicitVRLittleEndian
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()
