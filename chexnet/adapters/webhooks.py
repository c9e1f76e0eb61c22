"""Webhook: one receiver of notices. Its address may hold a token: logs have its host alone."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from pathlib import Path

import httpx

from chexnet.errors import ConfigError, Unavailable
from chexnet.experiments.notices import Notice
from chexnet.messages import sha256

PATIENCE = 10.0  # Seconds for one call.
SIGNATURE = "X-Chexnet-Signature"
AGAIN = "The notice is sent again until it is too old."


class Webhook:
    """Sends notices to one URL.

    Args:
        url: https; http on loopback alone, since a notice says who decides what.
        secret_file: whose bytes, without white space around them, are the key of the signature
            header `sha256=<hex>`: HMAC-SHA256 of the body. None: no signature.

    Raises:
        ConfigError: the URL is of another kind, or the file is not there.
    """

    def __init__(self, url: str, secret_file: Path | None) -> None:
        self.host, self.digest = _host(url), sha256(url.encode())[:12]
        self._url, self._secret_file = url, secret_file
        if secret_file is not None:
            _key(secret_file)
        self._client = httpx.Client(timeout=PATIENCE, trust_env=not _own(self.host))  # No proxy.

    def send(self, notice: Notice) -> None:
        """Send it; raise Unavailable unless the receiver answers that it has it."""
        body = notice.encode()
        headers = {"Content-Type": "application/json", "X-Chexnet-Event": notice.event}
        if self._secret_file is not None:
            digest = hmac.new(_key(self._secret_file), body, hashlib.sha256).hexdigest()
            headers[SIGNATURE] = f"sha256={digest}"
        rule = f"The webhook at {self.host} must answer 2xx within {PATIENCE:.0f} s."
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise Unavailable(f"{rule} Received: {type(error).__name__}. {AGAIN}") from error
        if not answer.is_success:
            raise Unavailable(f"{rule} Received: {answer.status_code}. {AGAIN}")


def _host(url: str) -> str:
    """Return the host of `url`, if it is one that notices may be sent to."""
    rule = "Each of CHEXNET_WEBHOOKS__URLS must be https://…, or http:// on loopback."
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{rule} Received: one that is no URL. Correct it.") from error
    if parsed.host and (
        parsed.scheme == "https" or (parsed.scheme == "http" and _own(parsed.host))
    ):
        return parsed.host
    raise ConfigError(f"{rule} Received: {parsed.scheme}://{parsed.host}. Correct it.")


def _own(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key(file: Path) -> bytes:
    try:
        key = file.read_bytes().strip()
    except OSError as error:
        rule = "CHEXNET_WEBHOOKS__SECRET_FILE must be a file that can be read."
        raise ConfigError(f"{rule} Received: {file} ({error.strerror}). Correct it.") from error
    if not key:
        rule = "CHEXNET_WEBHOOKS__SECRET_FILE must hold a key."
        raise ConfigError(f"{rule} Received: {file}, which is empty. Write one into it.")
    return key
