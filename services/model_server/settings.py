"""The model server's own settings, `CHEXNET_MODEL_SERVER__…`; it needs nothing else of the site."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chexnet.errors import ConfigError

PREFIX = "CHEXNET_MODEL_SERVER__"


class ModelServerSettings(BaseSettings):
    """What TF Serving takes as flags."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    grpc: str  # host:port; port 0 takes a free one.
    rest: str
    certificate_file: Path | None = None  # With its key: gRPC and REST are TLS only.
    key_file: Path | None = None
    models: Path  # The folder that relative base paths start from.
    config_file: Path | None = None  # None: each folder in `models` is a model.
    engine: Literal["openvino", "tensorflow"] = "openvino"
    threads: int = Field(default=0, ge=0)  # Of one engine; 0: as many as there are cores.
    streams: int = Field(default=1, ge=1)  # Batches that one version computes at the same time.
    cache: Path | None = None  # Compiled models, for faster loading; None: `models`/.compiled.
    poll_seconds: float = Field(default=1.0, gt=0)  # Between looks at folders and config file.
    max_batch: int = Field(default=32, ge=1)  # Rows that one run takes.
    batch_timeout: float = Field(default=0.0, ge=0)  # Seconds that a batch waits to fill up.
    queue: int = Field(default=1024, ge=1)  # Requests that may wait for one version.
    grace: float = Field(default=20.0, ge=0)  # Seconds that a stop waits for requests.

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            name = PREFIX + "__".join(str(part) for part in first["loc"]).upper()
            received = "nothing" if first["type"] == "missing" else repr(first["input"])
            rule = f"{name} must be set and valid: {first['msg']}. Received: {received}."
            raise ConfigError(
                f"{rule} Correct it in the environment of the model server."
            ) from error
