"""The port `Serving`: what the memory one and the model server's client both do."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chexnet.adapters.memory_serving import MemoryServing
from chexnet.adapters.tf_serving import TfServing, golden
from chexnet.errors import ConfigError, NotFound, Refused, Unavailable
from chexnet.steps.ports import Serving
from tests.model_servers import LABELS, SHAPE, export, images, model_server

X = images(2)


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Releases 1, 2 and 3, made once."""
    folder = tmp_path_factory.mktemp("releases")
    for version in (1, 2, 3):
        export(folder / str(version), seed=version)
    return folder


@pytest.fixture
def models(releases: Path, tmp_path: Path) -> Path:
    """A models folder of `xray` and `waveform`, which is another pipeline's, and their config."""
    shutil.copytree(releases, tmp_path / "xray")
    shutil.copytree(releases / "1", tmp_path / "waveform" / "1")
    entry = 'config {{ name: "{0}" base_path: "{0}" model_platform: "tensorflow" }}'
    entries = " ".join(entry.format(name) for name in ("xray", "waveform"))
    (tmp_path / "models.config").write_text(f"model_config_list {{ {entries} }}")
    return tmp_path


@pytest.fixture
def tf_serving(models: Path) -> Iterator[TfServing]:
    """Two replicas."""
    config = models / "models.config"
    with ExitStack() as stack:
        servers = [stack.enter_context(model_server(models, config)) for _ in range(2)]
        serving = TfServing([s.address for s in servers], "xray", config_file=config, models=models)
        serving.servers = servers  # type: ignore[attr-defined]
        yield serving
        serving.close()


@pytest.fixture
def memory() -> MemoryServing:
    def model(version: int) -> Callable[[Any], dict[str, Any]]:
        def answer(x: Any) -> dict[str, Any]:
            n = len(x)
            return {
                "probabilities": np.full((n, len(LABELS)), version / 10, np.float32),
                "features": np.zeros((n, 8), np.float32),
            }

        return answer

    return MemoryServing({v: model(v) for v in (1, 2, 3)}, replicas=("a", "b"))


@pytest.fixture(params=["memory", pytest.param("tf_serving", marks=pytest.mark.slow)])
def serving(request: pytest.FixtureRequest) -> Serving:
    made: Serving = request.getfixturevalue(request.param)
    made.label({"champion": 1}, keep=[1, 2])
    return made


def available(serving: Serving) -> list[set[int]]:
    """Return, for each replica, the versions that answer."""
    return [
        {version for version, state in states.items() if state == "AVAILABLE"}
        for states in serving.states().values()
    ]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "the condition was never met"
        threading.Event().wait(0.05)


def test_a_version_answers_with_the_outputs_of_the_contract(serving: Serving) -> None:
    outputs = serving.predict(1, X)
    assert outputs["probabilities"].shape == (2, len(LABELS))
    assert outputs["probabilities"].dtype == np.float32
    assert outputs["features"].ndim == 2


def test_versions_are_called_by_number(serving: Serving) -> None:
    one, two = (serving.predict(v, X)["probabilities"] for v in (1, 2))
    assert not np.allclose(one, two)


def test_a_version_that_is_not_loaded_is_not_found(serving: Serving) -> None:
    with pytest.raises(NotFound, match="version 3"):
        serving.predict(3, X)


def test_exactly_what_is_kept_is_loaded_on_every_replica(serving: Serving) -> None:
    until(lambda: available(serving) == [{1, 2}, {1, 2}])
    serving.label({"champion": 3, "b": 2}, keep=[2, 3])
    until(lambda: available(serving) == [{2, 3}, {2, 3}])
    assert serving.predict(3, X)
    with pytest.raises(NotFound):
        serving.predict(1, X)


def test_a_labelled_version_is_kept_without_being_asked(serving: Serving) -> None:
    serving.label({"champion": 3}, keep=[])
    until(lambda: available(serving) == [{3}, {3}])


def test_when_label_returns_its_versions_answer_on_every_replica(serving: Serving) -> None:
    serving.label({"champion": 3}, keep=[1, 2, 3])
    assert all({1, 2, 3} <= versions for versions in available(serving))


def test_a_version_without_a_release_is_refused_and_the_others_are_served(
    serving: Serving,
) -> None:
    with pytest.raises(Refused, match=r"must serve version 7.* no such folder"):
        serving.label({"champion": 2}, keep=[2, 7])
    assert serving.predict(2, X)


def test_labels_can_be_set_again(serving: Serving) -> None:
    for _ in range(2):
        serving.label({"champion": 1}, keep=[1, 2])
    until(lambda: available(serving) == [{1, 2}, {1, 2}])


# What only the real one can show.

real = pytest.mark.slow


@real
def test_another_pipelines_model_goes_on_as_it_was(tf_serving: TfServing, models: Path) -> None:
    other = TfServing([s.address for s in tf_serving.servers], "waveform")  # type: ignore[attr-defined]
    until(lambda: available(other) == [{1}, {1}])
    tf_serving.label({"champion": 2}, keep=[2])
    assert available(other) == [{1}, {1}]
    assert 'name: "waveform"' in (models / "models.config").read_text()


@real
def test_a_restarted_replica_serves_what_the_config_file_says(
    tf_serving: TfServing, models: Path
) -> None:
    tf_serving.label({"champion": 2}, keep=[1, 2])
    with model_server(models, models / "models.config") as third:
        alone = TfServing([third.address], "xray")
        until(lambda: available(alone) == [{1, 2}])
        import httpx

        url = f"http://127.0.0.1:{third.rest}/v1/models/xray/labels/champion"
        answer = httpx.get(url).json()
        assert [v["version"] for v in answer["model_version_status"]] == ["2"]


@real
def test_with_one_replica_down_the_other_answers_every_request(tf_serving: TfServing) -> None:
    tf_serving.label({"champion": 1}, keep=[1])
    tf_serving.servers[0].kill()  # type: ignore[attr-defined]
    for _ in range(10):
        assert tf_serving.predict(1, X)
    with pytest.raises(Unavailable, match="Waiting for TF Serving at"):
        tf_serving.states()


@real
def test_with_one_replica_down_labels_are_set_on_the_other_and_in_the_file(
    tf_serving: TfServing, models: Path
) -> None:
    dead, alive = tf_serving.servers  # type: ignore[attr-defined]
    dead.kill()
    with pytest.raises(Unavailable):
        tf_serving.label({"champion": 2}, keep=[2])
    assert TfServing([alive.address], "xray").predict(2, X)
    assert "versions: 2" in (models / "models.config").read_text()


@real
def test_with_all_replicas_down_serving_is_unavailable(tf_serving: TfServing) -> None:
    for server in tf_serving.servers:  # type: ignore[attr-defined]
        server.kill()
    with pytest.raises(Unavailable, match="Start it with: make up"):
        tf_serving.predict(1, X)


@real
def test_golden_outputs_are_asked_of_every_replica(tf_serving: TfServing, models: Path) -> None:
    tf_serving.label({"champion": 1}, keep=[1, 2])
    first, second = (golden.read(models / "xray" / v) for v in "12")
    tf_serving.golden(1, first)
    with pytest.raises(Refused, match=r"golden outputs within 1e-4\. Received: .* off in"):
        tf_serving.golden(1, second)


@real
def test_a_wrong_input_is_refused_with_what_the_server_said(tf_serving: TfServing) -> None:
    tf_serving.label({"champion": 1}, keep=[1])
    with pytest.raises(Refused, match=r"Expects arg\[0\] to be uint8 but float is provided"):
        tf_serving.predict(1, X.astype(np.float32))  # type: ignore[arg-type]


@real
def test_no_request_fails_while_the_champion_changes(tf_serving: TfServing) -> None:
    tf_serving.label({"champion": 1}, keep=[1, 2])
    stop, failures, count = threading.Event(), [], [0]

    def load() -> None:
        while not stop.is_set():
            try:
                tf_serving.predict(2, X)
                count[0] += 1
            except Exception as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for champion, keep in ((2, [2, 3]), (3, [2, 3]), (2, [1, 2]), (1, [1, 2])):
            tf_serving.label({"champion": champion}, keep=keep)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert failures == []
    assert count[0] > 0


def test_labels_need_to_know_the_config_file() -> None:
    with pytest.raises(ConfigError, match="CHEXNET_SERVING__CONFIG_FILE"):
        TfServing(["127.0.0.1:1"], "xray").label({}, [])


def test_no_replica_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError, match="must name at least one host:port"):
        TfServing([], "xray")


def test_the_shape_of_these_tests_is_that_of_the_release() -> None:
    assert X.shape[1:] == SHAPE
