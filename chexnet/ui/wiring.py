"""What a workspace is wired to: the stack's adapters, or what a test gives instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Self

from msgspec import Struct, field

from chexnet.inputs.base import Input, Limits, load
from chexnet.models.card import Card
from chexnet.settings import GuardrailSettings, Settings
from chexnet.steps.ports import Bus, Serving, Store
from chexnet.ui.transfer import Gateway

if TYPE_CHECKING:
    from chexnet.ui.training import Pipelines


class Wiring(Struct, frozen=True, kw_only=True):
    """The outside of one workspace."""

    model: str  # The pipeline's name, and its served model's.
    source: Input
    bus: Bus
    store: Store
    gateway: Gateway
    card: Callable[[int], Card]  # Of a version; it may wait for the store.
    limits: Limits  # Of an upload.
    principal: str | None = None  # Whom the broker knows this process as.
    replicas: Mapping[str, Serving] = {}  # By address; decisions ask each.
    pipelines: Pipelines | None = None  # Pages that show them need it.
    guardrails: GuardrailSettings = field(default_factory=GuardrailSettings)
    tensorboard_url: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the wiring to the stack that the settings name."""
        from chexnet.adapters.gateway import HttpGateway
        from chexnet.adapters.kafka import KafkaBus
        from chexnet.adapters.pachyderm import PachydermPipelines, PachydermStore
        from chexnet.adapters.tf_serving import TfServing
        from chexnet.runtime import lineage

        store = PachydermStore(settings.store, settings.pipeline)
        return cls(
            model=settings.model,
            source=load(settings.input),
            bus=KafkaBus(settings),
            store=store,
            gateway=HttpGateway(settings.gateway),
            card=partial(lineage.card, store, settings.model),
            limits=settings.limits.of_input,
            principal=settings.kafka.principal,
            replicas=TfServing.each(settings.serving, settings.model),
            pipelines=PachydermPipelines(settings.store, settings.pipeline),
            guardrails=settings.guardrails,
            tensorboard_url=settings.tensorboard_url,
        )
