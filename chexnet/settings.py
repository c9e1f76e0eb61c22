"""Settings, from the environment (`CHEXNET_…`) and the site's env file. Ansible writes both.

No address has a default: ports are defined once, in the inventory.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chexnet.errors import ConfigError
from chexnet.inputs.base import Limits


class KafkaSettings(BaseModel):
    """The broker. A password comes from its file alone."""

    bootstrap: str
    security: Literal["plaintext", "sasl_ssl"] = "plaintext"
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    transaction_timeout: float = 10.0  # Seconds; a dead writer blocks readers this long at most.

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        needed = {"user": self.user, "password_file": self.password_file, "ca_file": self.ca_file}
        if self.security == "sasl_ssl" and (missing := [n for n, v in needed.items() if not v]):
            raise ValueError(f"security sasl_ssl also needs {', '.join(missing)}")
        if self.security == "plaintext" and (idle := [n for n, v in needed.items() if v]):
            raise ValueError(f"security plaintext would not use {', '.join(idle)}")
        return self

    @property
    def principal(self) -> str | None:
        """Who the broker knows this process as; None where it asks nobody."""
        return self.user if self.security == "sasl_ssl" else None


class StoreSettings(BaseModel):
    """Pachyderm's pachd, or services/version_store."""

    address: str
    token_file: Path | None = None
    ca_file: Path | None = None  # The authority of its certificate; set: TLS.


class ServingSettings(BaseModel):
    """TF Serving, or services/model_server."""

    replicas: str  # host:port of each replica's gRPC, separated by commas.
    ca_file: Path | None = None  # The authority of their certificates; set: TLS.
    config_file: Path | None = None  # TF Serving's model config; the reconciler writes it.
    models: Path | None = None  # The base folder: <models>/<model>/<version>/.
    image: str | None = None  # What a release's image stands on, where serving is a container.
    timeout: float = 10.0

    @property
    def addresses(self) -> list[str]:
        """The replicas' addresses."""
        return [part.strip() for part in self.replicas.split(",") if part.strip()]


class GatewaySettings(BaseModel):
    """Where people and programs upload."""

    url: str  # https where the gateway has a certificate.
    token_file: Path
    ca_file: Path | None = None  # The authority of that certificate; the system's if not set.
    identity_key_file: Path | None = None  # These four only the gateway's environment has.
    guest_token_files: str = ""  # Of others who may upload, separated by commas.
    certificate_file: Path | None = None
    key_file: Path | None = None

    @property
    def tokens(self) -> list[str]:
        """The tokens that the gateway takes: its own, and its guests'."""
        guests = (part.strip() for part in self.guest_token_files.split(","))
        files = [self.token_file, *(Path(guest) for guest in guests if guest)]
        tokens = [file.read_text().strip() for file in files]
        if not all(tokens):  # Whoever brings none would be let in.
            rule = "The files of the gateway's tokens must each have one."
            raise ConfigError(f"{rule} Received: an empty one. Delete it, and run: make up")
        return tokens


class HealthSettings(BaseModel):
    """Where this process answers /healthz and /metrics; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0


class RunnerSettings(BaseModel):
    """The worker of the pipelines."""

    workers: int | None = None  # Datums of one pipeline at once; the number of CPUs if not set.
    pipelines: str = "*"  # Whose jobs it does: patterns of names, separated by commas.

    def does(self, pipeline: str) -> bool:
        """Return whether a pipeline's jobs are this runner's."""
        patterns = (pattern.strip() for pattern in self.pipelines.split(","))
        return any(fnmatchcase(pipeline, pattern) for pattern in patterns)


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


class GuardrailSettings(BaseModel):
    """What a version may do; each guardrail looks at the newest `window` images of the version."""

    window: int = 500
    images: int = 100  # Fewer, and nothing is said.
    hours: float = 24.0  # After its promotion a champion may be taken back for so long.
    latency: float = 3.0  # Times the 95th percentile of the version it is measured against.
    slow: float = 1.0  # Seconds; who is faster is fast enough.
    errors: float = 0.05  # Of the images since the version has its role: those it failed on.
    scores: float = 0.25  # Population stability index of a label.
    features: float = 0.5  # Deviations of an image by which the mean has moved.
    outliers: float = 0.1  # Of the images; one in a hundred is usual.
    calibration: float = 5.0  # Spiegelhalter's z, either way; told, and nothing is done.


class WebhookSettings(BaseModel):
    """Who is told of decisions. Only the notifier's environment has it."""

    urls: str = ""  # https, or http on loopback; separated by commas.
    secret_file: Path | None = None  # The key of the signature in each call's header.
    hours: float = 72.0  # What is older is not told any more.

    @property
    def addresses(self) -> list[str]:
        """The URLs."""
        return [part.strip() for part in self.urls.split(",") if part.strip()]


class AppSettings(BaseModel):
    """The workspace as pages without code. Only the app's environment has it."""

    host: str = "127.0.0.1"
    port: int = 0
    token_file: Path | None = None  # The token to log in with; the kernels can't read it.
    folder: Path | None = None  # Where it and its kernels write.
    pages: Path | None = None  # The folder of notebooks: each is a page.
    certificate_file: Path | None = None
    key_file: Path | None = None


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
    guardrails: GuardrailSettings = Field(default_factory=GuardrailSettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    app: AppSettings = Field(default_factory=AppSettings)
    jupyter_url: str | None = None  # For people only: `chexnet open`, links in notebooks.
    app_url: str | None = None
    tensorboard_url: str | None = None
    pipelines_image: str | None = None  # Of the transforms, for Pachyderm's workers on Kubernetes.
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

    def lock(self, writer: str) -> Path:
        """The file that the sole writer of something of this pipeline holds."""
        return self.state / "run" / f"{self.pipeline}-{writer}.lock"

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
