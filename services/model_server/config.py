"""TF Serving's model config: the text-proto file, and what a config must be to be taken."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol, TypeAlias

from google.protobuf import text_format

from chexnet.adapters.tf_serving.messages import model_server_config_pb2
from services.model_server.errors import Code, ServingError, invalid

log = logging.getLogger(__name__)

PLATFORM = "tensorflow"

ModelConfig: TypeAlias = model_server_config_pb2.ModelConfig
Models = dict[str, ModelConfig]


def models_of(config: model_server_config_pb2.ModelServerConfig, root: Path) -> Models:
    """Return the models that `config` names, their base paths made absolute below `root`.

    Raises:
        ServingError: it is not a list, names a model twice or without a name, or its platform is
            not TensorFlow's.
    """
    if config.WhichOneof("config") not in {"model_config_list", None}:
        raise invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest."
            " Only ModelConfigList is currently supported"
        )
    models: Models = {}
    for given in config.model_config_list.config:
        if not given.name:
            raise invalid("Illegal to list a model without a name in config list")
        if given.name in models:
            raise invalid(f"Illegal to list model {given.name} multiple times in config list")
        if given.model_platform != PLATFORM and given.model_type != 1:  # ModelType.TENSORFLOW
            raise invalid(
                f"Illegal model_platform of model {given.name}: only {PLATFORM} is served; "
                f"got {given.model_platform!r}"
            )
        model = ModelConfig()
        model.CopyFrom(given)
        model.base_path = str(root / given.base_path)  # An absolute one stays as it is.
        models[model.name] = model
    return models


def parse(text: str, root: Path) -> Models:
    """Return the models of a config file's text; raise ServingError as `models_of` does."""
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise ServingError(Code.INVALID_ARGUMENT, f"Invalid protobuf file: {error}") from error
    return models_of(config, root)


class Source(Protocol):
    """Where the configuration comes from when nobody sends one."""

    problem: str  # Why it can't be read; "" while it can.

    def changed(self) -> Models | None:
        """Return all models if they are others than the last time, else None."""


class File:
    """TF Serving's model config file, read again when its text changes.

    Only then: a config that came by gRPC stays until somebody writes the file.
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.problem = ""
        self._path, self._root = path, root
        self._text = ""

    def changed(self) -> Models | None:
        """Read it; one that can't be used changes nothing, and is told once."""
        try:
            text = self._path.read_text()
            if text == self._text:
                return None
            self._text = text
            models = parse(text, self._root)
        except (OSError, UnicodeDecodeError, ServingError) as error:
            if self.problem != str(error):
                reason = {"path": str(self._path), "reason": str(error)}
                log.warning("config unreadable", extra={"fields": reason})
            self.problem = str(error)
            return None
        self.problem = ""
        return models


class Folders:
    """Without a file: each folder is a model, and its latest version is served."""

    def __init__(self, root: Path) -> None:
        self.problem = ""
        self._root = root
        self._names: list[str] = []

    def changed(self) -> Models | None:
        """Look which folders there are."""
        try:
            found = sorted(p.name for p in self._root.iterdir() if p.is_dir())
        except OSError as error:
            self.problem = str(error)
            return None
        names = [name for name in found if not name.startswith(".")]
        if names == self._names:
            return None
        self.problem, self._names = "", names
        return {
            name: ModelConfig(name=name, base_path=str(self._root / name), model_platform=PLATFORM)
            for name in names
        }
