"""DICOM without identity: an allow-list of tags, new UIDs, pixels written anew.

The list keeps what a reader or a model needs of the pixels, with sex, age and view. Everything else
goes, whatever it holds (DICOM PS3.15, Annex E: the basic profile, and stricter).
"""

from __future__ import annotations

import io
import re

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

from chexnet.errors import BadInput
from chexnet.identity.raster import readable

PROJECTIONS = ("CR", "DX", "DR", "RF", "RG", "PX", "XA", "OT", "SC")
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
TABLES = ("ModalityLUTSequence", "VOILUTSequence")
IN_TABLES = ("LUTDescriptor", "LUTData", "ModalityLUTType")
PIXELS = [
    "SamplesPerPixel",
    "PhotometricInterpretation",
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
    "VOILUTFunction",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "PresentationLUTShape",
    "PixelPaddingValue",
    "LossyImageCompression",
    "PixelData",
]
# Coded values: a value of another form is left out, since it could be anything.
CODED = {
    "SOPClassUID": r"1\.2\.840\.10008(\.\d+)*",
    "Modality": r"[A-Z]{2}",
    "BodyPartExamined": r"CHEST|THORAX|LUNG",
    "ViewPosition": r"[A-Z]{2,4}",
    "PatientSex": r"[MFO]",
    "PatientAge": r"\d{3}[DWMY]",
    "BurnedInAnnotation": r"NO",
}
ALLOWED = {*PIXELS, *CODED, *TABLES, *UIDS}
OLDEST = "090Y"  # Older ages are rare enough to name a person.


def is_dicom(data: bytes) -> bool:
    """Return whether `data` starts as a DICOM file does."""
    return data[128:132] == b"DICM"


def read(data: bytes, pixels: int) -> Dataset:
    """Return the data set of one X-ray projection, its pixels not decoded yet.

    Args:
        data: the file.
        pixels: the most that an image may have; checked before decoding.

    Raises:
        BadInput: `not-an-xray`, `no-pixels`, `frames`, `too-many-pixels`, `burned-in` or
            `unreadable`.
    """
    with readable("DICOM file"):
        dataset = pydicom.dcmread(io.BytesIO(data))
        modality = str(dataset.get("Modality", ""))
        rows, columns = int(dataset.get("Rows", 0)), int(dataset.get("Columns", 0))
        frames = int(dataset.get("NumberOfFrames") or 1)
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
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        rule = "An image must not have words in its pixels."
        received = "Received: one with BurnedInAnnotation YES."
        raise BadInput("burned-in", f"{rule} {received} Export it without annotation.")
    return dataset


def traces(dataset: Dataset) -> list[str]:
    """Return the names of elements outside the allow-list that hold something; [] is clean."""
    return [
        element.keyword or f"({element.tag.group:04X},{element.tag.element:04X})"
        for element in dataset
        if element.keyword not in ALLOWED and not element.is_empty
    ]


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
    for keyword in PIXELS:
        if keyword in dataset and keyword != "PixelData":
            clean[keyword] = dataset[keyword]
    for keyword, form in CODED.items():
        if re.fullmatch(form, value := str(dataset.get(keyword, ""))):
            setattr(clean, keyword, value)
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
