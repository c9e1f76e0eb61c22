"""What the commands that decide share: the stack's adapters, and who sits at the desk."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from chexnet import release as releases
from chexnet.adapters.tf_serving.golden import Golden
from chexnet.experiments import control as controls
from chexnet.experiments import readiness
from chexnet.experiments.decisions import By
from chexnet.messages import Control, now
from chexnet.models.base import INPUT
from chexnet.settings import Settings
from chexnet.steps.ports import Bus, Store

if TYPE_CHECKING:
    from chexnet.experiments.review import Review


class Desk(Struct, frozen=True, kw_only=True):
    """One pipeline, as a person who decides sees it."""

    settings: Settings
    bus: Bus
    store: Store
    replicas: readiness.Replicas

    @property
    def model(self) -> str:
        """The served model."""
        return self.settings.model

    def control(self) -> Control:
        """Return control as it is now."""
        return controls.read(self.bus, self.model)

    def review(self, control: Control) -> Review:
        """Return what the running experiment shows."""
        from chexnet.experiments.review import review

        return review(self.bus, self.store, control, until=now())

    def golden(self, version: int) -> Golden:
        """Return what a version must answer, as it was committed."""
        record = releases.read(self.store, version)
        arrays = releases.golden(self.store, record)
        return Golden(arrays.pop(INPUT), arrays, record.labels)

    def unready(self, *versions: int) -> list[str]:
        """Return what keeps these versions from taking a role."""
        return [
            sentence
            for version in versions
            for sentence in readiness.missing(version, self.replicas, self.golden(version))
        ]

    def by(self, reason: str = "", *, force: bool = False) -> By:
        """Return who decides: the OS user, whom nobody has verified."""
        return By(who=getpass.getuser(), at=now(), reason=reason, force=force)


@contextmanager
def desk() -> Iterator[Desk]:
    """Open the desk of the pipeline that the environment names."""
    from chexnet.adapters.kafka import KafkaBus
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.adapters.tf_serving import TfServing

    settings = Settings()
    serving = settings.serving
    replicas = {
        address: TfServing([address], settings.model, serving.timeout)
        for address in serving.addresses
    }
    bus = KafkaBus(settings)
    store = PachydermStore(settings.store, settings.pipeline)
    try:
        yield Desk(settings=settings, bus=bus, store=store, replicas=replicas)
    finally:
        bus.close()
        for replica in replicas.values():
            replica.close()
