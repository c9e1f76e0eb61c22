"""TF Serving's model config file: the truth for which models there are, over all pipelines."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from google.protobuf import text_format

from chexnet.adapters.tf_serving.messages import model_server_config_pb2
from chexnet.errors import ConfigError

PLATFORM = "tensorflow"


class ConfigFile:
    """The file. Each pipeline's reconciler changes its own model's entry in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process change the file meanwhile: they share it."""
        with open(self.path.with_name(f".{self.path.name}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self) -> model_server_config_pb2.ModelServerConfig:
        """Return what it says, nothing where it is missing; raise ConfigError for no config."""
        config = model_server_config_pb2.ModelServerConfig()
        try:
            text_format.Parse(self.path.read_text(), config)
        except FileNotFoundError:
            pass
        except text_format.ParseError as error:
            rule = f"{self.path} must be TF Serving's model config in text form."
            todo = "Delete it and run: make up"
            raise ConfigError(f"{rule} Received: {error} {todo}") from error
        config.model_config_list.SetInParent()  # An empty list, where there is no file.
        return config

    def write(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        """Replace it in one step; a reader sees the old or the new one."""
        text = text_format.MessageToString(config)
        if self.path.exists() and self.path.read_text() == text:
            return
        fresh = self.path.with_name(f".{self.path.name}.new")
        with open(fresh, "w", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)


def changed(
    config: model_server_config_pb2.ModelServerConfig,
    model: str,
    base_path: Path,
    *,
    versions: Iterable[int],
    labels: Mapping[str, int],
) -> model_server_config_pb2.ModelServerConfig:
    """Return `config` with `model` serving exactly `versions` under `labels`, all else as it is.

    An entry that is there keeps its base path: in a container it is another than ours.
    """
    new = model_server_config_pb2.ModelServerConfig()
    new.CopyFrom(config)
    entries = new.model_config_list.config
    entry = next((e for e in entries if e.name == model), None)
    if entry is None:
        entry = entries.add(name=model, base_path=str(base_path), model_platform=PLATFORM)
    entry.model_version_policy.Clear()
    entry.model_version_policy.specific.SetInParent()
    entry.model_version_policy.specific.versions.extend(sorted(set(versions)))
    entry.version_labels.clear()
    entry.version_labels.update(labels)
    return new
