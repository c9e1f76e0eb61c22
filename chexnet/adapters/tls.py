"""Certificates, from files: whom a client trusts, and what a server shows. A bad file is named."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import grpc

from chexnet.errors import ConfigError


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the authority in `ca_file` alone; the system's if None."""
    if ca_file is None:
        return ssl.create_default_context()
    return ssl.create_default_context(cadata=_authority(ca_file))


def channel(
    address: str, ca_file: Path | None, options: Sequence[tuple[str, object]] = ()
) -> grpc.Channel:
    """Return a channel to `address`: TLS if there is an authority, else plain."""
    roots = authority(ca_file)
    if roots is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), options)


def authority(ca_file: Path | None) -> bytes | None:
    """Return the authority's certificate as gRPC takes it; None where there is none."""
    return _authority(ca_file).encode() if ca_file else None


def bind(server: grpc.Server | grpc.aio.Server, address: str, own: Own | None) -> int:
    """Open a port of a gRPC server, TLS if it has a certificate; return its number.

    Raises:
        RuntimeError: gRPC's own, where the address is not free.
    """
    if own is None:
        return int(server.add_insecure_port(address))
    return int(server.add_secure_port(address, grpc.ssl_server_credentials([own.read()])))


class Own:
    """A server's own certificate and its key."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.certificate, self.key = certificate, key
        try:  # Together: a key of another certificate is found here, by name.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except OSError as error:
            rule = "A server's certificate and key must be PEM files that belong together."
            received = f"Received: {certificate} and {key} ({error.strerror or error})."
            raise ConfigError(
                f"{rule} {received} Correct its CERTIFICATE_FILE, KEY_FILE."
            ) from error

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None) -> Own | None:
        """Return what two settings name; None where both are empty."""
        if certificate is None and key is None:
            return None
        if certificate is None or key is None:
            rule = "CERTIFICATE_FILE and KEY_FILE of a server must be set together."
            raise ConfigError(f"{rule} Received: {certificate} and {key}. Set the other one too.")
        return cls(certificate, key)

    def read(self) -> tuple[bytes, bytes]:
        """Return key and certificate, in gRPC's order."""
        return self.key.read_bytes(), self.certificate.read_bytes()


def _authority(ca_file: Path) -> str:
    try:
        text = ca_file.read_text()
        ssl.create_default_context(cadata=text)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        rule = "CA_FILE must be a PEM file with the certificate of an authority."
        received = f"Received: {ca_file} ({why})."
        raise ConfigError(f"{rule} {received} The role certificates makes one.") from error
    return text
