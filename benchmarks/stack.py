"""The platform that a benchmark asks: one of its own, or one that runs already."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chexnet.adapters.kafka import KafkaBus
from chexnet.settings import Settings
from tests.commands import chexnet, crown, settings_of
from tests.playbooks import temporary_site


@contextmanager
def platform() -> Iterator[Settings]:
    """Yield the settings of a platform whose champion is a DenseNet-121, trained for a moment.

    With CHEXNET_TEST_STACK, the env file of a platform that runs, nothing is started.
    """
    if running := os.environ.get("CHEXNET_TEST_STACK"):
        yield settings_of(Path(running))
        return
    with temporary_site("xray") as site, tempfile.TemporaryDirectory() as scratch:
        site.up()
        settings = settings_of(site.state / "xray.env")
        chexnet(settings, "data", "phantoms", Path(scratch), "--count", "400", "--size", "256")
        crown(settings, Path(scratch), "--config", "chexnet", "--quick")
        yield settings


@contextmanager
def connected(settings: Settings) -> Iterator[KafkaBus]:
    """Yield a bus, which is closed afterwards."""
    bus = KafkaBus(settings)
    yield bus
    bus.close()
