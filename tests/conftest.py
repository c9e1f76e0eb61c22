"""Fixtures that several suites share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chexnet.adapters.kafka import KafkaBus
from chexnet.experiments import control
from chexnet.settings import Settings
from tests.commands import chexnet, crown, settings_of
from tests.playbooks import temporary_site
from tests.waveform import signals

ROOT = Path(__file__).parent.parent
FIRST = ["stack", "browser", "tests/ansible/test_site.py"]  # What takes longest begins first.


def pytest_itemcollected(item: pytest.Item) -> None:
    """Share the suite between processes: one has all that needs the stack, and so the only one."""
    item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    group = _group(item)
    return FIRST.index(group) if group in FIRST else len(FIRST)


def _group(item: pytest.Item) -> str:
    path = item.path.relative_to(ROOT)
    if path.parts[1] == "ansible":  # Its platforms are its own.
        return str(path)
    if item.get_closest_marker("real") or "stack" in getattr(item, "fixturenames", ()):
        return "stack"
    return "browser" if path.parts[1] == "browser" else str(path)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data beside the project (or at CHEXNET_TEST_DATA). Nothing that a user runs needs it."""
    folder = Path(os.environ.get("CHEXNET_TEST_DATA", ROOT.parent / "shared"))
    if not (folder / "nih-sample").is_dir():
        pytest.skip(f"no real X-rays at {folder}: set CHEXNET_TEST_DATA to a folder that has them")
    return folder


@pytest.fixture(scope="session")
def stack() -> Iterator[Settings]:
    """The whole platform, started once by site.yml: its settings as the pipeline `xray` has them.

    The pipeline `waveform` runs beside it. Their env files are settings.state / '<pipeline>.env':
    give a subprocess CHEXNET_ENV_FILE. With CHEXNET_TEST_STACK, the env file of a platform that
    runs already, nothing is started or stopped.
    """
    if running := os.environ.get("CHEXNET_TEST_STACK"):
        yield settings_of(Path(running))
        return
    with temporary_site("xray", "waveform") as site:
        site.up()
        yield settings_of(site.state / "xray.env")


@pytest.fixture(scope="session")
def champion(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The stack, whose pipeline `xray` has a champion: trained on phantoms in seconds, for real."""
    if _champion_of(stack) is None:
        folder = tmp_path_factory.mktemp("phantoms")
        chexnet(stack, "data", "phantoms", folder, "--count", "400", "--size", "256")
        crown(stack, folder, "--quick")
    return stack


@pytest.fixture(scope="session")
def waveform(stack: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The pipeline `waveform` of the stack, with a champion of its own."""
    settings = settings_of(stack.state / "waveform.env")
    if _champion_of(settings) is None:
        folder = tmp_path_factory.mktemp("traces")
        signals.write(folder, 400)
        crown(settings, folder, "--model", "waveform_cnn")
    return settings


def _champion_of(settings: Settings) -> int | None:
    bus = KafkaBus(settings)
    try:
        return control.read(bus, settings.model).champion
    finally:
        bus.close()
