"""What the commands that decide share: the stack's adapters, and who sits at the desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from chexnet.adapters.tf_serving.golden import Golden
from chexnet.experiments import control as controls
from chexnet.experiments import readiness
from chexnet.experiments.decisions import By
from chexnet.messages import Control, now
from chexnet.runtime import deciding
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

    def embargo(self) -> datetime | None:
        """Return the start of the running experiment: reads since then are its evidence."""
        running = self.control().experiment
        return running.started_at if running else None

    def review(self, control: Control) -> Review:
        """Return what the running experiment shows."""
        from chexnet.experiments.review import review

        return review(self.bus, self.store, control, until=now())

    def golden(self, version: int) -> Golden:
        """Return what a version must answer, as it was committed."""
        return deciding.golden(self.store, version)

    def unready(self, *versions: int) -> list[str]:
        """Return what keeps these versions from taking a role."""
        return deciding.unready(self.store, self.replicas, *versions)

    def evidence(self, control: Control, version: int) -> tuple[list[str], dict[str, Any]]:
        """Return what the evidence for a version lacks, and the evidence."""
        return deciding.evidence(self.bus, self.store, control, version, until=now())

    def by(self, reason: str = "", *, force: bool = False) -> By:
        """Return who decides, now."""
        return By.person(self.settings.kafka.principal, now(), reason, force=force)


@contextmanager
def desk() -> Iterator[Desk]:
    """Open the desk of the pipeline that the environment names."""
    from chexnet.adapters.kafka import KafkaBus
    from chexnet.adapters.pachyderm import PachydermStore
    from chexnet.adapters.tf_serving import TfServing

    settings = Settings()
    replicas = TfServing.each(settings.serving, settings.model)
    bus = KafkaBus(settings)
    store = PachydermStore(settings.store, settings.pipeline)
    try:
        yield Desk(settings=settings, bus=bus, store=store, replicas=replicas)
    finally:
        bus.close()
        for replica in replicas.values():
            replica.close()
