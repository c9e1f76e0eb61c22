"""A version store and the worker of its pipelines: what data needs to become a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chexnet import topics
from chexnet.adapters.pachyderm import Job, PachydermPipelines, PachydermStore
from chexnet.data.bulk import Imported, import_folder
from chexnet.data.importcache import Cache
from chexnet.data.labels import LABELS_FILE, read_labels
from chexnet.inputs.base import Limits, load
from chexnet.messages import Box, Feedback, Headers, Message, new_id, now
from chexnet.pipelines import specs
from chexnet.pipelines.cut import Cut, cut
from chexnet.steps.archive import place
from tests.contract.pachyderm.server import Server
from tests.runners import Runner

PROJECT = "test"


class Site:
    """One project with its pipelines, and short ways to use it."""

    def __init__(self, address: str, input_: str) -> None:
        self.address = address
        self.source = load(input_)
        self.store = PachydermStore(address, PROJECT)
        self.pipelines = PachydermPipelines(address, PROJECT)
        for repo in ("raw", "feedback"):
            self.store.ensure(repo)
        self.pipelines.apply(specs.load(self.source))

    def upload(self, films: Iterable[bytes], unit: str = "") -> list[Message]:
        """Archive cleaned files as the archiver of `raw` does: one commit."""
        messages = []
        for film in films:
            cleaned = self.source.clean(film, Limits())
            headers = Headers(
                schema=topics.UPLOADS.schemas[-1],
                upload_id=new_id(),
                image_id=cleaned.image_id,
                created_at=now(),
            )
            messages.append(
                Message(
                    topic=topics.UPLOADS,
                    key=unit or cleaned.image_id,
                    value=cleaned.data,
                    headers=headers,
                )
            )
        self.store.write("raw", {place(m): m.value for m in messages})
        return messages

    def read(self, messages: Iterable[Message], label: str) -> None:
        """Archive a blinded read of each upload, which finds `label` and nothing else."""
        findings = {name: "present" if name == label else "absent" for name in self.source.labels}
        files = {}
        for message in messages:
            read = Feedback(
                feedback_id=new_id(),
                image_id=message.headers.image_id,
                unit=message.key,
                reader="reader",
                findings=findings,
                boxes=(Box(label=label, x=0.1, y=0.1, w=0.2, h=0.2),),
                note=note_on(message),
                protocol="blinded",
                recorded_at=now(),
            )
            files[f"/data/{now():%Y%m%d}/{read.unit}/{read.feedback_id}.json"] = read.encode()
        self.store.write("feedback", files)

    def import_(self, folder: Path, name: str, processes: int | None = 1) -> Imported:
        """Import a folder of labelled files, as `chexnet data import` does."""
        rows = read_labels(folder / LABELS_FILE, self.source.labels)
        with Cache(folder.parent / f"{name}.jsonl") as cache:
            return import_folder(
                self.store,
                self.source,
                rows,
                name=name,
                limits=Limits(),
                cache=cache,
                processes=processes,
            )

    def settled(self, pipeline: str = "images") -> Job:
        """Return the pipeline's newest job when it is over."""
        return self.pipelines.wait(pipeline, self.pipelines.jobs(pipeline, 1)[0].id)

    def jobs(self, pipeline: str) -> list[str]:
        """Return the ids of all jobs of a pipeline."""
        return [job.id for job in self.pipelines.jobs(pipeline, 1000)]

    def cut(self, *, anew: bool = False) -> Cut:
        """Cut a dataset, as `chexnet dataset cut` does."""
        return cut(self.store, self.pipelines, self.source, lambda *_: None, anew=anew)


def note_on(message: Message) -> str:
    """Return what the reader of an upload wrote beside the findings."""
    return f"Seen on {message.headers.upload_id}, twice."


@contextmanager
def site(folder: Path, input_: str, workers: int = 2) -> Iterator[Site]:
    """Run a version store and a runner of an input's pipelines."""
    server = Server(folder / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHEXNET_INPUT", input_)
        runner = Runner(server.address, PROJECT, folder, workers=workers)
    try:
        yield Site(server.address, input_)
    finally:
        ended = runner.stop(), server.stop()
    assert ended == (0, 0)
