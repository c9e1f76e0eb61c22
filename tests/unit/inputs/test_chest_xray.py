"""The chest X-ray input: one meaning for every way in which a film comes, and no name in it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from chexnet.errors import BadInput
from chexnet.identity import raster
from chexnet.inputs.base import Limits
from chexnet.inputs.chest_xray import ChestXray
from tests.bad_inputs import BAD, DICOM_FILES, dicom, film, jpeg, png

LIMITS = Limits()
SOURCE = ChestXray()
ramp = np.add.outer(np.arange(300), np.arange(200)).astype(np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def canonical(data: bytes) -> NDArray[np.uint8]:
    return SOURCE.decode(SOURCE.clean(data, LIMITS).data, LIMITS)


@pytest.mark.parametrize(("make", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_with_its_reason(make: Callable[[], bytes], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        SOURCE.decode(SOURCE.clean(make(), LIMITS).data, LIMITS)
    assert caught.value.code == code
    assert "Received: " in str(caught.value)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_a_grey_film_means_the_same_in_every_colour_model(mode: str) -> None:
    plain = SOURCE.clean(encoded(Image.fromarray(ramp)), LIMITS)
    other = SOURCE.clean(encoded(Image.fromarray(ramp).convert(mode)), LIMITS)
    assert other.image_id == plain.image_id
    assert other.data == plain.data


def test_sixteen_bits_are_kept_and_look_as_eight_do() -> None:
    deep = encoded(Image.fromarray(ramp.astype(np.uint16) * 16))  # 12 bits in 16, as films have.
    kept = np.asarray(Image.open(io.BytesIO(SOURCE.clean(deep, LIMITS).data)))
    np.testing.assert_array_equal(kept, ramp.astype(np.uint16) * 16)
    difference = canonical(deep).astype(int) - canonical(encoded(Image.fromarray(ramp)))
    assert abs(difference).max() <= 1


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_cleaning_again_changes_nothing(grey: NDArray[np.uint8]) -> None:
    once = SOURCE.clean(encoded(Image.fromarray(grey)), LIMITS)
    twice = SOURCE.clean(once.data, LIMITS)
    assert (twice.data, twice.image_id) == (once.data, once.image_id)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(once.data))), grey)


@given(arrays.arrays(np.uint8, (5, 7)), arrays.arrays(np.uint8, (5, 7)))
def test_images_have_one_id_if_and_only_if_their_pixels_are_the_same(
    one: NDArray[np.uint8], other: NDArray[np.uint8]
) -> None:
    ids = [SOURCE.clean(encoded(Image.fromarray(grey)), LIMITS).image_id for grey in (one, other)]
    assert (ids[0] == ids[1]) == np.array_equal(one, other)


def test_a_film_is_the_same_with_and_without_lossless_compression() -> None:
    plain, packed = (
        SOURCE.clean((DICOM_FILES / name).read_bytes(), LIMITS)
        for name in ("RG1_UNCR.dcm", "RG1_J2KR.dcm")
    )
    assert packed.image_id == plain.image_id


def test_monochrome1_is_shown_with_white_bones() -> None:
    inverted = dicom(lambda d: setattr(d, "PhotometricInterpretation", "MONOCHROME2"))
    np.testing.assert_allclose(
        canonical(dicom()).astype(int), 255 - canonical(inverted).astype(int), atol=1
    )


def test_the_window_is_what_a_reader_sees() -> None:
    def narrow(dataset: pydicom.Dataset) -> None:
        low, high = (int(f(dataset.pixel_array)) for f in (np.min, np.max))
        dataset.WindowCenter, dataset.WindowWidth = (low + high) / 2, max((high - low) / 4, 2)

    shown = canonical(dicom(narrow))
    assert {0, 255} <= set(np.unique(shown))


PERSON = (b"CompressedSamples", b"9RG1", b"19400305", b"26210", b"THORAVISION", b"Hamburg")


def test_nothing_of_a_person_is_left_in_a_dicom_file() -> None:
    data = (DICOM_FILES / "RG1_UNCR.dcm").read_bytes()
    assert all(word in data for word in PERSON)  # Or this would test nothing.
    cleaned = SOURCE.clean(data, LIMITS)
    assert not [word for word in PERSON if word in cleaned.data]
    left = pydicom.dcmread(io.BytesIO(cleaned.data))
    assert left.SOPInstanceUID != film().SOPInstanceUID
    assert (left.PatientSex, left.ViewPosition) == ("F", "PA")
    assert cleaned.patient == "9RG1"


def test_pixels_survive_the_cleaning_of_a_dicom_file() -> None:
    left = pydicom.dcmread(
        io.BytesIO(SOURCE.clean((DICOM_FILES / "RG1_J2KR.dcm").read_bytes(), LIMITS).data)
    )
    np.testing.assert_array_equal(left.pixel_array, film().pixel_array)


def test_a_film_that_would_grow_beyond_the_limit_is_deflated() -> None:
    data = (DICOM_FILES / "RG1_J2KR.dcm").read_bytes()
    small = Limits(encoded_bytes=13 * 2**19)  # Packed 4.3 MB, unpacked 7.2 MB.
    cleaned = SOURCE.clean(data, small)
    assert len(cleaned.data) <= small.encoded_bytes
    np.testing.assert_array_equal(SOURCE.decode(cleaned.data, small), canonical(data))


def grainy(side: int = 800) -> Image.Image:
    """A film with the grain of a detector: little of it can be packed."""
    grain = np.random.default_rng(0).normal(0, 18, (side, side))
    slope = np.add.outer(np.arange(side), np.arange(side)) * (180 / side)
    return Image.fromarray((slope + grain).clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    "file",
    [encoded(grainy(), compress_level=9), encoded(grainy(), "JPEG", quality=90)],
    ids=["a PNG packed as small as it can be", "a JPEG that becomes a larger PNG"],
)
def test_the_limit_is_the_files_own_not_that_of_what_it_becomes(file: bytes) -> None:
    tight = Limits(encoded_bytes=max(len(file), 800 * 800 * 2**25 // 50_000_000))
    cleaned = SOURCE.clean(file, tight)
    np.testing.assert_array_equal(SOURCE.decode(cleaned.data, tight), canonical(cleaned.data))


def test_what_is_still_too_large_is_packed_as_small_as_it_can_be() -> None:
    pattern = np.random.default_rng(0).integers(0, 256, (200, 40), np.uint8)
    regular = np.tile(pattern, (1, 10))  # Runs alone don't see that it repeats.
    loose = raster.encode(regular)
    packed = raster.encode(regular, len(loose) - 1)
    assert len(packed) < len(loose) / 2
    np.testing.assert_array_equal(raster.grey(packed, regular.size), regular)


def _with_text() -> bytes:
    words = PngImagePlugin.PngInfo()
    words.add_text("Patient", "DOE^JANE 1970-01-01")
    return png(pnginfo=words)


def _with_exif(kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "DOE^JANE"
    return encoded(Image.fromarray(ramp), kind, exif=exif)


@pytest.mark.parametrize(
    "data",
    [
        _with_text(),
        _with_exif("PNG"),
        _with_exif("JPEG"),
        png() + b"DOE^JANE",
        jpeg() + b"DOE^JANE\xff\xd9",
        dicom(),
    ],
    ids=["PNG text", "Exif in PNG", "Exif in JPEG", "behind PNG", "behind JPEG", "DICOM tags"],
)
def test_identity_that_bypasses_the_gateway_is_refused_and_the_gateway_removes_it(
    data: bytes,
) -> None:
    with pytest.raises(BadInput) as caught:
        SOURCE.decode(data, LIMITS)
    assert caught.value.code == "identity"
    assert "JANE" not in str(caught.value)
    assert b"JANE" not in SOURCE.clean(data, LIMITS).data


def test_a_jpeg_is_read() -> None:
    assert canonical(jpeg()).shape == SOURCE.shape


def test_the_overlay_peaks_where_the_map_does() -> None:
    flat = np.full(SOURCE.shape, 128, np.uint8)
    cam = np.zeros((7, 7), np.float32)
    cam[2, 5] = 1.0
    shown = np.asarray(Image.open(io.BytesIO(SOURCE.overlay(flat, cam))), int)
    row, column = np.unravel_index((shown[..., 0] - shown[..., 2]).argmax(), shown.shape[:2])
    assert (row // 32, column // 32) == (2, 5)  # Each cell covers 32 x 32 pixels of 224.


@pytest.mark.parametrize("data", [dicom(), png()], ids=["DICOM", "PNG"])
def test_a_canonical_image_is_the_same_each_time(data: bytes) -> None:
    np.testing.assert_array_equal(canonical(data), canonical(data))


def test_every_real_film_is_read(shared: Path) -> None:
    files = [*(shared / "nih-sample/original").iterdir(), *(shared / "dicom").iterdir()]
    assert len(files) == 41
    for file in files:
        assert canonical(file.read_bytes()).std() > 10, file.name


def _coloured(dataset: pydicom.Dataset) -> None:
    grey = (dataset.pixel_array >> 7).astype(np.uint8)
    dataset.PixelData = np.stack([grey, grey, 255 - grey], axis=-1).tobytes()
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "YBR_FULL"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7


def _table(shift: int) -> Callable[[pydicom.Dataset], None]:
    def add(dataset: pydicom.Dataset) -> None:
        item = pydicom.Dataset()
        item.LUTDescriptor = [256, 0, 16]
        item.LUTExplanation = "DOE^JANE"
        item["LUTDescriptor"].VR = "US"
        item.add_new("LUTData", "US", [(i * shift) % 65536 for i in range(256)])
        dataset.VOILUTSequence = [item]
        for keyword in ("WindowCenter", "WindowWidth"):
            dataset.pop(keyword, None)

    return add


@pytest.mark.parametrize(
    "change", [lambda _: None, _coloured, _table(9)], ids=["grey", "colour", "table"]
)
def test_cleaning_a_dicom_file_again_changes_nothing(
    change: Callable[[pydicom.Dataset], None],
) -> None:
    once = SOURCE.clean(dicom(change), LIMITS)
    twice = SOURCE.clean(once.data, LIMITS)
    assert (twice.data, twice.image_id) == (once.data, once.image_id)
    assert b"DOE" not in once.data
    assert SOURCE.decode(once.data, LIMITS).shape == SOURCE.shape


def test_another_table_makes_another_image() -> None:
    ids = {SOURCE.clean(dicom(_table(n)), LIMITS).image_id for n in (9, 10)}
    assert len(ids) == 2


@pytest.mark.parametrize("keyword", ["PixelSpacing", "WindowCenter", "RescaleSlope"])
def test_a_number_that_is_none_is_refused(keyword: str) -> None:
    with pytest.raises(BadInput) as caught:
        SOURCE.clean(dicom(lambda d: d.add_new(keyword, "LO", "DOE^JANE")), LIMITS)
    assert caught.value.code == "unreadable"
    assert "JANE" not in str(caught.value)


@pytest.mark.parametrize("value", ["DOE^JANE", ""], ids=["text", "empty"])
def test_a_table_that_is_none_is_the_files_fault_or_left_out(value: str) -> None:
    def broken(dataset: pydicom.Dataset) -> None:
        dataset.add_new("ModalityLUTSequence", "SQ", [pydicom.Dataset()])
        dataset.ModalityLUTSequence[0].LUTExplanation = value

    with pytest.raises(BadInput) as caught:
        SOURCE.clean(dicom(broken), LIMITS)
    assert caught.value.code == "unreadable"


def _hidden(where: str) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(SOURCE.clean(dicom(_table(9)), LIMITS).data))
    if where == "preamble":
        dataset.preamble = b"DOE^JANE".ljust(128, b"\0")
    elif where == "SourceApplicationEntityTitle":
        dataset.file_meta.SourceApplicationEntityTitle = "DOE^JANE"
    elif where == "LUTExplanation":
        dataset.VOILUTSequence[0].LUTExplanation = "DOE^JANE"
    else:
        dataset.ViewPosition = "DOE^JANE"
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "where", ["preamble", "SourceApplicationEntityTitle", "LUTExplanation", "ViewPosition"]
)
def test_a_name_in_a_corner_of_a_dicom_file_is_found(where: str) -> None:
    with pytest.raises(BadInput, match=where) as caught:
        SOURCE.decode(_hidden(where), LIMITS)
    assert caught.value.code == "identity"


def test_a_photo_is_turned_as_a_viewer_turns_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # The row that is stored first is shown at the right.
    stored = Image.fromarray(ramp)
    shown = Image.open(io.BytesIO(SOURCE.clean(encoded(stored, exif=exif), LIMITS).data))
    np.testing.assert_array_equal(np.asarray(shown), np.rot90(ramp, -1))


@pytest.mark.parametrize("name", ["a CT", "a DICOM of two frames", "a DICOM without pixels"])
def test_a_bad_file_with_a_name_in_it_is_an_identity_first(name: str) -> None:
    with pytest.raises(BadInput) as caught:  # Its dead letter is then without the bytes.
        SOURCE.decode(BAD[name][0](), LIMITS)
    assert caught.value.code == "identity"
