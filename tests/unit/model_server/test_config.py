"""The model config file, and which versions a policy names."""

from __future__ import annotations

from pathlib import Path

import pytest

from chexnet.errors import ConfigError
from services.model_server.config import File, Folders, ModelConfig, parse
from services.model_server.errors import ServingError
from services.model_server.policy import aspired
from services.model_server.settings import ModelServerSettings

ENTRY = 'config {{ name: "{}" base_path: "{}" model_platform: "tensorflow" }}'


def listed(*entries: str) -> str:
    return f"model_config_list {{ {' '.join(entries)} }}"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for name in ("1", "2", "10", "draft"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", {10}),
        ("latest { }", {10}),
        ("latest { num_versions: 2 }", {2, 10}),
        ("all { }", {1, 2, 10}),
        ("specific { versions: 2 versions: 1 versions: 7 }", {1, 2}),
        ("specific { }", set()),
    ],
)
def test_a_policy_names_versions_of_those_there_are(
    base: Path, policy: str, versions: set[int]
) -> None:
    config = f'name: "m" base_path: "{base}" model_platform: "tensorflow" '
    models = parse(listed(f"config {{ {config} model_version_policy {{ {policy} }} }}"), base)
    assert set(aspired(models["m"])) == versions


def test_a_base_path_that_is_not_there_is_an_error_and_not_an_empty_answer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        aspired(ModelConfig(base_path=str(tmp_path / "none")))


def test_relative_base_paths_start_from_the_models_folder() -> None:
    models = parse(listed(ENTRY.format("a", "a"), ENTRY.format("b", "/b")), Path("/models"))
    assert {name: m.base_path for name, m in models.items()} == {"a": "/models/a", "b": "/b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense {", "Invalid protobuf file"),
        (listed(ENTRY.format("a", "a"), ENTRY.format("a", "b")), "model a multiple times"),
        (listed('config { name: "a" base_path: "a" }'), "Illegal model_platform of model a"),
        ("custom_model_config { }", "Only ModelConfigList is currently supported"),
    ],
)
def test_a_wrong_config_is_refused(text: str, message: str) -> None:
    with pytest.raises(ServingError, match=message):
        parse(text, Path("/models"))


def test_the_file_is_read_again_when_its_text_changes_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.write_text(listed(ENTRY.format("a", "a")))
    source = File(path, tmp_path)
    assert set(source.changed() or {}) == {"a"}
    assert source.changed() is None
    path.write_text(listed(ENTRY.format("b", "b")))
    assert set(source.changed() or {}) == {"b"}


def test_a_file_that_can_not_be_used_changes_nothing_until_it_is_corrected(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    source = File(path, tmp_path)
    assert source.changed() is None
    assert "No such file" in source.problem
    path.write_text("nonsense {")
    assert source.changed() is None
    assert "Invalid protobuf file" in source.problem
    path.write_text(listed())
    assert source.changed() == {}
    assert source.problem == ""


def test_without_a_file_each_folder_is_a_model(tmp_path: Path) -> None:
    for name in ("xray", ".compiled"):
        (tmp_path / name).mkdir()
    source = Folders(tmp_path)
    assert set(source.changed() or {}) == {"xray"}
    assert source.changed() is None


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHEXNET_MODEL_SERVER__GRPC", raising=False)
    with pytest.raises(ConfigError, match="CHEXNET_MODEL_SERVER__GRPC must be set"):
        ModelServerSettings(rest="127.0.0.1:0", models="/models")
