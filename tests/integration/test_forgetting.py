"""A patient is forgotten: nothing of them is left in any commit or on the disk."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from chexnet import topics
from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.adapters.pachyderm.connection import Connection
from chexnet.adapters.pachyderm.erasing import Eraser
from chexnet.cli.desk import Desk
from chexnet.cli.main import app
from chexnet.errors import NotFound
from chexnet.messages import Audit, Prediction, decode, now
from chexnet.pipelines.cut import every, follow
from chexnet.runtime.forgetting import Erased, Forgetting, Found
from chexnet.settings import (
    GatewaySettings,
    KafkaSettings,
    ServingSettings,
    Settings,
    StoreSettings,
)
from tests import sites
from tests.sites import PROJECT, Site
from tests.waveform import signals

pytestmark = pytest.mark.slow
WHO = "3f2a9c01-patient7"


class Held:
    """A site that holds the patient in every way, and others beside."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        traces = [signal.data for signal in signals.draw(40, seed=3)]
        self.sent = site.upload(traces[:2], unit=WHO)
        others = site.upload(traces[3:20])
        site.read([*self.sent, *others], "Fast")
        self.sent += site.upload([traces[2]], unit=WHO)  # Which nobody reads: the report names it.
        broken = f"/data/{now():%Y%m%d}/{WHO}/u1.{'0' * 64}.bin"
        site.store.write("raw", {broken: b"no trace"})  # Its datum has a record, and no output.
        signals.write(folder / "traces", 30, seed=4)
        table = folder / "traces" / "labels.csv"
        head, first, *rest = table.read_text().splitlines()
        name, _, findings = first.split(",", 2)
        table.write_text("\n".join([head, f"{name},{WHO},{findings}", *rest]))
        site.import_(folder / "traces", "traces")
        site.store.ensure("predictions")
        for upload in self.sent:
            made = prediction(upload.headers.upload_id, upload.headers.image_id)
            path = f"/data/{now():%Y%m%d}/{WHO}/{made.prediction_id}.json"
            site.store.write("predictions", {path: made.encode()})
        self.first = site.cut()
        site.read(site.upload(traces[20:22]), "Fast")
        self.second = site.cut()
        at = Connection(site.store._at.address, PROJECT)
        self.forgetting = Forgetting(site.store, Eraser(at), WHO)

    def erase(self) -> Erased:
        return erase(self.site, self.forgetting)

    def traces_on_disk(self) -> list[str]:
        store = self.folder / "store"
        kept = [file for file in store.rglob("*") if file.is_file()]
        secrets = {"pseudonym": WHO.encode()} | {
            f"upload {n}": upload.value for n, upload in enumerate(self.sent)
        }
        secrets |= {
            f"note {n}": sites.note_on(upload).encode() for n, upload in enumerate(self.sent)
        }
        return [
            f"{name} in {file.name}"
            for name, data in secrets.items()
            for file in kept
            if data in file.read_bytes()
        ]


def no(*_: object) -> None:
    """Show no progress."""


def erase(site: Site, forgetting: Forgetting) -> Erased:
    """Erase as `chexnet forget` does."""
    return forgetting.erase(lambda: follow(site.pipelines, no), lambda: site.cut(anew=True))


def prediction(upload_id: str, image_id: str) -> Prediction:
    return Prediction(
        upload_id=upload_id,
        image_id=image_id,
        unit=WHO,
        kind="answer",
        arm="champion",
        version=1,
        revision=1,
        experiment=None,
        model=PROJECT,
        tensor_sha256="",
        probabilities={"Fast": 0.5},
        seconds=0.1,
        uploaded_at=now(),
        predicted_at=now(),
    )


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    with sites.site(tmp_path, "waveform") as site:
        yield Held(site, tmp_path)


def units(site: Site, commit: str) -> set[str]:
    shards = (data for _, data in site.store.fetch("dataset", "/shards", commit))
    return {str(u) for data in shards for u in np.load(io.BytesIO(data))["unit"]}


def test_nothing_of_a_patient_is_left_and_all_of_the_others(held: Held) -> None:
    site = held.site
    assert WHO in units(site, held.first.commit)
    before = units(site, held.second.commit)
    found = held.forgetting.find()
    assert found.files == {"raw": 4, "nih": 1, "images": 4, "predictions": 3, "feedback": 2}
    assert found.shared == {"labels": 5, "dataset": 4}
    assert held.traces_on_disk()

    held.erase()

    assert held.forgetting.find().nothing
    assert held.traces_on_disk() == []
    newest = site.cut()
    assert not newest.new
    assert units(site, newest.commit) == before - {WHO}
    assert list(site.store._pfs.fsck()) == []


def test_the_pipelines_go_on_after_a_patient_was_forgotten(held: Held) -> None:
    held.erase()
    (late,) = held.site.upload([next(iter(signals.draw(1, seed=9))).data])
    job = held.site.settled()
    assert (job.state, job.processed, job.failed) == ("success", 1, 0)
    paths = held.site.store.list("images", "/data")
    assert any(late.headers.upload_id in path for path in paths)
    assert not any(WHO in path for path in paths)


def test_a_stranger_is_nobody(held: Held) -> None:
    at = Connection(held.site.store._at.address, PROJECT)
    stranger = Forgetting(held.site.store, Eraser(at), "nobody")
    assert stranger.find() == Found(files={}, shared={}, versions=())
    assert stranger.find().nothing


def test_datasets_that_a_patient_has_left_are_no_longer_offered(held: Held) -> None:
    held.erase()
    newest = held.site.cut()
    offered = [one.commit for one in every(held.site.store, held.site.pipelines, 20)]
    assert offered == [newest.commit]
    for gone in (held.first, held.second):  # And none shows the shard of another.
        shards = held.site.store.list("dataset", "/shards", gone.commit)
        assert shards != [shard.path for shard in gone.index.shards]


@pytest.mark.parametrize("name", ["*", "**", "p?", "{a,b}", "a/b", "", "[a-z]*"])
def test_a_pseudonym_that_could_match_others_is_refused(name: str) -> None:
    with pytest.raises(NotFound, match="A pseudonym has"):
        Forgetting(MemoryStore(), cast(Eraser, None), name)


def test_the_last_patient_leaves_too_though_nothing_is_left_to_cut(tmp_path: Path) -> None:
    with sites.site(tmp_path, "waveform") as site:
        only = site.upload([signal.data for signal in signals.draw(5)], unit=WHO)
        site.read(only, "Fast")
        site.cut()
        at = Connection(site.store._at.address, PROJECT)
        forgetting = Forgetting(site.store, Eraser(at), WHO)
        assert "none in repo" in erase(site, forgetting).uncut
        assert forgetting.find().nothing


def test_what_was_broken_off_goes_on_when_it_is_called_again(held: Held) -> None:
    class Down(Exception):
        pass

    def down() -> None:
        raise Down

    for follows, cuts in ((down, down), (lambda: follow(held.site.pipelines, no), down)):
        with pytest.raises(Down):
            held.forgetting.erase(follows, cuts)
        assert not held.forgetting.find().nothing
    held.erase()
    assert held.forgetting.find().nothing
    assert held.traces_on_disk() == []


def test_a_patient_of_whom_no_table_knows_leaves_the_dataset_too(tmp_path: Path) -> None:
    with sites.site(tmp_path, "waveform") as site:
        signals.write(tmp_path / "traces", 20)
        table = tmp_path / "traces" / "labels.csv"
        table.write_text(table.read_text().replace("trace-00000.csv,P00000,", "trace-00000.csv,,"))
        site.import_(tmp_path / "traces", "traces")
        site.upload([next(iter(signals.draw(1))).data], unit=WHO)
        made = site.cut()
        assert WHO in units(site, made.commit)
        at = Connection(site.store._at.address, PROJECT)
        forgetting = Forgetting(site.store, Eraser(at), WHO)
        erase(site, forgetting)
        assert forgetting.find().nothing
        newest = site.cut()
        assert newest.report.images == 20  # The image itself is in the import, as nobody's.
        assert WHO not in units(site, newest.commit)


@pytest.fixture
def command(held: Held, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryBus:
    """Let `chexnet forget` find the site, and return its bus."""
    bus = MemoryBus()
    settings = Settings(
        pipeline=PROJECT,
        state=tmp_path,
        input="waveform",
        kafka=KafkaSettings(bootstrap="none:0"),
        store=StoreSettings(address=held.site.store._at.address),
        serving=ServingSettings(replicas="none:0", models=tmp_path),
        gateway=GatewaySettings(url="http://none", token_file=tmp_path / "token"),
    )

    @contextmanager
    def desk() -> Iterator[Desk]:
        yield Desk(settings=settings, bus=bus, store=held.site.store, replicas={})

    monkeypatch.setattr("chexnet.cli.desk.desk", desk)
    return bus


def call(*argv: str, says: str | None = None) -> Result:
    return CliRunner().invoke(app, ["forget", *argv], input=says, catch_exceptions=True)


def test_the_command_erases_only_when_it_is_told_to_and_the_audit_names_nobody(
    held: Held, command: MemoryBus
) -> None:
    looked = call(WHO, "--dry-run", "--json")
    assert json.loads(looked.stdout)["files"]["raw"] == 4
    for argv, said in (
        ([WHO], "n\n"),
        ([WHO, "--json"], None),
        ([WHO, "--yes", "--reason", f"{WHO.upper()} asked for it"], None),
    ):
        assert call(*argv, says=said).exit_code != 0
    assert held.forgetting.find().files["raw"] == 4

    done = call(WHO, "--yes", "--reason", "withdrew consent")
    assert done.exit_code == 0, done.output
    assert "raw: 4 files" in done.stdout
    assert "uploads 7" in done.stdout  # Where copies are left, and how long.
    assert held.forgetting.find().nothing
    (record,) = command.read([topics.AUDIT]).to_end()
    audit = decode(record, Audit)
    assert (audit.action, audit.reason) == ("forget", "withdrew consent")
    assert audit.evidence["pseudonym_sha256"] == hashlib.sha256(WHO.encode()).hexdigest()
    assert audit.evidence["files"]["raw"] == 4
    assert WHO.encode() not in record.value
    assert isinstance(call(WHO, "--yes").exception, NotFound)


def test_the_command_waits_for_what_the_archiver_has_still_to_write(
    held: Held, command: MemoryBus
) -> None:
    (late,) = held.sent[:1]
    command.send([late])
    place = next(iter(command.read([topics.UPLOADS]).to_end())).partition
    answers: list[Result] = []
    caller = threading.Thread(target=lambda: answers.append(call(WHO, "--dry-run", "--json")))
    caller.start()
    path = f"/data/20200101/{WHO}/late.bin"
    held.site.store.write("raw", {path: late.value}, {(topics.UPLOADS.name, place): 1})
    caller.join(60)
    assert json.loads(answers[0].stdout)["files"]["raw"] == 5
