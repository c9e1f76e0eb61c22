"""Each container killed under load: nothing lost, nothing doubled."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from docker.models.containers import Container

from chexnet.adapters.kafka import KafkaBus
from chexnet.settings import Settings
from tests.load import Load, assert_each_once, until_well

pytestmark = pytest.mark.usefixtures("champion")

# One after the other in each row, but the last: no upload waits for those, and they die together.
VICTIMS = (
    ("xray-gateway", "xray-preprocess", "xray-router", "xray-shadow"),
    (
        *("xray-archiver-raw", "xray-archiver-predictions"),
        *("xray-reconciler", "xray-pipeline-runner"),
    ),
    ("tf-serving", "pachd", "kafka"),
    (
        *("xray-guardian", "xray-archiver-feedback", "xray-archiver-audit"),
        *("jupyter", "tensorboard"),
    ),
)


@pytest.fixture
def bus(stack: Settings) -> Iterator[KafkaBus]:
    made = KafkaBus(stack)
    yield made
    made.close()


def until_healthy(container: Container) -> None:
    """Wait until the engine finds it healthy; the timeout ends the wait."""
    container.reload()
    while container.attrs["State"]["Health"]["Status"] != "healthy":
        time.sleep(0.2)  # Between two looks.
        container.reload()


@pytest.mark.parametrize("victims", VICTIMS, ids=",".join)
def test_after_restarts_every_upload_is_predicted_once_and_archived_once(
    victims: tuple[str, ...], stack: Settings, bus: KafkaBus, containers: dict[str, Container]
) -> None:
    until_well(stack)
    with Load(stack) as load:
        load.more(10)
        for victim in victims:
            containers[victim].restart(timeout=0)  # By SIGKILL.
            if victims is not VICTIMS[-1]:
                load.more(10)
        load.more(20)
    assert_each_once(stack, bus, load)
    for victim in victims:
        until_healthy(containers[victim])
