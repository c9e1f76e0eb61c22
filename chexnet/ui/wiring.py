"""What a workspace is wired to: the stack's adapters, or what a test gives instead."""

from __future__ import annotations

from functools import cache
from typing import Self

from msgspec import Struct

from chexnet.errors import ChexnetError
from chexnet.inputs.base import Input, load
from chexnet.settings import Settings
from chexnet.steps.ports import Bus, Store
from chexnet.ui.caseview import Thresholds
from chexnet.ui.transfer import Gateway


class Wiring(Struct, frozen=True, kw_only=True):
    """The outside of one workspace."""

    model: str  # The pipeline's name, and its served model's.
    source: Input
    bus: Bus
    gateway: Gateway
    thresholds: Thresholds
    largest: int  # Bytes of a file.

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the wiring to the stack that the settings name."""
        from chexnet.adapters.gateway import HttpGateway
        from chexnet.adapters.kafka import KafkaBus
        from chexnet.adapters.pachyderm import PachydermStore

        store = PachydermStore(settings.store, settings.pipeline)
        return cls(
            model=settings.model,
            source=load(settings.input),
            bus=KafkaBus(settings),
            gateway=HttpGateway(settings.gateway),
            thresholds=thresholds_in(store, settings.model),
            largest=settings.limits.encoded_bytes,
        )


def thresholds_in(store: Store, model: str) -> Thresholds:
    """Return a look-up of a version's thresholds, on the card of its release."""
    from chexnet.runtime.lineage import card

    @cache
    def read(version: int) -> dict[str, float]:
        try:
            return dict(card(store, model, version).thresholds)
        except ChexnetError:  # A release without a readable card: bars without thresholds.
            return {}

    return read
