"""Two models compared in containers, one promoted by playbook under load, and rolled back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from chexnet import topics
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.tf_serving import TfServing
from chexnet.errors import NotFound, Unavailable
from chexnet.experiments import control
from chexnet.messages import Prediction, decode
from chexnet.settings import Settings
from tests.commands import chexnet, chexnet_json
from tests.load import Load, assert_each_once
from tests.playbooks import Site


@pytest.fixture
def bus(stack: Settings) -> Iterator[KafkaBus]:
    made = KafkaBus(stack)
    yield made
    made.close()


@pytest.fixture(scope="module")
def challenger(champion: Settings) -> int:
    """A version of line b, trained by the runner's container."""
    options = ("--line", "b", "--dataset", "dataset", "--config", "demo_a", "--quick")
    chexnet_json(champion, "train", *options)
    return int(chexnet_json(champion, "release", "--line", "b")["version"])


def test_a_challenger_is_compared_promoted_under_load_and_rolled_back(
    site: Site, champion: Settings, challenger: int, bus: KafkaBus, tmp_path: Path
) -> None:
    first = control.read(bus, champion.model).champion
    arms = json.dumps({"arms": {"b": challenger}})
    started = site.play("experiment", "-e", arms, do="start", experiment="docker", cases=40)
    assert started.code == 0, started.output

    unseen = tmp_path / "unseen"
    drawn = ("data", "phantoms", unseen, "--count", "40", "--size", "256", "--visits", "1")
    chexnet(champion, *drawn, "--seed", "77")
    uploads = tmp_path / "uploads.json"
    uploads.write_text(json.dumps(chexnet_json(champion, "upload", unseen, "--wait")))
    table = ("feedback", "import", unseen / "labels.csv", "--uploads", uploads)
    chexnet_json(champion, *table, "--reader", "known")
    status = chexnet_json(champion, "experiment", "status")
    assert status["arms"]["b"]["comparison"]["cases"] == {"b": 40, "champion": 40}

    refused = site.play("promote", arm="b")
    assert refused.code != 0  # Two models of one kind: there is no evidence.
    with Load(champion) as load:
        load.more(10)
        promoted = site.play("promote", arm="b", force=True, reason="tests: to promote under load")
        assert promoted.code == 0, promoted.output
        load.more(10)
        rolled = site.play("rollback", reason="tests: and back")
        assert rolled.code == 0, rolled.output
        load.more(10)
    assert_each_once(champion, bus, load)

    reader = bus.read([topics.PREDICTIONS])
    found = [decode(m, Prediction) for m in reader.to_end()]
    reader.close()
    answered = [p.version for p in found if p.upload_id in set(load.accepted)]
    assert answered[0] == first
    assert answered[-1] == first
    assert challenger in answered
    revisions = {p.revision: p.version for p in found if p.upload_id in set(load.accepted)}
    assert len(revisions) >= 3


def test_a_release_ships_as_an_image_that_serves_it_by_itself(
    site: Site,
    champion: Settings,
    challenger: int,
    engine: docker.DockerClient,
    bus: KafkaBus,
    tmp_path: Path,
) -> None:
    name = "chexnet-test/xray:b"
    version = int(chexnet_json(champion, "release", "--line", "b", "--image", name)["version"])
    assert version == challenger
    image = engine.images.get(name)
    assert image.labels["chexnet.release"] == f"xray/{version}"
    assert image.labels["chexnet.commit"].startswith("models-b@")
    alone = engine.containers.run(
        image,
        detach=True,
        read_only=True,
        user="1000:1000",
        tmpfs={"/tmp": ""},
        ports={"8500/tcp": ("127.0.0.1", None)},
    )
    try:
        alone.reload()
        port = alone.ports["8500/tcp"][0]["HostPort"]
        settings = champion.serving.model_copy(
            update={"replicas": f"127.0.0.1:{port}", "ca_file": None}
        )
        serving = TfServing.of(settings, champion.model)
        for _ in iter(int, 1):  # The timeout ends the wait.
            with suppress(Unavailable, NotFound):
                serving.repeats_golden(version)
                break
    finally:
        alone.remove(force=True)

    # A host whose server shares no folder with the services gets the version out of the image.
    shutil.move(site.state / f"models/xray/{version}", tmp_path)
    before = control.read(bus, champion.model).champion
    shipped = site.play("site", "--tags", "tf_serving", tf_serving_release_images=[name])
    assert shipped.code == 0, shipped.output
    promoted = site.play("promote", version=version, force=True, reason="tests: from an image")
    assert promoted.code == 0, promoted.output
    assert control.read(bus, champion.model).champion == version
    assert site.play("rollback", reason="tests: and back").code == 0
    assert control.read(bus, champion.model).champion == before
    assert site.play("site", "--tags", "tf_serving").code == 0
    engine.images.remove(name, force=True)
