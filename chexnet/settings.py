"""Settings, from the environment (`CHEXNET_…`) and the site's env file. Ansible writes both.

No address has a default: ports are defined once, in the inventory.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chexnet.errors import ConfigError
from chexnet.inputs.base import Limits


class KafkaSettings(BaseModel):
    """The broker. With `user`, SASL/SCRAM; with `ca_file`, TLS."""

    bootstrap: str
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    transaction_timeout: float = 10.0  # Seconds; a dead writer blocks readers this long at most.


class StoreSettings(BaseModel):
    """Pachyderm's pachd, or services/version_store."""

    address: str
    token_file: Path | None = None


class ServingSettings(BaseModel):
    """TF Serving, or services/model_server."""

    replicas: str  # host:port of each replica's gRPC, separated by commas.
    config_file: Path | None = None  # TF Serving's model config; the reconciler writes it.
    models: Path | None = None  # The base folder: <models>/<model>/<version>/.
    timeout: float = 10.0

    @property
    def addresses(self) -> list[str]:
        """The replicas' addresses."""
        return [part.strip() for part in self.replicas.split(",") if part.strip()]


class GatewaySettings(BaseModel):
    """Where people and programs upload."""

    url: str
    token_file: Path
    identity_key_file: Path | None = None  # Only the gateway's environment has it.


class HealthSettings(BaseModel):
    """Where this process answers /healthz and /metrics; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0


class RunnerSettings(BaseModel):
    """The worker of the pipelines."""

    workers: int | None = None  # Datums of one pipeline at once; the number of CPUs if not set.


class LimitSettings(BaseModel):
    """The largest image; gateway, topics, broker, producers and fetches follow it."""

    encoded_bytes: int = 32 * 2**20
    pixels: int = 50_000_000
    decode_memory: int = 2 * 2**30  # Bytes a decoding child may add to its own.
    decode_seconds: float = 30.0

    @property
    def of_input(self) -> Limits:
        """The limits that an input checks."""
        return Limits(encoded_bytes=self.encoded_bytes, pixels=self.pixels)


class Settings(BaseSettings):
    """One process' view of the site. A wrong or missing value raises ConfigError by name."""

    model_config = SettingsConfigDict(
        env_prefix="CHEXNET_", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    pipeline: str = "xray"
    input: str = "chest_xray"
    state: Path
    kafka: KafkaSettings
    store: StoreSettings
    serving: ServingSettings
    gateway: GatewaySettings
    health: HealthSettings = Field(default_factory=HealthSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    runner: RunnerSettings = Field(default_factory=RunnerSettings)
    jupyter_url: str | None = None  # For people only: `chexnet open`, links in notebooks.
    tensorboard_url: str | None = None
    services: str = ""  # name=host:port of each service's health, separated by commas; for status.
    instance: str = "0"  # Stable over restarts, different for each process of one service.
    log_level: str = "INFO"

    def __init__(self, **values: object) -> None:
        env_file = os.environ.get("CHEXNET_ENV_FILE", ".state/chexnet.env")
        try:
            super().__init__(_env_file=env_file, **values)  # type: ignore[arg-type]
        except ValidationError as error:
            raise ConfigError(_sentence(error, env_file)) from error

    @property
    def service_addresses(self) -> dict[str, str]:
        """Each service's name and the address of its health."""
        pairs = (part.partition("=") for part in self.services.split(",") if part)
        return {name.strip(): address.strip() for name, _, address in pairs}

    @property
    def model(self) -> str:
        """The served model's name: the pipeline's."""
        return self.pipeline


def _sentence(error: ValidationError, env_file: str) -> str:
    first = error.errors()[0]
    name = "CHEXNET_" + "__".join(str(part) for part in first["loc"]).upper()
    if first["type"] == "missing":
        rule = f"{name} must be set, in the environment or in {env_file}."
        return f"{rule} Received: nothing. Start the stack, which writes it: make up"
    return f"{name} is not valid: {first['msg']}. Received: {first['input']!r}. Correct it."
