"""gateway: HTTP → uploads. The only process that reads the identity key."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import uvicorn

from chexnet.adapters import tls
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.errors import ConfigError
from chexnet.identity.pseudonym import Pseudonyms
from chexnet.inputs.base import Cleaned, Limits, load
from chexnet.messages import new_id, now
from chexnet.runtime import health, logs
from chexnet.runtime.isolate import Isolated
from chexnet.runtime.stopping import on_signals
from chexnet.settings import Settings
from services.gateway.app import Gateway
from services.gateway.films import Films
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
    own = tls.Own.of(settings.gateway.certificate_file, settings.gateway.key_file)
    pseudonyms = Pseudonyms.from_file(settings.gateway.identity_key_file)
    tokens = settings.gateway.tokens
    load(settings.input)  # A wrong name stops it here, not in the child.
    status = health.Health("gateway")
    health.serve(status, settings.health)
    stop = on_signals()  # Before uvicorn, which hands a signal on when it has ended.
    bus, statuses = KafkaBus(settings), Statuses()
    clean, view = (
        Isolated(
            partial(make, settings.input),
            memory=settings.limits.decode_memory,
            seconds=settings.limits.decode_seconds,
        )
        for make in (cleaner, viewer)
    )
    limits = settings.limits.of_input
    intake = Intake(clean, pseudonyms, limits, new_id=new_id, clock=now)
    films = Films(PachydermStore(settings.store, settings.pipeline), view, limits)
    app = Gateway(intake, statuses, films, bus, tokens=tokens, limits=limits).app()
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
        ssl_certfile=own.certificate if own else None,
        ssl_keyfile=own.key if own else None,
    )
    stop.set()
    clean.close()
    view.close()
    return 0


def cleaner(name: str) -> Callable[[bytes, Limits], Cleaned]:
    """Return what runs in the child: clean a file, and see that a model could read it."""
    source = load(name)

    def clean(data: bytes, limits: Limits) -> Cleaned:
        cleaned = source.clean(data, limits)
        source.decode(cleaned.data, limits)
        return cleaned

    return clean


def viewer(name: str) -> Callable[[bytes, Limits], bytes]:
    """Return what runs in another child, so that who looks does not keep uploads waiting."""
    return load(name).view


if __name__ == "__main__":
    raise SystemExit(main())
