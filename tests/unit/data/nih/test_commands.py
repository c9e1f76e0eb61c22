"""chexnet data nih, as a person calls it: what is there, what is not, and the exit code."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from hashlib import md5, sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chexnet.cli.main import app
from chexnet.data.nih import archives, verify
from chexnet.data.nih.archives import BOXES, BY_HAND, LISTS, Archive
from tests.unit.data.nih.server import Site, site

DATA = bytes(range(256)) * 40


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site with one archive, in place of NIH's twelve."""
    with site(DATA) as made:
        one = Archive("images_001.tar.gz", len(DATA), md5(DATA).hexdigest(), made.url)
        monkeypatch.setattr(archives, "ARCHIVES", (one,))
        monkeypatch.setattr(verify, "ARCHIVES", (one,))
        yield made


def run(*argv: object, code: int = 0) -> str:
    told = CliRunner().invoke(app, ["data", "nih", *map(str, argv)])
    assert told.exit_code == code, told.output
    return " ".join(told.output.split())


def test_what_came_and_what_is_to_be_fetched_by_hand_are_named(
    served: Site, tmp_path: Path
) -> None:
    told = run("download", tmp_path)
    assert "images_001.tar.gz is there, as published." in told
    assert f"Still to download from {archives.SITE}: {', '.join(BY_HAND)}" in told
    assert (tmp_path / "images_001.tar.gz").read_bytes() == DATA
    (tmp_path / BOXES).write_text("")
    assert json.loads(run("download", tmp_path, "--json")) == {
        "archives": 1,
        "failed": {},
        "missing": list(LISTS),
    }
    assert len(served.asked) == 1  # What is there is not asked for again.


def test_an_archive_that_the_site_has_no_more_is_named_and_the_exit_code_is_1(
    served: Site, tmp_path: Path
) -> None:
    served.plan = ["gone"]
    assert "Not there: images_001.tar.gz must be at" in run("download", tmp_path, code=1)


def test_lists_that_are_needed_stop_what_comes_next_and_boxes_do_not(tmp_path: Path) -> None:
    told = run("lists", tmp_path, code=1)
    assert f"Missing: {', '.join(LISTS)}. Download them from {archives.SITE}" in told
    for name in LISTS:
        (tmp_path / name).write_text("")
    assert BOXES in run("lists", tmp_path)
    (tmp_path / BOXES).write_text("")
    assert run("lists", tmp_path) == "All are there."


def test_what_is_not_as_published_is_said_of_each_file(
    served: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images_001.tar.gz").write_bytes(DATA)
    monkeypatch.setattr(verify, "LISTS", {"test_list.txt": sha256(b"a").hexdigest()})
    (tmp_path / "test_list.txt").write_bytes(b"b")
    boxes(tmp_path, 983, 880)
    found = json.loads(run("verify", tmp_path, "--json", code=1))
    assert found["images_001.tar.gz"] == ""
    assert found["test_list.txt"].startswith("The SHA-256 of test_list.txt must be")
    assert found[BOXES].endswith("must have 984 boxes on 880 images. Received: 983 on 880.")
    boxes(tmp_path, 984, 880)
    (tmp_path / "test_list.txt").write_bytes(b"a")
    assert "BBox_List_2017.csv is as published." in run("verify", tmp_path)
    (tmp_path / BOXES).unlink()
    assert "BBox_List_2017.csv is not there." in run("verify", tmp_path)  # They are optional.


def boxes(folder: Path, count: int, images: int) -> None:
    with (folder / BOXES).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]", "", "", ""])
        table.writerows(
            [f"{n % images:08d}_000.png", "Mass", 1, 2, 3, 4, "", "", ""] for n in range(count)
        )
