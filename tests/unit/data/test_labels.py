"""Tables of labels: what they may hold, and what several of them say together."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from chexnet.data.labels import Row, merge, parse_table, read_labels, table_of
from chexnet.errors import ConfigError

LABELS = ("Effusion", "Mass")
PRESENT, ABSENT, UNKNOWN = 1, 0, 255


def table(**rows: tuple[int, int]) -> list[tuple[str, Row]]:
    return [(image, Row("", findings)) for image, findings in rows.items()]


def test_a_table_comes_back_as_it_went(tmp_path: Path) -> None:
    rows = [("i1", Row("p1", (1, 0))), ("i2", Row("", (UNKNOWN, 1)))]
    data = table_of(rows, LABELS)
    assert data == b"image_id,patient,Effusion,Mass\ni1,p1,1,0\ni2,,,1\n"
    (tmp_path / "t.csv").write_bytes(data)
    assert list(parse_table(tmp_path / "t.csv", LABELS)) == rows


def test_a_split_and_details_come_back_as_they_went(tmp_path: Path) -> None:
    told = Row("p1", (1, 0), "test", {"age": "40-59"})
    rows = [("i1", told), ("i2", Row("", (UNKNOWN, 1)))]
    data = table_of(rows, LABELS)
    assert data == b"image_id,patient,Effusion,Mass,split,age\ni1,p1,1,0,test,40-59\ni2,,,1,,\n"
    (tmp_path / "t.csv").write_bytes(data)
    assert list(parse_table(tmp_path / "t.csv", LABELS)) == rows


def test_a_label_that_a_table_lacks_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image_id,Mass,site\ni1,1,50\n")
    assert list(parse_table(tmp_path / "t.csv", LABELS)) == [("i1", Row("", (UNKNOWN, 1)))]


@pytest.mark.parametrize("head", ["", "file,Mass", "image_id,patient", "Mass"])
def test_a_table_of_something_else_is_refused_by_its_name(tmp_path: Path, head: str) -> None:
    (tmp_path / "t.csv").write_text(f"{head}\n")
    with pytest.raises(ConfigError, match=r"must have the column image_id .* in t\.csv"):
        list(parse_table(tmp_path / "t.csv", LABELS))


def test_the_mark_that_spreadsheets_write_in_front_is_no_part_of_a_column(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xef\xbb\xbffile,Effusion,Mass\nf.png,1,0\n")
    assert read_labels(tmp_path / "labels.csv", LABELS)[0].file == "f.png"


def test_tables_complete_each_other() -> None:
    one, other = table(i=(PRESENT, UNKNOWN)), table(i=(UNKNOWN, ABSENT), j=(ABSENT, ABSENT))
    assert merge({"one": one, "other": other}).findings == {"i": (1, 0), "j": (0, 0)}


def test_a_finding_on_which_imports_disagree_is_unknown_in_any_order() -> None:
    said = [table(i=(1, 1)), table(i=(0, 1)), table(i=(1, UNKNOWN))]
    for order in permutations(said):
        merged = merge(dict(zip("abc", order, strict=True)))
        assert merged.findings == {"i": (UNKNOWN, 1)}
        assert merged.disputed == {"i"}


def test_one_table_that_contradicts_itself_is_no_better() -> None:
    merged = merge({"a": [*table(i=(1, 1)), *table(i=(0, 1))]})
    assert merged.findings == {"i": (UNKNOWN, 1)}


def test_readers_decide_and_what_they_left_open_stays_as_it_was() -> None:
    imports = {"a": table(i=(1, 1), j=(1, 1)), "b": table(i=(0, 1))}
    merged = merge({**imports, "readers": table(i=(0, UNKNOWN), k=(1, 0))})
    assert merged.findings == {"i": (0, 1), "j": (1, 1), "k": (1, 0)}
    assert (merged.read, merged.disputed) == ({"i", "k"}, set())


def test_an_image_of_which_nothing_is_known_is_not_labelled() -> None:
    merged = merge({"a": table(i=(UNKNOWN, UNKNOWN)), "readers": table(j=(UNKNOWN, UNKNOWN))})
    assert (merged.findings, merged.read) == ({}, set())
