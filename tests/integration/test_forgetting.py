"""A patient is forgotten: nothing of them is left in any commit or on the disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chexnet.adapters.pachyderm.connection import Connection
from chexnet.adapters.pachyderm.erasing import Eraser
from chexnet.messages import Prediction, now
from chexnet.runtime.forgetting import Forgetting, Found
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
        others = site.upload(traces[2:20])
        site.read([*self.sent, *others], "Fast")
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

    def traces_on_disk(self) -> list[str]:
        store = self.folder / "store"
        kept = [file for file in store.rglob("*") if file.is_file()]
        secrets = {"pseudonym": WHO.encode()} | {
            f"upload {n}": upload.value for n, upload in enumerate(self.sent)
        }
        return [name for name, data in secrets.items() for f in kept if data in f.read_bytes()]


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
    assert found.files == {"raw": 2, "nih": 1, "images": 3, "predictions": 2, "feedback": 2}
    assert found.shared == {"labels": 3, "dataset": 2}
    assert held.traces_on_disk()

    held.forgetting.erase(lambda: site.cut(anew=True))

    assert held.forgetting.find().nothing
    assert held.traces_on_disk() == []
    newest = site.cut()
    assert not newest.new
    assert units(site, newest.commit) == before - {WHO}
    assert list(site.store._pfs.fsck()) == []


def test_the_pipelines_go_on_after_a_patient_was_forgotten(held: Held) -> None:
    held.forgetting.erase(lambda: held.site.cut(anew=True))
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
        forgetting.erase(lambda: site.cut(anew=True))
        assert forgetting.find().nothing
        newest = site.cut()
        assert newest.report.images == 20  # The image itself is in the import, as nobody's.
        assert WHO not in units(site, newest.commit)
