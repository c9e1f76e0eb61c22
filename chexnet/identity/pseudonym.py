"""Pseudonyms: who it is without saying who it is. Only the gateway holds the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from pathlib import Path

from chexnet.errors import ConfigError

KEY_BYTES = 32


class Pseudonyms:
    """Makes pseudonyms with one key. A pseudonym names its key, so that keys can change."""

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            rule = f"The identity key must have at least {KEY_BYTES} bytes."
            raise ConfigError(f"{rule} Received: {len(key)}. Make one with: make up")
        self._key = key
        self.key_id = hashlib.sha256(b"key id" + key).hexdigest()[:8]

    @classmethod
    def from_file(cls, file: Path) -> Pseudonyms:
        """Return the pseudonyms of the key in `file`, which only its owner may read.

        Raises:
            ConfigError: the file is missing, open to others, or too short.
        """
        try:
            mode = file.stat().st_mode & 0o077
            key = file.read_bytes().strip()
        except OSError as error:
            rule = "CHEXNET_GATEWAY__IDENTITY_KEY_FILE must name a file that can be read."
            raise ConfigError(f"{rule} Received: {file} ({error.strerror}). Run: make up") from None
        if mode:
            rule = f"The identity key must be its owner's alone. Received: {file}, open to others."
            raise ConfigError(f"{rule} Run: chmod 600 {file}")
        return cls(key)

    def of(self, patient: str, issuer: str = "") -> str:
        """Return the pseudonym of a patient: HMAC-SHA256 over issuer and normalised id.

        Args:
            patient: the id as a file or a person states it.
            issuer: who gave it; the same id of two hospitals is two patients.
        """
        parts = [normalise(issuer).encode(), normalise(patient).encode()]
        text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        digest = hmac.digest(self._key, text, hashlib.sha256)
        return f"{self.key_id}-{base64.b32encode(digest)[:32].decode().lower()}"


def normalise(patient: str) -> str:
    """Return the id without what systems write differently: case, spaces, forms of a character."""
    return "".join(unicodedata.normalize("NFKC", patient).casefold().split())
