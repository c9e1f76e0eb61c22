"""chexnet predict and upload, through the real gateway over the bus in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from msgspec import structs
from typer.testing import CliRunner

from chexnet import release as releases
from chexnet.adapters.gateway import HttpGateway
from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.cli.desk import Desk
from chexnet.cli.findings import known
from chexnet.cli.main import app
from chexnet.cli.sending import shortened
from chexnet.errors import BadInput, Unavailable
from chexnet.experiments import decisions
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.inputs.chest_xray import ChestXray
from chexnet.messages import CHAMPION, Headers, Message, Tensor
from chexnet.models import card as cards
from chexnet.settings import Settings
from chexnet.topics import PREDICTIONS, UPLOADS
from tests.bad_inputs import png, zipped
from tests.unit.experiments.records import START, prediction
from tests.unit.gateway.test_gateway import Site
from tests.unit.test_release import CARD, tree
from tests.unit.test_settings import SITE

FAR = {"features": Tensor.of(np.array([9.0]))}
COMMIT = "0123456789abcdef"


class Answering(MemoryBus):
    """A bus behind which a version answers each upload at once."""

    answers = True

    def send(self, messages: Sequence[Message]) -> None:
        super().send(messages)
        for m in messages:
            if m.topic == UPLOADS and self.answers:
                scores = {"Mass": 0.9, "Pleural_Thickening": 0.1}
                ids = {"upload_id": m.headers.upload_id, "version": 1}
                said = prediction(m.headers.image_id, m.key, CHAMPION, scores, **ids, **FAR)
                headers = Headers(schema="prediction/1", created_at=START, upload_id=said.upload_id)
                made = Message(topic=PREDICTIONS, key=m.key, value=said.encode(), headers=headers)
                super().send([made])


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk at which nothing answers yet; the commands find the gateway and it."""
    for name, value in {**SITE, "CHEXNET_GATEWAY__TOKEN_FILE": str(tmp_path / "token")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CHEXNET_ENV_FILE", str(tmp_path / "none.env"))
    (tmp_path / "token").write_text("secret")
    site = Site(bus=Answering())

    class Wired(HttpGateway):
        def __init__(self, settings: object) -> None:
            super().__init__(settings)  # type: ignore[arg-type]
            self._client = site.client

    made = Desk(settings=Settings(), bus=site.bus, store=MemoryStore(), replicas={})

    @contextmanager
    def desk() -> Iterator[Desk]:
        yield made

    monkeypatch.setattr("chexnet.adapters.gateway.HttpGateway", Wired)
    monkeypatch.setattr("chexnet.cli.desk.desk", desk)
    return made


@pytest.fixture
def answering(at: Desk, tmp_path: Path) -> Desk:
    """The same with a champion whose card has all."""
    at.store.ensure("models-a")
    card = structs.replace(
        CARD,
        line="a",
        dataset=f"dataset@{COMMIT}",
        labels=("Mass", "Pleural_Thickening"),
        thresholds={"Mass": 0.8, "Pleural_Thickening": 0.5},
        temperature=2.0,
        feature_distance=3.0,
    )
    at.store.write("models-a", {**tree(), f"/release/{cards.CARD}": card.encode()})
    by = By(who="jd", at=START)
    where = {"model": "xray", "line": "a", "commit": None, "who": by.who, "at": by.at}
    releases.publish(at.store, tmp_path / "models", **where)
    decisions.promote(at.bus, read(at.bus, "xray"), 1, [], [], {}, by)
    return at


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (tmp_path / "film.png").write_bytes(png())
    return tmp_path / "film.png"


def run(*argv: object) -> Result:
    env = {"COLUMNS": "80", "NO_COLOR": "1", "TERMINAL_WIDTH": "400"}
    return CliRunner().invoke(app, [*map(str, argv)], env=env)


def sent(at: Desk) -> list[str]:
    return [m.headers.upload_id for m in at.bus.read([UPLOADS]).to_end()]


def test_a_prediction_is_shown_as_the_workspace_shows_it(answering: Desk, film: Path) -> None:
    told = run("predict", film).stdout
    assert "Calibrated" in told
    rows = {line.split("│")[1].strip(): line for line in told.splitlines() if " %" in line}
    assert "▲ 75 %" in rows["Mass"]  # The root of the odds: 3 to 1.
    assert " 25 %" in rows["Pleural Thickening"]
    assert "▲" not in rows["Pleural Thickening"]
    assert "unlike those that the model was judged on" in told
    assert "trained as line a on dataset@0123456789ab." in told
    assert json.loads(run("predict", film, "--json").stdout)["probabilities"]["Mass"] == 0.9


def test_without_its_card_an_answer_is_not_called_calibrated(answering: Desk, film: Path) -> None:
    answering.store.write("releases", {}, remove=["/releases/1.json"])
    told = run("predict", film).stdout
    assert "90 %" in told
    assert "Not calibrated: compare" in told
    assert "Without the version's card" in told


@pytest.mark.parametrize(
    "command", [("predict",), ("upload", "--wait"), ("upload", "--wait", "--json")]
)
def test_where_no_version_answers_yet_it_says_so_at_once(
    at: Desk, film: Path, command: tuple[str, ...]
) -> None:
    at.bus.answers = False
    done = run(*command, film)
    (upload_id,) = sent(at)
    assert isinstance(done.exception, Unavailable)
    assert f"Received: none yet. Nothing is lost: upload {upload_id} waits" in str(done.exception)
    assert (upload_id in done.stdout) == (command[0] == "upload")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("--finding", "Mass"), "Received: no --overlay"),
        (("--finding", "Flu", "--overlay", "x.png"), "Received: Flu"),
    ],
)
def test_an_option_that_can_have_no_effect_is_refused_before_anything_is_sent(
    answering: Desk, film: Path, argv: tuple[str, ...], complaint: str
) -> None:
    done = run("predict", film, *argv)
    assert (done.exit_code, sent(answering)) == (2, [])
    assert complaint in " ".join(done.output.replace("│", " ").split())


@pytest.mark.parametrize("many", ["", "films.zip"])
def test_what_may_hold_many_images_is_sent_by_upload(
    answering: Desk, tmp_path: Path, many: str
) -> None:
    (tmp_path / "films.zip").write_bytes(zipped(**{"a.png": png()}))
    done = run("predict", tmp_path / many)
    assert (done.exit_code, sent(answering)) == (2, [])
    assert "chexnet upload" in done.output


@pytest.mark.parametrize(
    "typed", ["Pleural_Thickening", "Pleural Thickening", " pleural thickening"]
)
def test_a_findings_name_may_be_typed_as_people_read_it(typed: str) -> None:
    assert known(typed, ChestXray.labels) == "Pleural_Thickening"
    with pytest.raises(typer.BadParameter, match=r"Received: Flu\."):
        known("Flu", ChestXray.labels)


def test_who_waits_is_told_each_images_id_and_what_it_most_probably_shows(
    answering: Desk, film: Path
) -> None:
    done = run("upload", film, "--wait")
    (upload_id,) = sent(answering)
    assert done.exit_code == 0
    assert f"{upload_id}  Mass ▲ 75 % *" in done.stdout
    assert "* unlike the images that the model was judged on." in done.stdout
    assert "chexnet lineage UPLOAD_ID" in done.stdout


def test_who_watches_sees_the_same_figures(
    answering: Desk, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow = answering.bus.read

    def begun(topics: object, **_: object) -> object:
        return follow(topics)  # From the beginning: who watches here comes after the upload.

    run("upload", film)
    monkeypatch.setattr(answering.bus, "read", begun)
    told = run("watch", "--count", "1").stdout
    assert "version 1  Mass ▲ 75 %, Pleural Thickening 25 %" in told


def test_who_does_not_wait_is_told_the_ids(answering: Desk, film: Path) -> None:
    told = run("upload", film).stdout
    assert sent(answering)[0] in told
    assert "Mass" not in told


def test_a_bad_file_in_a_zip_is_named_and_the_zip_where_it_is_bad_itself(
    answering: Desk, tmp_path: Path
) -> None:
    inside = {"__MACOSX/x": b"", "a.png": png(), "sub/b\x1b.png": b"no image"}
    (tmp_path / "films.zip").write_bytes(zipped(**inside))
    (tmp_path / "bad.zip").write_bytes(zipped(**{f"f{n}": b"x" for n in range(1001)}))
    done = run("upload", tmp_path / "films.zip", tmp_path / "bad.zip", "--json")
    first, second = done.stderr.splitlines()
    assert first.startswith(f"{tmp_path / 'films.zip'}/sub/b?.png: ")
    assert second.startswith(f"{tmp_path / 'bad.zip'}: ")
    assert [entry["file"] for entry in json.loads(done.stdout)] == [
        f"{tmp_path / 'films.zip'}/a.png"
    ]
    assert done.exit_code == 1


def test_a_rejected_image_is_told_with_its_reason(answering: Desk, tmp_path: Path) -> None:
    (tmp_path / "film.png").write_bytes(png()[:-40])
    done = run("predict", tmp_path / "film.png")
    assert isinstance(done.exception, BadInput)
    assert "Received: one that can't be read. Export it again." in str(done.exception)


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        ([], []),
        (["film.png"], ["film.png"]),
        (["/ward/a/film.png"], ["film.png"]),
        (["./a/1.png", "a/b/2.png"], ["1.png", "b/2.png"]),
        (["/ward/five.zip/1.png", "/ward/2.png"], ["five.zip/1.png", "2.png"]),
    ],
)
def test_files_are_told_without_the_folders_that_all_are_in(
    paths: list[str], told: list[str]
) -> None:
    assert shortened(paths) == told
