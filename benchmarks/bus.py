"""The bus: the transactional echo, what the worker and the router cost, and one upload's way.

python -m benchmarks.bus [--images 300]

Starts a platform of its own, or takes the running one that CHEXNET_TEST_STACK names by its env
file. The champion is a DenseNet-121. Figures are medians, or rates from the
first result to the last.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing as mp
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
from PIL import Image

from benchmarks.stack import connected, platform
from chexnet import topics
from chexnet.adapters.gateway import HttpGateway
from chexnet.adapters.kafka import KafkaBus
from chexnet.adapters.tf_serving import TfServing
from chexnet.experiments.control import Follower, read
from chexnet.inputs.base import load
from chexnet.messages import Headers, Message, Prediction, Rejected, decode, new_id, now
from chexnet.runtime.decoding import IsolatedDecoder
from chexnet.runtime.health import Health
from chexnet.runtime.stopping import on_signals
from chexnet.runtime.worker import Handler, Worker, each
from chexnet.settings import Settings
from chexnet.steps.ports import Reader
from chexnet.steps.predict import Predict
from chexnet.steps.preprocess import preprocess
from tests.contract.own_topics import own_pipeline

USED = (topics.UPLOADS, topics.IMAGES, topics.PREDICTIONS, topics.UPLOADS.dlq)
BATCH = 32  # The router's.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=320)
    images = parser.parse_args().images
    with platform() as settings:
        echo, late = _echo(settings, rounds=200)
        print(f"two hops, in transactions: median {echo:.1f} ms, p95 {late:.1f} ms")
        for side in (1024, 2048):  # As ChestX-ray14 publishes them; about as they were taken.
            ours, bare = _preprocess(settings, _films(images, side))
            told = f"{ours / bare:.2f} ({ours:.0f} / {bare:.0f} a second; gate 0.85)"
            print(f"preprocess / bare loop, {side} pixels square: {told}")
        ours, alone = _router(settings, images)
        told = f"{ours / alone:.2f} ({ours:.0f} / {alone:.0f} a second; gate 0.90)"
        print(f"router and serving / model server alone: {told}")
        for side in (320, 1024):
            total, model = _upload(settings, _films(110, side))
            parts = f"model {model:.1f}, echo {echo:.1f}, rest {total - model - echo:.1f}; gate 20"
            print(f"upload of {side} pixels square to prediction: {total:.1f} ms ({parts})")


# Steps in processes of their own, as services are.


def _work(settings: Settings, topic: topics.Topic, make: Callable[[Settings], Handler]) -> None:
    worker = Worker(
        KafkaBus(settings),
        topic,
        make(settings),
        group=f"benchmark-{topic.name}",
        instance="0",
        health=Health("benchmark"),
        stop=on_signals(),
        at_most=BATCH,
    )
    worker.run()


@contextmanager
def _working(
    settings: Settings, topic: topics.Topic, make: Callable[[Settings], Handler]
) -> Iterator[None]:
    process = mp.get_context("spawn").Process(target=_work, args=(settings, topic, make))
    process.start()
    yield
    process.terminate()
    process.join()


def _copy(target: topics.Topic, message: Message) -> list[Message | Rejected]:
    return [message.to(target, value=message.value)]


def _copies(target: topics.Topic, settings: Settings) -> Handler:  # noqa: ARG001
    return each(partial(_copy, target))


def _preprocesses(settings: Settings) -> Handler:
    source = IsolatedDecoder(settings.input, settings.limits)
    return each(partial(preprocess, source=source, limits=settings.limits.of_input))


def _predicts(platform: Settings, settings: Settings) -> Handler:  # noqa: ARG001
    """Predict as the platform's own control says, though on topics of the benchmark's own."""
    source, model = load(platform.input), platform.model
    serving = TfServing(platform.serving.addresses, model, platform.serving.timeout)
    control = Follower(KafkaBus(platform), model)
    predict = Predict(
        "answer", serving=serving, labels=source.labels, shape=source.shape, clock=now
    )
    return lambda images: predict(images, control.current())


def _message(topic: topics.Topic, value: bytes) -> Message:
    unit = new_id()
    headers = Headers(schema=topic.schemas[-1], upload_id=unit, image_id=unit, created_at=now())
    return Message(topic=topic, key=unit, value=value, headers=headers)


def _films(count: int, side: int) -> list[bytes]:
    """Return square PNGs that compress as films do; twenty, again and again."""
    random = np.random.default_rng(0)
    across = np.linspace(0, 4 * np.pi, side)
    made = []
    for _ in range(20):
        smooth = 90 * (np.sin(across + random.random())[:, None] * np.cos(across)) + 120
        noise = random.normal(0, 3, (side, side))
        out = io.BytesIO()
        Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).save(out, "PNG")
        made.append(out.getvalue())
    return (made * (count // 20 + 1))[:count]


def _arrivals(reader: Reader, count: int) -> list[float]:
    """Return when each of `count` messages was read."""
    seen: list[float] = []
    while len(seen) < count:
        came = len(reader.poll(timeout=1))
        seen += [time.perf_counter()] * came
    return seen


def _rate(reader: Reader, count: int) -> float:
    """Return messages a second, from the first transaction's end to the last one's."""
    seen = _arrivals(reader, count)
    return sum(at > seen[0] for at in seen) / (seen[-1] - seen[0])


# What is measured.


def _echo(settings: Settings, rounds: int) -> tuple[float, float]:
    """Return median and p95 of a canonical image through two copying steps, in ms."""
    first = partial(_copies, topics.IMAGES)
    second = partial(_copies, topics.PREDICTIONS)
    taken = []
    with own_pipeline(settings, USED) as own, connected(own) as bus:
        reader = bus.read([topics.PREDICTIONS])
        with _working(own, topics.UPLOADS, first), _working(own, topics.IMAGES, second):
            for _ in range(rounds + 20):  # The first ones find the steps starting.
                began = time.perf_counter()
                bus.send([_message(topics.UPLOADS, bytes(224 * 224))])
                taken.append((_arrivals(reader, 1)[0] - began) * 1000)
        reader.close()
    return statistics.median(taken[20:]), statistics.quantiles(taken[20:], n=20)[-1]


def _preprocess(settings: Settings, films: Sequence[bytes]) -> tuple[float, float]:
    """Return films a second of the worker on what waits, and of Pillow alone in a loop."""

    def seconds_bare() -> float:
        began = time.perf_counter()
        for film in films:
            with Image.open(io.BytesIO(film)) as image:
                image.convert("L").resize((224, 224), Image.Resampling.BILINEAR).tobytes()
        return time.perf_counter() - began

    with own_pipeline(settings, USED) as own, connected(own) as bus:
        bus.send([_message(topics.UPLOADS, film) for film in films])
        reader = bus.read([topics.IMAGES])
        before = seconds_bare()
        with _working(own, topics.UPLOADS, _preprocesses):
            ours = _rate(reader, len(films))
        bare = 2 * len(films) / (before + seconds_bare())
        reader.close()
    return ours, bare


def _router(settings: Settings, images: int) -> tuple[float, float]:
    """Return images a second of the router with serving, and of serving in batches like its."""
    with connected(settings) as bus:
        version = read(bus, settings.model).champion
    x = np.random.default_rng(0).integers(0, 256, (BATCH, *load(settings.input).shape), np.uint8)
    serving = TfServing(settings.serving.addresses, settings.model, settings.serving.timeout)
    batches = images // BATCH // 2

    def seconds_alone() -> float:
        began = time.perf_counter()
        for _ in range(batches):
            serving.predict(version, x)
        return time.perf_counter() - began

    serving.predict(version, x)
    with own_pipeline(settings, USED) as own, connected(own) as bus:
        bus.send([_message(topics.IMAGES, x[n % BATCH].tobytes()) for n in range(images)])
        reader = bus.read([topics.PREDICTIONS])
        before = seconds_alone()  # And after: other work on the machine comes and goes.
        with _working(own, topics.IMAGES, partial(_predicts, settings)):
            ours = _rate(reader, images)
        alone = 2 * batches * BATCH / (before + seconds_alone())
        reader.close()
    return ours, alone


def _upload(settings: Settings, films: Sequence[bytes]) -> tuple[float, float]:
    """Return ms from the request to its prediction, and those that its model took: medians."""
    taken = []
    with connected(settings) as bus:
        reader, gateway = bus.read([topics.PREDICTIONS], start="end"), HttpGateway(settings.gateway)
        for film in films:
            began = time.perf_counter()
            gateway.upload(film)
            while not (came := reader.poll(timeout=1)):
                continue
            total = time.perf_counter() - began
            taken.append((total * 1000, decode(came[0], Prediction).seconds * 1000))
        reader.close()
        gateway.close()
    total, model = zip(*taken[10:], strict=True)  # The first ones find caches cold.
    return statistics.median(total), statistics.median(model)


if __name__ == "__main__":
    main()
