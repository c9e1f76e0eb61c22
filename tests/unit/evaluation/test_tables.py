"""The files that an evaluation is made from, in the formats in which they come."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from chexnet.errors import ConfigError
from chexnet.evaluation import tables

LABELS = ("Mass", "Nodule", "Hernia")
# The first lines as NIH publishes them: the header's unquoted commas make 11 columns of 9 names.
OFFICIAL = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    """
00000001_000.png,Mass|Hernia,0,1,58,M,PA,2682,2749,0.143,0.143
00000001_001.png,No Finding,1,1,412,M,AP,2894,2729,0.143,0.143
00000002_000.png,Nodule,0,2,004Y,F,,2894,2729,0.143,0.143
"""
)


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_nihs_own_table_is_read_with_its_two_ways_of_writing_an_age(tmp_path: Path) -> None:
    known = tables.reference(write(tmp_path, OFFICIAL), LABELS)
    assert known["00000001_000.png"].findings == (1, 0, 1)
    assert known["00000001_000.png"].patient == "nih-1"  # As in an import.
    assert known["00000001_000.png"].details == {"sex": "M", "age": "40-59", "view": "PA"}
    assert known["00000001_001.png"].findings == (0, 0, 0)
    assert known["00000001_001.png"].details["age"] == ""  # Nobody is 412.
    assert known["00000002_000.png"].details == {"sex": "F", "age": "0-19", "view": ""}


def test_a_table_of_imports_is_read_and_what_it_does_not_say_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path, "file,patient,Mass,Nodule,sex,age\na.png,p,1,,F,33\nb.png,,0,1,,\n")
    known = tables.reference(path, LABELS)
    assert known["a.png"].findings == (1, None, None)
    assert known["a.png"].details == {"sex": "F", "age": "20-39", "view": ""}
    assert known["b.png"].patient == "b.png"  # Of nobody known: a patient of its own.


def test_predictions_and_what_is_known_are_joined_by_name(tmp_path: Path) -> None:
    path = tmp_path / "said.csv.gz"
    path.write_bytes(
        gzip.compress(
            b"Image Index,prob_Nodule,prob_Mass\n00000002_000.png,.9,.1\n"
            b"00000001_000.png,.2,.8\nunheard.png,.5,.5\n"
        )
    )
    said = tables.predictions(path, LABELS)
    assert said.labels == ("Mass", "Nodule")  # In the input's order; Hernia has no column.
    notes: list[str] = []
    known = tables.reference(write(tmp_path, OFFICIAL), said.labels)
    scored = tables.join(said, known, notes)
    assert scored.image.tolist() == ["00000002_000.png", "00000001_000.png"]
    np.testing.assert_array_equal(scored.probabilities, [[0.1, 0.9], [0.8, 0.2]])
    np.testing.assert_array_equal(scored.present, [[False, True], [True, False]])
    assert scored.known.all()
    assert scored.patients == 2
    assert scored.details["sex"].tolist() == ["F", "M"]
    assert notes == ["1 of 3 images are not in the reference: unheard.png"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,Mass\na,1\n", r"One column must name the image.*Received: name, Mass"),
        ("image_id,Fracture\na,1\n", r"column for each label.*Received: image_id, Fracture"),
        ("image_id,Mass\na,.1\na,.2\n", r"come once\. Received: 'a' again in line 3"),
        ("image_id,Mass\na,high\n", r"must be a number\. Received: 'high' for Mass in line 2"),
        ("image_id,Mass\na,\n", r"must be a number\. Received: '' for Mass in line 2"),
    ],
)
def test_predictions_that_cannot_be_meant_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tables.predictions(write(tmp_path, text), LABELS)


@pytest.mark.parametrize("cell", ["1.2", "-0.1", "nan"])
def test_a_probability_beyond_0_and_1_is_named_with_its_image(tmp_path: Path, cell: str) -> None:
    said = tables.predictions(write(tmp_path, f"image_id,Mass\na,{cell}\n"), LABELS)
    known = tables.reference(write(tmp_path, "image_id,Mass\na,1\n", "known.csv"), said.labels)
    with pytest.raises(ConfigError, match=rf"within 0 and 1\. Received: {cell} for Mass of a"):
        tables.join(said, known, [])


def test_files_of_other_images_are_refused(tmp_path: Path) -> None:
    said = tables.predictions(write(tmp_path, "image_id,Mass\na,.3\n"), LABELS)
    known = tables.reference(write(tmp_path, "image_id,Mass\nb,1\n", "known.csv"), said.labels)
    with pytest.raises(ConfigError, match="none in common of 1"):
        tables.join(said, known, [])


def test_a_finding_that_is_neither_0_nor_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'yes' for Mass in line 2"):
        tables.reference(write(tmp_path, "image_id,Mass\na,yes\n"), LABELS)


def test_nihs_boxes_are_in_shares_of_the_image_and_spelled_as_the_labels(tmp_path: Path) -> None:
    text = "Image Index,Finding Label,Bbox [x,y,w,h],,,\na.png,Infiltrate,256,512,128,64,,,\n"
    (box,) = tables.boxes(write(tmp_path, text))
    assert (box.image, box.label) == ("a.png", "Infiltration")
    assert box.edges.tolist() == [0.25, 0.5, 0.375, 0.5625]


def test_a_box_without_numbers_is_named_with_its_line(tmp_path: Path) -> None:
    text = "Image Index,Finding Label,Bbox [x,y,w,h],,,\na.png,Mass,1,2,x,4\n"
    with pytest.raises(ConfigError, match=r"four numbers.*in line 2"):
        tables.boxes(write(tmp_path, text))


def test_all_984_official_boxes_are_read(shared: Path) -> None:
    found = tables.boxes(shared / "reference" / "BBox_List_2017.csv")
    assert len(found) == 984
    assert len({box.image for box in found}) == 880
    assert len({box.label for box in found}) == 8
    assert all(0 <= edge <= 1.001 for box in found for edge in box.edges)
