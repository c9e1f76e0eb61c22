"""gateway: HTTP → uploads. The only process that reads the identity key."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import uvicorn

from chexnet.adapters.kafka import KafkaBus
from chexnet.errors import ConfigError
from chexnet.identity.pseudonym import Pseudonyms
from chexnet.inputs.base import Cleaned, Limits, load
from chexnet.messages import new_id, now
from chexnet.runtime import health, logs
from chexnet.runtime.isolate import Isolated
from chexnet.runtime.stopping import on_signals
from chexnet.settings import Settings
from services.gateway.app import Gateway
from services.gateway.intake import Intake
from services.gateway.statuses import Statuses, follow

REMEMBERED = timedelta(hours=6)  # Of uploads before this start.


def main() -> int:
    """Run until SIGTERM."""
    settings = Settings()
    logs.setup("gateway", settings.log_level)
    if settings.gateway.identity_key_file is None:
        rule = "CHEXNET_GATEWAY__IDENTITY_KEY_FILE must be set for the gateway."
        raise ConfigError(f"{rule} Received: nothing. Start it with: make up")
    pseudonyms = Pseudonyms.from_file(settings.gateway.identity_key_file)
    token = settings.gateway.token_file.read_text().strip()
    load(settings.input)  # A wrong name stops it here, not in the child.
    status = health.Health("gateway")
    health.serve(status, settings.health)
    stop = on_signals()  # Before uvicorn, which hands a signal on when it has ended.
    bus, statuses = KafkaBus(settings), Statuses()
    clean = Isolated(
        partial(cleaner, settings.input),
        memory=settings.limits.decode_memory,
        seconds=settings.limits.decode_seconds,
    )
    limits = settings.limits.of_input
    intake = Intake(clean, pseudonyms, limits, new_id=new_id, clock=now)
    app = Gateway(intake, statuses, bus, token=token, limits=limits).app()
    following = (bus, statuses, status, stop, now() - REMEMBERED)
    threading.Thread(target=follow, args=following, name="statuses", daemon=True).start()
    address = urlsplit(settings.gateway.url)
    uvicorn.run(
        app,
        host=address.hostname or "127.0.0.1",
        port=address.port or 80,
        log_config=None,
        access_log=False,  # Paths and headers of people's requests are nobody's business.
        timeout_graceful_shutdown=10,
    )
    stop.set()
    clean.close()
    return 0


def cleaner(name: str) -> Callable[[bytes, Limits], Cleaned]:
    """Return what runs in the child: clean a file, and see that a model could read it."""
    source = load(name)

    def clean(data: bytes, limits: Limits) -> Cleaned:
        cleaned = source.clean(data, limits)
        source.decode(cleaned.data, limits)
        return cleaned

    return clean


if __name__ == "__main__":
    raise SystemExit(main())
