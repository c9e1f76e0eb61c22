"""notifier: audit → webhooks. CHEXNET_WEBHOOKS__URLS names them."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import timedelta
from threading import Event

from chexnet import topics
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.adapters.webhooks import Webhook
from chexnet.errors import ConfigError
from chexnet.messages import now
from chexnet.runtime import health, logs
from chexnet.runtime.notifier import NAME, Notifier
from chexnet.runtime.stopping import on_signals, run
from chexnet.runtime.worker import Worker, each
from chexnet.settings import Settings


def main() -> int:
    """Run until SIGTERM."""
    settings = Settings()
    logs.setup(NAME, settings.log_level)
    to = [Webhook(u, settings.webhooks.secret_file) for u in settings.webhooks.addresses]
    if not to:
        rule = "CHEXNET_WEBHOOKS__URLS must name whom to tell."
        raise ConfigError(f"{rule} Received: nobody. Set it, or stop the notifier.")
    parts = {webhook: health.Health(f"{NAME}.{webhook.host}") for webhook in to}
    health.serve(health.Healths(list(parts.values())), settings.health)
    stop = on_signals()
    with ThreadPoolExecutor(len(to)) as pool:
        running = [pool.submit(_follow, settings, w, part, stop) for w, part in parts.items()]
        wait(running, return_when=FIRST_COMPLETED)
        stop.set()  # One that failed ends all: whoever started this process starts it again.
    return max(done.result() for done in running)


def _follow(settings: Settings, webhook: Webhook, part: health.Health, stop: Event) -> int:
    bus = KafkaBus(settings)
    store = PachydermStore(settings.store, settings.pipeline)
    age = timedelta(hours=settings.webhooks.hours)
    return Worker(
        bus,
        topics.AUDIT,
        each(Notifier(bus, store, webhook, age=age, clock=now)),
        group=f"{NAME}.{webhook.digest}",
        instance=settings.instance,
        health=part,
        stop=stop,
        at_most=1,
    ).run()


if __name__ == "__main__":
    run(main)
