"""The transform of a training line, without a training: where it reads, and what its log tells."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from chexnet.adapters.memory import MemoryStore
from chexnet.cli.train import follow
from chexnet.data.checkout import Dataset
from chexnet.errors import Refused
from chexnet.inputs.base import load
from chexnet.pipelines import here, train
from chexnet.training.params import PARAMS, Params
from chexnet.training.progress import Progress
from tests import datasets
from tests.unit.data.test_dataset import folder_of
from tests.unit.test_settings import SITE
from tests.unit.training.recipes import WAVES

OFFLINE = "Training starts from random weights. They are not here."


@pytest.fixture
def datum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A datum's folder, as the runner prepares it."""
    (tmp_path / "traces").mkdir()
    pfs = tmp_path / "pfs"
    (pfs / "params").mkdir(parents=True)
    folder_of(tmp_path / "traces", 120)
    datasets.folder(tmp_path / "traces", load("waveform"), pfs / "dataset")
    (pfs / "params" / PARAMS).write_bytes(Params(config="demo_a").encode())
    for name in ("dataset", "params"):
        monkeypatch.setenv(name, str(pfs / name))
    for name, value in {**SITE, "CHEXNET_INPUT": "waveform"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CHEXNET_PFS", str(pfs))
    monkeypatch.setenv("dataset_COMMIT", "0")
    monkeypatch.setenv("PACH_PIPELINE_NAME", "models-a")
    monkeypatch.setenv("CHEXNET_STATE", str(tmp_path / "state"))
    return pfs


def test_the_dataset_is_unpacked_beside_its_datum_and_gone_with_the_training(
    datum: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def run(data: Dataset, *_: object, **__: object) -> None:
        assert "TF_CONFIG" not in os.environ  # The job is this host's alone.
        seen.append(Path(data.x.filename))  # type: ignore[attr-defined]
        assert seen[0].exists()

    monkeypatch.setattr("chexnet.training.run.run", run)
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1", "b:1"]}}')
    assert train.main() == 0
    assert seen[0].is_relative_to(datum)  # And not in /tmp, which a container has in its memory.
    assert not seen[0].exists()


def test_what_a_training_warns_of_is_told_to_who_follows_it(
    datum: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*_: object, report: object, **__: object) -> None:
        warnings.warn(OFFLINE, stacklevel=1)
        warnings.warn("an op is old", DeprecationWarning, stacklevel=1)
        report(Progress(1, 1, 2, 2, 0.5, 0.6, 0.7))  # type: ignore[operator]

    monkeypatch.setattr("chexnet.training.run.run", run)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        train.main()
    log = capsys.readouterr().out.splitlines()
    moved: list[str] = []
    ended, said = follow(log, 1, lambda *_, told="", **__: moved.append(told))
    assert said == [OFFLINE]
    assert capsys.readouterr().err.strip() == OFFLINE
    assert ended is not None
    assert moved == ["loss 0.500, validation AUROC 0.700"]


def test_a_training_without_a_job_commits_to_a_line_of_its_own(datum: Path, tmp_path: Path) -> None:
    store = MemoryStore()
    store.ensure("dataset")
    files = [path for path in (datum / "dataset").rglob("*") if path.is_file()]
    made = {f"/{path.relative_to(datum / 'dataset')}": path.read_bytes() for path in files}
    commit = store.write("dataset", made)
    told: list[Progress] = []
    state, source = tmp_path / "state", load("waveform")
    recipe = replace(WAVES, epochs=1)
    given = {"config": "waves", "state": state, "report": told.append}
    with pytest.raises(Refused, match="pipelines write models-a, models-b"):
        here.train(store, source, "dataset", recipe, line="a", **given)
    trained = here.train(store, source, "dataset", recipe, line="wide", **given)
    assert trained is not None
    assert trained.name == f"models-wide@{store.head('models-wide')}"
    assert trained.card.dataset == f"dataset@{commit}"
    assert "/release/saved_model.pb" in store.list("models-wide")
    assert told[-1].ends_epoch
    assert list((state / "scratch").iterdir()) == []
