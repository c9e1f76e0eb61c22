"""preprocess: uploads → images."""

from __future__ import annotations

from functools import partial

from chexnet import topics
from chexnet.adapters.kafka import KafkaBus
from chexnet.inputs.base import load
from chexnet.runtime import health, logs
from chexnet.runtime.decoding import IsolatedDecoder
from chexnet.runtime.stopping import on_signals, run
from chexnet.runtime.worker import Worker, each
from chexnet.settings import Settings
from chexnet.steps.preprocess import preprocess


def main() -> int:
    """Run until SIGTERM."""
    settings = Settings()  # Environment and secret files; a wrong value stops it here, by name.
    logs.setup("preprocess", settings.log_level)
    load(settings.input)  # A wrong name stops it here, not in the child.
    status = health.Health("preprocess")
    health.serve(status, settings.health)
    source = IsolatedDecoder(settings.input, settings.limits)
    handler = partial(preprocess, source=source, limits=settings.limits.of_input)
    return Worker(
        KafkaBus(settings),
        topics.UPLOADS,
        each(handler),
        group="preprocess",
        instance=settings.instance,
        health=status,
        stop=on_signals(),
        at_most=16,
    ).run()


if __name__ == "__main__":
    run(main)
