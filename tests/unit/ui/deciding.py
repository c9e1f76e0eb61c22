"""A pipeline with an experiment that has evidence, dead letters and runs: for the pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from msgspec import structs

from chexnet import topics
from chexnet.adapters.pachyderm.jobs import Job, LogLine, Pipeline
from chexnet.inputs.base import Limits
from chexnet.messages import Headers, Message, Rejected, now
from chexnet.models import card as cards
from chexnet.ui.wiring import Wiring
from tests.unit.experiments.records import START, experiment, prediction
from tests.unit.experiments.test_flow import World
from tests.unit.test_release import CARD
from tests.unit.ui import stack


def a_world(folder: Path, *, letters: int = 2) -> World:
    """Return a pipeline whose challenger b has shown on 200 images that it is better."""
    world = World(folder)
    world.release("a")
    world.promote(1)
    world.release("b")
    world.start(experiment(started_at=START - timedelta(hours=1)), 1.0)
    world.predict(range(200))
    world.read(range(200))
    for number in range(letters):
        headers = Headers(schema="upload/1", upload_id=f"u{number}", created_at=START)
        upload = Message(topic=topics.UPLOADS, key=f"p{number}", value=b"film", headers=headers)
        reason = "A PNG must be whole. Received: half of one. Export it again."
        rejected = Rejected(message=upload, code="unreadable", reason=reason)
        world.bus.send([rejected.dead_letter()])
    return world


def answer(world: World, name: str, arm: str, minutes: int) -> None:
    """Let an arm answer an image, so many minutes ago; no experiment counts it."""
    at = now() - timedelta(minutes=minutes)
    said = prediction(name, name, arm, {}, experiment=None, predicted_at=at, kind="answer")
    headers = Headers(schema="prediction/1", created_at=at)
    made = Message(topic=topics.PREDICTIONS, key=name, value=said.encode(), headers=headers)
    world.bus.send([made])


def a_run(world: World, line: str, losses: list[float], areas: list[float]) -> str:
    """Commit a run of a line with its card, as its job leaves it; return the commit."""
    history = {"loss": losses, "val_auroc": areas}
    run = {"config": f"demo_{line}", "seconds": 12.5, "history": history}
    area = {"value": areas[-1], "low": areas[-1] - 0.03, "high": areas[-1] + 0.03}
    card = structs.replace(CARD, line=line, metrics={"test": {"macro_auroc": area}})
    files = {"/run.json": json.dumps(run).encode(), f"/release/{cards.CARD}": card.encode()}
    return world.store.write(f"models-{line}", files)


class Pipelines:
    """Pipelines of which `models-b` trains right now."""

    log = ("epoch 2/4 step 5/10 loss 0.5000",)

    def every(self) -> list[Pipeline]:
        reads = {"dataset": ("images@curated",), "models-a": ("dataset@training-a",)}
        reads["models-b"] = ("dataset@training-b",)
        return [
            Pipeline(name=n, description="", version=1, stopped=False, reads=r, last=None)
            for n, r in reads.items()
        ]

    def jobs(self, pipeline: str | None = None, limit: int = 20) -> list[Job]:
        made = [
            Job(pipeline="models-b", id="b" * 32, state="running", created=START, total=1),
            Job(pipeline="models-a", id="a" * 32, state="success", created=START, processed=1),
        ]
        return [job for job in made if pipeline in (None, job.pipeline)][:limit]

    def logs(self, pipeline: str, job: str) -> Iterator[LogLine]:
        yield from (LogLine("datum", text) for text in self.log)


def wiring_of(world: World, *, principal: str | None = None) -> Wiring:
    return Wiring(
        model="xray",
        source=stack.Pipeline().source,
        bus=world.bus,
        store=world.store,
        gateway=stack.Pipeline(),
        card=stack.Pipeline().wiring().card,
        limits=Limits(),
        principal=principal,
        replicas={"one": world.replica},
        pipelines=Pipelines(),
    )
