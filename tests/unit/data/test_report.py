"""chexnet data report: counts by hand, and the splits that a dataset would have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from chexnet.cli.main import app
from chexnet.data.splits import split_of
from chexnet.inputs.base import Limits, load

SOURCE = load("chest_xray")
HEAD = ["file", "patient", *SOURCE.labels, "sex", "age", "view"]


def table(folder: Path, *rows: tuple[str, str, dict[str, int], str, str, str]) -> None:
    """Write labels.csv: file, patient, findings that are present or absent, sex, age, view."""
    lines = [",".join(HEAD)]
    for file, patient, known, *details in rows:
        cells = (str(known.get(label, "")) for label in SOURCE.labels)
        lines.append(",".join([file, patient, *cells, *details]))
    (folder / "labels.csv").write_text("\n".join(lines))


def told(folder: Path, *options: object) -> dict:
    argv = ["data", "report", str(folder), "--json", *map(str, options)]
    result = CliRunner().invoke(app, argv)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_counts_are_of_images_and_what_comes_together_of_both(tmp_path: Path) -> None:
    table(
        tmp_path,
        ("a.png", "p1", {"Mass": 1, "Edema": 1, "Hernia": 0}, "F", "58", "PA"),
        ("b.png", "p1", {"Mass": 1, "Edema": 0}, "F", "59", "AP"),
        ("c.png", "p2", {"Mass": 0}, "M", "", "PA"),
    )
    found = told(tmp_path, "--out", tmp_path / "out")
    assert (found["images"], found["patients"], found["none"]) == (3, 2, 1)
    one, two = split_of("p1"), split_of("p2")
    assert found["positive"]["Mass"] == {one: 2}
    assert found["known"] == {
        **dict.fromkeys(SOURCE.labels, 0),
        "Mass": 3,
        "Edema": 2,
        "Hernia": 1,
    }
    mass, edema = SOURCE.labels.index("Mass"), SOURCE.labels.index("Edema")
    both = found["together"]
    assert (both[mass][mass], both[mass][edema], both[edema][edema]) == (2, 1, 1)
    assert sum(found["splits"].values()) == 3
    assert found["splits"][one] >= 2 - (one == two)
    assert found["details"] == {
        "sex": {"F": 2, "M": 1},
        "age": {"50-59": 2, "unknown": 1},
        "view": {"AP": 1, "PA": 2},
    }
    assert json.loads((tmp_path / "out/report.json").read_text()) == found
    with Image.open(tmp_path / "out/report.png") as drawn:
        assert drawn.width > 800


def test_an_image_of_nobody_known_is_in_the_split_that_a_dataset_gives_it(tmp_path: Path) -> None:
    rows, wanted = [], []
    for number in range(12):
        name = f"{number}.png"
        Image.new("L", (64, 64), 10 * number).save(tmp_path / name)
        cleaned = SOURCE.clean((tmp_path / name).read_bytes(), Limits())
        wanted.append(split_of(cleaned.image_id))
        rows.append((name, "", {"Mass": 1}, "", "", ""))
    table(tmp_path, *rows, ("gone.png", "", {"Mass": 1}, "", "", ""))
    found = told(tmp_path)
    counts = {split: wanted.count(split) for split in set(wanted)}
    assert found["splits"] == {**counts, "unknown": 1}  # What can't be read is in no dataset.
    assert found["patients"] == 13


def test_a_table_without_a_row_is_none_of_everything(tmp_path: Path) -> None:
    table(tmp_path)
    found = told(tmp_path, "--out", tmp_path)
    assert (found["images"], found["patients"], found["none"]) == (0, 0, 0)
    assert found["together"] == [[0] * 14] * 14


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_that_the_table_tells_needs_no_file(tmp_path: Path, split: str) -> None:
    (tmp_path / "labels.csv").write_text(
        ",".join(["file", "split", *SOURCE.labels]) + f"\nnone.png,{split}," + "," * 13
    )
    assert told(tmp_path)["splits"] == {split: 1}
