"""version_store: Pachyderm's PFS API over one folder."""

from __future__ import annotations

import sys

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
        server = Server(settings.folder, settings.listen)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
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


if __name__ == "__main__":
    raise SystemExit(main())
