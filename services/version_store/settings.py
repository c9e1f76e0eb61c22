"""This service's own settings: it runs before the site's env file is there."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chexnet.errors import ConfigError
from chexnet.settings import HealthSettings


class _Health(BaseSettings, HealthSettings):
    model_config = SettingsConfigDict(env_prefix="CHEXNET_HEALTH__")


class VersionStoreSettings(BaseSettings):
    """Where it listens, and where it keeps everything. A wrong value raises ConfigError by name."""

    model_config = SettingsConfigDict(env_prefix="CHEXNET_VERSION_STORE__", frozen=True)

    listen: str  # host:port; port 0 takes a free one, and the log says which.
    folder: Path
    certificate_file: Path | None = None  # With its key: TLS only.
    key_file: Path | None = None
    log_level: str = "INFO"
    health: HealthSettings = Field(default_factory=_Health)

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            name = f"CHEXNET_VERSION_STORE__{str(first['loc'][0]).upper()}"
            given = "nothing" if first["type"] == "missing" else repr(first["input"])
            raise ConfigError(f"{name}: {first['msg']}. Received: {given}. Set it.") from error

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, listen: str) -> str:
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError("it must be host:port, for example 127.0.0.1:30650")
        return listen
