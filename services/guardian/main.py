"""guardian: what versions do → an experiment stopped, or a fresh champion taken back."""

from __future__ import annotations

from chexnet import release as releases
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.pachyderm import PachydermStore
from chexnet.adapters.tf_serving import TfServing
from chexnet.evaluation.drift import Reference
from chexnet.experiments import guardrails, readiness
from chexnet.experiments.control import Follower
from chexnet.runtime import health, logs
from chexnet.runtime.guardian import NAME, Guardian
from chexnet.runtime.stopping import on_signals, run
from chexnet.settings import Settings


def main() -> int:
    """Run until SIGTERM."""
    settings = Settings()
    logs.setup(NAME, settings.log_level)
    status = health.Health(NAME)
    health.serve(status, settings.health)
    bus = KafkaBus(settings)
    store = PachydermStore(settings.store, settings.pipeline)
    replicas = TfServing.each(settings.serving, settings.model)

    def usual(version: int) -> Reference | None:
        return guardrails.usual(releases.card(store, releases.read(store, version)))

    return Guardian(
        bus,
        Follower(bus, settings.model),
        usual=usual,
        unready=lambda version: readiness.missing(version, replicas, None),
        limits=settings.guardrails,
        health=status,
        stop=on_signals(),
    ).run()


if __name__ == "__main__":
    run(main)
