"""The wiring that router and shadow share: they differ in their group and in what they ask."""

from __future__ import annotations

from chexnet import topics
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.tf_serving import TfServing
from chexnet.experiments.control import Follower
from chexnet.inputs.base import load
from chexnet.messages import now
from chexnet.runtime import health, logs
from chexnet.runtime.stopping import on_signals
from chexnet.runtime.worker import Worker
from chexnet.settings import Settings
from chexnet.steps.predict import GROUPS, Kind, Predict


def predict(kind: Kind) -> int:
    """Run until SIGTERM."""
    settings = Settings()
    group = GROUPS[kind]
    logs.setup(group, settings.log_level)
    status = health.Health(group)
    health.serve(status, settings.health)
    source = load(settings.input)
    bus = KafkaBus(settings)
    control = Follower(bus, settings.model)
    serving = TfServing.of(settings.serving, settings.model)
    step = Predict(kind, serving=serving, labels=source.labels, shape=source.shape, clock=now)
    return Worker(
        bus,
        topics.IMAGES,
        lambda images: step(images, control.current()),
        group=group,
        instance=settings.instance,
        health=status,
        stop=on_signals(),
        at_most=32,
    ).run()
