"""A client's way in: TLS, and the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chexnet.adapters import tls
from chexnet.errors import ConfigError
from chexnet.settings import KafkaSettings


def options(settings: KafkaSettings) -> dict[str, Any]:
    """Return what every client is made with; raise ConfigError for a file that is not there."""
    if settings.security == "plaintext":
        return {"security_protocol": "PLAINTEXT"}
    return {
        "security_protocol": "SASL_SSL",
        "ssl_context": tls.trusted(settings.ca_file),
        "sasl_mechanism": settings.mechanism,
        "sasl_plain_username": settings.user,
        "sasl_plain_password": _password(settings.password_file),
    }


def _password(file: Path | None) -> str:
    assert file is not None  # noqa: S101  # The settings see to it.
    try:
        return file.read_text().strip()
    except OSError as error:
        rule = "CHEXNET_KAFKA__PASSWORD_FILE must be a file that this process may read."
        raise ConfigError(f"{rule} Received: {file} ({error.strerror}). Correct it.") from error
