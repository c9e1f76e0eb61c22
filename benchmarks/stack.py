"""The platform that a benchmark asks: one of its own, or one that runs already."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chexnet.adapters.kafka import KafkaBus
from chexnet.settings import Settings
from tests.commands import chexnet, crown
from tests.playbooks import temporary_site


@contextmanager
def platform() -> Iterator[Settings]:
    """Yield the settings of a platform whose champion is a DenseNet-121, trained for a moment.

    With CHEXNET_TEST_STACK, the env file of a platform that runs, nothing is started.
    """
    if running := os.environ.get("CHEXNET_TEST_STACK"):
        yield _settings(Path(running))
        return
    with temporary_site("xray") as site, tempfile.TemporaryDirectory() as scratch:
        site.up()
        settings = _settings(site.state / "xray.env")
        chexnet(settings, "data", "phantoms", Path(scratch), "--count", "400", "--size", "256")
        crown(settings, Path(scratch), "--config", "chexnet", "--quick")
        yield settings


@contextmanager
def connected(settings: Settings) -> Iterator[KafkaBus]:
    """Yield a bus, which is closed afterwards."""
    bus = KafkaBus(settings)
    yield bus
    bus.close()


def _settings(env_file: Path) -> Settings:
    os.environ["CHEXNET_ENV_FILE"] = str(env_file)
    return Settings()
