"""reconciler: control → what serving holds."""

from __future__ import annotations

from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.tf_serving import TfServing
from chexnet.experiments.control import Follower
from chexnet.runtime import health, logs
from chexnet.runtime.reconciler import Reconciler
from chexnet.runtime.stopping import on_signals
from chexnet.settings import Settings


def main() -> int:
    """Run until SIGTERM."""
    settings = Settings()
    logs.setup("reconciler", settings.log_level)
    status = health.Health("reconciler")
    health.serve(status, settings.health)
    serving = TfServing.of(settings.serving, settings.model)
    return Reconciler(
        Follower(KafkaBus(settings), settings.model),
        serving,
        health=status,
        stop=on_signals(),
        golden=serving.repeats_golden,
    ).run()


if __name__ == "__main__":
    raise SystemExit(main())
