"""Known findings from a table: words, empty cells, files, and importing twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.errors import ConfigError
from chexnet.experiments.observed import observe
from chexnet.experiments.references import feedback, message, read_table
from chexnet.experiments.truths import truths
from chexnet.messages import CHAMPION, Feedback, decode
from tests.unit.experiments.records import START, prediction

LABELS = ("Effusion", "Mass", "Nodule")
PREDICTIONS = [prediction("i", "p", CHAMPION, {}), prediction("j", "q", CHAMPION, {})]


@pytest.fixture
def table(tmp_path: Path):
    def written(text: str) -> Path:
        (tmp_path / "reads.csv").write_text(text)
        return tmp_path / "reads.csv"

    return written


def imported(rows, reader="r"):
    return feedback(rows, PREDICTIONS, reader=reader, protocol="reference", at=START)


def test_numbers_words_and_empty_cells_are_findings(table) -> None:
    text = "image_id,age,Effusion,Mass,Nodule\ni,52,1,absent,\nj,7,Unsure,present,0\n"
    first, second = read_table(table(text), LABELS, {})
    assert first.findings == {"Effusion": "present", "Mass": "absent", "Nodule": "not_assessed"}
    assert second.findings == {"Effusion": "unsure", "Mass": "present", "Nodule": "absent"}


def test_a_row_finds_its_image_by_either_id_or_by_its_file(table) -> None:
    by_image = read_table(table("image_id,Mass\ni,1\n"), LABELS, {})
    by_upload = read_table(table("upload_id,Mass\nupload-i,1\n"), LABELS, {})
    by_file = read_table(table("file,patient,Mass\nx.png,p,1\n"), LABELS, {"x.png": "upload-i"})
    for rows in (by_image, by_upload, by_file):
        (read,), unknown = imported(rows)
        assert (read.image_id, read.unit, unknown) == ("i", "p", [])
        assert (read.protocol, read.findings) == ("reference", {"Mass": "present"})


def test_what_no_prediction_knows_is_named(table) -> None:
    rows = read_table(table("file,Mass\nx.png,1\ny.png,1\n"), LABELS, {"x.png": "upload-j"})
    made, unknown = imported(rows)
    assert ([read.image_id for read in made], unknown) == (["j"], ["y.png"])


def test_importing_twice_is_importing_once(table) -> None:
    rows = read_table(table("image_id,Mass\ni,1\n"), LABELS, {})
    (one,), _ = imported(rows)
    (two,), _ = imported(rows)
    (other,), _ = imported(rows, reader="s")
    assert one.feedback_id == two.feedback_id != other.feedback_id


def later(table, text: str, known, minutes: int):
    rows = read_table(table(text), LABELS, {})
    made, _ = feedback(
        rows,
        PREDICTIONS,
        reader="r",
        protocol="reference",
        at=START + timedelta(minutes=minutes),
        known=known,
    )
    return [*known, *made]


def test_what_is_on_record_makes_no_read_again_until_it_was_changed(table) -> None:
    absent, present = "image_id,Mass,Nodule\ni,0,\n", "image_id,Mass\ni,1\n"
    one = later(table, absent, [], 0)
    assert later(table, absent, one, 1) == one
    two = later(table, present, one, 2)
    back = later(table, absent, two, 3)
    assert len({f.feedback_id for f in back}) == 3  # A, B and A again.
    assert truths(back)["i"].findings == {"Mass": "absent"}
    assert later(table, absent, back, 4) == back
    other = later(table, "image_id,Nodule\ni,1\n", back, 5)
    assert later(table, absent, other, 6) == other  # Of another column nothing was changed.


def test_an_import_again_takes_no_patient_out_of_the_sequence(table) -> None:
    bus, store = MemoryBus(), MemoryStore()
    rows = read_table(table("image_id,Mass\ni,1\n"), LABELS, {})
    for days in (0, 40):  # As two people do who import at once, and know nothing of each other.
        at = START + timedelta(days=days)
        made, _ = feedback(rows, PREDICTIONS, reader="r", protocol="reference", at=at)
        bus.send([message(read) for read in made])
    (read,) = observe(bus, store, until=START + timedelta(days=60)).feedback
    assert read.recorded_at == START


def test_it_is_sent_under_its_unit(table) -> None:
    (read,), _ = imported(read_table(table("upload_id,Mass\nupload-i,1\n"), LABELS, {}))
    sent = message(read)
    assert (sent.key, sent.headers.upload_id, sent.headers.image_id) == ("p", "upload-i", "i")
    assert decode(sent, Feedback) == read


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Received: no column"),
        ("name,Mass\ni,1\n", "Received: name, Mass"),
        ("image_id,Tumour\ni,1\n", "The labels are Effusion, Mass, Nodule"),
        ("image_id,Mass\ni,maybe\n", "'maybe' for Mass in line 2"),
    ],
)
def test_a_table_that_is_none_says_why(table, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_table(table(text), LABELS, {})
