"""version_store: Pachyderm's PFS API over one folder."""

from __future__ import annotations

import ctypes
import sys

from chexnet.adapters import tls
from chexnet.errors import ConfigError
from chexnet.runtime import health, logs, stopping
from services.version_store.server import Server
from services.version_store.settings import VersionStoreSettings


def main() -> int:
    """Serve until SIGTERM."""
    stop = stopping.on_signals()
    try:
        settings = VersionStoreSettings()
        log = logs.setup("version_store", settings.log_level)
        own = tls.Own.of(settings.certificate_file, settings.key_file)
        server = Server(settings.folder, settings.listen, own)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    _give_large_buffers_back()
    state = health.Health("version_store")
    health.serve(state, settings.health)
    state.set("ok")
    host = settings.listen.rpartition(":")[0]
    log.info("listening", extra={"fields": {"address": f"{host}:{server.port}"}})
    stop.wait()
    state.set("stopped", "asked to stop")
    server.stop()
    log.info("stopped")
    return 0


def _give_large_buffers_back() -> None:
    """Map buffers of 4 MiB and more by themselves: glibc would keep those of 20 MiB messages."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone.
    if mallopt is not None:
        mallopt(-3, 4 * 2**20)  # M_MMAP_THRESHOLD


if __name__ == "__main__":
    raise SystemExit(main())
