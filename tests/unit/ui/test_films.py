"""What the viewer is sent: the model's picture first, then the film, then what came before it."""

from __future__ import annotations

import io
import threading
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chexnet import topics
from chexnet.errors import NotFound
from chexnet.inputs.chest_xray import ChestXray
from chexnet.messages import new_id, now
from chexnet.ui import films as module
from chexnet.ui.cases import Case, Cases
from chexnet.ui.films import Films, pack, uploaded_at
from tests.bad_inputs import dicom, png
from tests.unit.ui.stack import Pipeline


class Desk:
    """A viewer's end: collects what was sent."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(ChestXray())
        self.cases = Cases(self.pipeline.source)
        self.sent: list[tuple[Mapping[str, Any], bytes | None]] = []
        self._changed = threading.Condition()
        self.films = Films(self.pipeline, self.pipeline.source, self._take)

    def _take(self, told: Mapping[str, Any], data: bytes | None) -> None:
        with self._changed:
            self.sent.append((told, data))
            self._changed.notify_all()

    def case(self, data: bytes, patient: str | None = None) -> Case:
        self.pipeline.send(data, patient=patient)
        upload = max(self.pipeline.uploads(), key=lambda m: m.headers.upload_id)
        self.pipeline.check(upload)
        (image,) = (
            m
            for m in self.pipeline.bus.read([topics.IMAGES]).to_end()
            if m.headers.upload_id == upload.headers.upload_id
        )
        self.cases.see(image)
        return self.cases.all()[-1]

    def told(self, count: int) -> list[Mapping[str, Any]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.sent) >= count, 20)
        return [told for told, _ in self.sent]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    made = Desk()
    yield made
    made.films.close()


def test_the_models_picture_comes_first_and_then_the_film_with_all_its_pixels(desk: Desk) -> None:
    case = desk.case(png(300))
    desk.films.want(case, case.image_id)
    first, second = desk.told(2)
    assert (first["rows"], first["sharp"]) == (224, False)
    assert (second["rows"], second["columns"], second["sharp"]) == (300, 300, True)
    assert len(zlib.decompress(desk.sent[1][1] or b"")) == 300 * 300


def test_a_film_with_more_than_8_bits_keeps_them(desk: Desk) -> None:
    case = desk.case(dicom())
    shown, data = pack(desk.pipeline.picture(case.image_id))
    values = np.frombuffer(zlib.decompress(data), "<u2")
    assert (shown["bits"], len(np.unique(values)) > 256) == (16, True)


def test_colour_is_passed_on_as_it_is() -> None:
    file = io.BytesIO()
    Image.new("RGB", (3, 2), (1, 2, 3)).save(file, "PNG")
    shown, data = pack(file.getvalue())
    assert shown == {"rows": 2, "columns": 3, "channels": 3, "bits": 8}
    assert zlib.decompress(data) == bytes([1, 2, 3] * 6)


def test_only_the_patients_own_images_from_before_are_offered(desk: Desk) -> None:
    first = desk.case(png(100), patient="p")
    desk.case(png(101))
    case = desk.case(png(102), patient="p")
    desk.case(png(103), patient="p")
    desk.films.want(case, case.image_id)
    earlier = desk.told(3)[-1]
    assert [film["image"] for film in earlier["films"]] == [first.image_id]


def test_a_film_that_the_archive_has_not_yet_is_asked_for_again(desk: Desk, monkeypatch) -> None:
    have, asked = desk.pipeline.picture, []

    def late(image_id: str) -> bytes:
        asked.append(image_id)
        if len(asked) < 3:
            raise NotFound("Not yet.")
        return have(image_id)

    monkeypatch.setattr(desk.pipeline, "picture", late)
    case = desk.case(png(100))
    desk.films.want(case, case.image_id)
    assert desk.told(2)[1]["sharp"]


def test_the_models_picture_waits_for_no_film(desk: Desk, monkeypatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(desk.pipeline, "picture", lambda image_id: go.wait(20) and png(9))
    cases = [desk.case(png(100 + number)) for number in range(3)]
    for case in cases:
        desk.films.want(case, case.image_id)
    assert [told["image"] for told in desk.told(3)] == [case.image_id for case in cases]
    assert not any(told.get("sharp", True) for told, _ in desk.sent)
    desk.films.close()
    go.set()


def test_going_through_a_list_fetches_what_is_stopped_at(desk: Desk, monkeypatch) -> None:
    have, asked, go = desk.pipeline.picture, [], threading.Event()

    def slow(image_id: str) -> bytes:
        asked.append(image_id)
        go.wait(20)
        return have(image_id)

    monkeypatch.setattr(desk.pipeline, "picture", slow)
    cases = [desk.case(png(100 + number)) for number in range(12)]
    for case in cases:
        desk.films.want(case, case.image_id)
    go.set()
    sharp = desk.told(len(cases) + 1)[-1]
    assert (sharp["image"], sharp["sharp"]) == (cases[-1].image_id, True)
    assert len(asked) <= 2  # The first, which was under way, and the last.
    assert asked[-1] == cases[-1].image_id


def test_who_waits_for_a_film_that_is_late_does_not_keep_the_next_from_coming(
    desk: Desk, monkeypatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 3600)
    have, late = desk.pipeline.picture, desk.case(png(100))

    def picture(image_id: str) -> bytes:
        if image_id == late.image_id:
            raise NotFound("Not yet.")
        return have(image_id)

    monkeypatch.setattr(desk.pipeline, "picture", picture)
    desk.films.want(late, late.image_id)
    case = desk.case(png(101))
    desk.films.want(case, case.image_id)
    told = desk.told(3)
    assert (told[-1]["image"], told[-1]["sharp"]) == (case.image_id, True)
    assert not any(one["type"] == "problem" for one in told)  # Nobody looks at that one now.


def test_a_film_that_never_comes_is_told_in_words(desk: Desk, monkeypatch) -> None:
    def never(image_id: str) -> bytes:
        raise NotFound("An image is shown from the archive.")

    monkeypatch.setattr(desk.pipeline, "picture", never)
    case = desk.case(png(100))
    desk.films.want(case, case.image_id)
    assert desk.told(2)[1]["type"] == "problem"


def test_a_broken_film_is_told_and_the_next_one_comes(desk: Desk, monkeypatch) -> None:
    have, broken = desk.pipeline.picture, desk.case(png(100))
    monkeypatch.setattr(
        desk.pipeline, "picture", lambda i: b"no PNG" if i == broken.image_id else have(i)
    )
    desk.films.want(broken, broken.image_id)
    assert "can't be shown" in desk.told(2)[1]["text"]
    case = desk.case(png(101))
    desk.films.want(case, case.image_id)
    assert desk.told(4)[-1]["sharp"]


def test_an_uploads_id_says_when_it_was() -> None:
    assert abs((uploaded_at(new_id()) - now()).total_seconds()) < 60
