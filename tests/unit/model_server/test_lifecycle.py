"""Versions come and go, and no request notices."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from services.model_server.batching import Limits
from services.model_server.errors import Code, ServingError
from services.model_server.lifecycle import Lifecycle
from services.model_server.states import State
from tests.unit.model_server.fakes import FakeLoader, FakeSource, model, publish, running

X = np.full((1, 4), 2, dtype=np.uint8)


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition was never met"
        threading.Event().wait(0.005)


def state(lifecycle: Lifecycle, version: int, name: str = "xray") -> State | None:
    found = lifecycle.states.of(name).get(version)
    return found.state if found else None


def reaches(lifecycle: Lifecycle, version: int, wanted: State) -> None:
    until(lambda: state(lifecycle, version) == wanted)


def ask(lifecycle: Lifecycle, version: int | None = None, label: str = "") -> float:
    with lifecycle.serving("xray", version, label) as served:
        return float(served.submit({"x": X}).result(10)["probabilities"][0, 0])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "xray"
    folder.mkdir()
    publish(folder / "1", 0.1)
    return folder


def test_a_version_that_appears_replaces_the_one_before(base: Path) -> None:
    with running(model(base)) as (lifecycle, _):
        reaches(lifecycle, 1, State.AVAILABLE)
        assert ask(lifecycle) == pytest.approx(0.2)
        publish(base / "2", 0.2)
        reaches(lifecycle, 2, State.AVAILABLE)
        reaches(lifecycle, 1, State.END)
        assert ask(lifecycle) == pytest.approx(0.4)
        with pytest.raises(ServingError, match=r"not found for request: Specific\(xray, 1\)"):
            ask(lifecycle, 1)


def test_the_old_version_answers_while_the_new_one_loads(base: Path) -> None:
    with running(model(base)) as (lifecycle, loader):
        reaches(lifecycle, 1, State.AVAILABLE)
        loading, go = threading.Event(), threading.Event()
        loader.before = lambda _: (loading.set(), go.wait(10))
        publish(base / "2", 0.2)
        assert loading.wait(10)
        assert (state(lifecycle, 1), state(lifecycle, 2)) == (State.AVAILABLE, State.LOADING)
        assert ask(lifecycle) == pytest.approx(0.2)
        go.set()
        reaches(lifecycle, 1, State.END)


def test_unloading_waits_for_the_request_that_is_being_answered(base: Path) -> None:
    publish(base / "2", 0.2)
    with running(model(base, 1, 2)) as (lifecycle, loader):
        reaches(lifecycle, 1, State.AVAILABLE)
        engine = loader.engines["xray-1"]
        engine.open.clear()
        answers: list[float] = []
        asking = threading.Thread(target=lambda: answers.append(ask(lifecycle, 1)))
        asking.start()
        until(lambda: len(engine.batches) == 3)  # Two of the golden check, and this one.
        lifecycle.configure({"xray": model(base, 2)})
        reaches(lifecycle, 1, State.UNLOADING)
        assert not engine.closed
        engine.open.set()
        asking.join(10)
        assert answers == [pytest.approx(0.2)]
        reaches(lifecycle, 1, State.END)
        assert engine.closed


def test_no_request_fails_while_versions_are_switched_under_load(base: Path) -> None:
    publish(base / "2", 0.2)
    with running(model(base, 1, 2, champion=1)) as (lifecycle, _):
        reaches(lifecycle, 1, State.AVAILABLE)
        reaches(lifecycle, 2, State.AVAILABLE)
        stop, failures, answers = threading.Event(), [], []

        def load() -> None:
            while not stop.is_set():
                try:
                    answers.append(round(ask(lifecycle, label="champion"), 3))
                except ServingError as error:
                    failures.append(str(error))

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for turn in range(10):
                new, old = (2, 1) if turn % 2 == 0 else (1, 2)
                lifecycle.configure({"xray": model(base, new, champion=new)})
                until(lambda new=new: lifecycle.labels("xray") == {"champion": new})
                until(lambda old=old: state(lifecycle, old) == State.END)
        finally:
            stop.set()
            for thread in threads:
                thread.join(10)
        assert failures == []
        assert set(answers) == {0.2, 0.4}


def test_a_version_that_fails_its_golden_outputs_is_not_served(base: Path) -> None:
    publish(base / "2", 0.2, golden_scale=0.21)
    with running(model(base)) as (lifecycle, loader):
        reaches(lifecycle, 2, State.END)
        status = lifecycle.states.of("xray")[2]
        assert status.code == Code.FAILED_PRECONDITION
        # The mean of the last row is 9.5: 9.5 x (0.21 - 0.2) = 0.095.
        assert "within 1e-4. Received: 9.5e-2 off in probabilities" in status.message
        assert loader.engines["xray-2"].closed


def test_a_version_that_fails_leaves_the_one_before_in_place(base: Path) -> None:
    with running(model(base)) as (lifecycle, _):
        reaches(lifecycle, 1, State.AVAILABLE)
        (base / "2").mkdir()
        reaches(lifecycle, 2, State.END)
        assert "Could not find SavedModel" in lifecycle.states.of("xray")[2].message
        assert ask(lifecycle) == pytest.approx(0.2)


def test_a_failed_version_is_tried_again_when_its_folder_is_replaced(base: Path) -> None:
    publish(base / "2", 0.2, golden_scale=1)
    with running(model(base)) as (lifecycle, _):
        reaches(lifecycle, 2, State.END)
        (base / "2").rename(base / "bad")
        publish(base / "2", 0.2)
        reaches(lifecycle, 2, State.AVAILABLE)


@pytest.mark.parametrize("name", [".2", "2.tmp", "new", "٢"])
def test_a_folder_whose_name_is_no_number_is_not_a_version(base: Path, name: str) -> None:
    shutil.copytree(base / "1", base / name)
    with running(model(base)) as (lifecycle, _):
        reaches(lifecycle, 1, State.AVAILABLE)
        assert set(lifecycle.states.of("xray")) == {1}


def test_a_base_path_that_goes_away_changes_nothing(base: Path) -> None:
    with running(model(base)) as (lifecycle, _):
        reaches(lifecycle, 1, State.AVAILABLE)
        base.rename(base.with_name("away"))
        publish_later = base.with_name("away") / "2"
        publish(publish_later, 0.2)
        base.with_name("away").rename(base)
        reaches(lifecycle, 2, State.AVAILABLE)


def test_a_label_moves_when_its_version_answers_and_not_before(base: Path) -> None:
    with running(model(base, 1, champion=1)) as (lifecycle, loader):
        reaches(lifecycle, 1, State.AVAILABLE)
        go = threading.Event()
        loader.before = lambda _: go.wait(10)
        publish(base / "2", 0.2)
        lifecycle.configure({"xray": model(base, 2, champion=2)})
        until(lambda: state(lifecycle, 2) == State.LOADING)
        assert ask(lifecycle, label="champion") == pytest.approx(0.2)
        go.set()
        until(lambda: lifecycle.labels("xray") == {"champion": 2})
        assert ask(lifecycle, label="champion") == pytest.approx(0.4)


def test_a_strict_config_may_not_label_what_does_not_answer(base: Path) -> None:
    with running(model(base, 1, champion=1)) as (lifecycle, _):
        reaches(lifecycle, 1, State.AVAILABLE)
        with pytest.raises(ServingError, match="label to version 2 of model xray, which is not"):
            lifecycle.configure({"xray": model(base, 1, champion=2)}, strict=True)
        assert lifecycle.labels("xray") == {"champion": 1}


def test_a_model_that_is_no_longer_named_is_unloaded(base: Path) -> None:
    with running(model(base)) as (lifecycle, _):
        reaches(lifecycle, 1, State.AVAILABLE)
        lifecycle.configure({})
        reaches(lifecycle, 1, State.END)


def test_a_config_that_was_written_before_a_reload_does_not_undo_it(base: Path) -> None:
    publish(base / "2", 0.2)
    source = FakeSource()
    lifecycle = Lifecycle(FakeLoader(), Limits(), source=source, poll_seconds=0.02)
    source.next = {"xray": model(base, 1)}
    lifecycle.reload({"xray": model(base, 2)})
    lifecycle.start()
    reaches(lifecycle, 2, State.AVAILABLE)
    assert state(lifecycle, 1) is None
    lifecycle.stop()


def test_an_unknown_label_is_told_in_tf_servings_words(base: Path) -> None:
    with running(model(base, 1)) as (lifecycle, _), pytest.raises(ServingError) as caught:
        ask(lifecycle, label="canary")
    assert str(caught.value) == "Unrecognized servable version label: canary"
    assert caught.value.code == Code.INVALID_ARGUMENT
