"""The worker: poll, handle, complete, in one transaction a batch, until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec import structs
from prometheus_client import Counter, Gauge, Histogram

from chexnet.errors import Failed, Unavailable
from chexnet.messages import Message, Rejected, now
from chexnet.runtime.health import Health
from chexnet.runtime.stopping import Backoff
from chexnet.steps.ports import Bus, Subscription
from chexnet.topics import Topic

Result = list[Message | Rejected]
Handler = Callable[[Sequence[Message]], Sequence[Result]]

DONE = Counter("chexnet_messages_total", "Messages that a step has done with.", ["step", "outcome"])
SECONDS = Histogram("chexnet_batch_seconds", "From poll to the end of its transaction.", ["step"])
AGE = Histogram(
    "chexnet_age_seconds",
    "From the upload to the end of the step.",
    ["step"],
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60, 300, 3600),
)
LAG = Gauge("chexnet_lag", "Messages that wait.", ["step"])
LAG_EVERY = 5.0  # Seconds.


def each(handle: Callable[[Message], Result]) -> Handler:
    """Return a handler of batches from one of single messages."""
    return lambda messages: [handle(m) for m in messages]


class Worker:
    """Runs one step. What is bad goes to the DLQ; what is down is waited for.

    Args:
        bus: of the pipeline.
        topic: that it reads.
        handler: of a batch; gives each message its results, in order. Raises Unavailable when a
            dependency is down; whatever else it raises counts against the message at hand.
        group: the consumer group, and the step's name in logs and metrics.
        instance: this process of the group, the same after a restart.
        at_most: messages in a batch.
        tries: of a message that raises something unexpected, before it is rejected as `internal`.
        run_of_rejects: that stops the step, since diverting everything is worse than stopping.
    """

    def __init__(
        self,
        bus: Bus,
        topic: Topic,
        handler: Handler,
        *,
        group: str,
        instance: str,
        health: Health,
        stop: threading.Event,
        at_most: int = 64,
        tries: int = 3,
        run_of_rejects: int = 200,
    ) -> None:
        self._bus, self._topic, self._handler = bus, topic, handler
        self._group, self._instance, self._health, self._stop = group, instance, health, stop
        self._at_most, self._tries, self._limit = at_most, tries, run_of_rejects
        self._rejects_in_a_row = 0
        self._lag_due = 0.0
        self._log = logging.getLogger(group)

    def run(self) -> int:
        """Work until `stop` is set; return the exit code."""
        backoff = Backoff(self._stop)
        subscription: Subscription | None = None
        while not self._stop.is_set():
            try:
                if subscription is None:
                    subscription = self._bus.subscribe(
                        self._topic, group=self._group, instance=self._instance
                    )
                self._turn(subscription)
                backoff.reset()
            except Unavailable as error:
                self._say("waiting", str(error))
                backoff.wait()
                if subscription is not None:
                    subscription = self._rewound(subscription)
        if subscription is not None:
            subscription.close()
        return 0

    def _turn(self, subscription: Subscription) -> None:
        if self._rejects_in_a_row >= self._limit:
            n = self._rejects_in_a_row
            rule = f"{self._group} stopped: the last {n} messages were all rejected."
            todo = f"See why with: chexnet dlq list {self._topic.name}; then restart it."
            self._say("stopped", f"{rule} {todo}")
            self._stop.wait()
            return
        messages = subscription.poll(at_most=self._at_most, timeout=0.5)
        self._measure_lag(subscription)
        if messages:
            began = time.monotonic()
            results = self._handle(messages)
            subscription.complete(
                [self._sent(result) for results_ in results for result in results_]
            )
            SECONDS.labels(self._group).observe(time.monotonic() - began)
            self._count(results)
            done = now()
            for message in messages:
                age = (done - message.headers.created_at).total_seconds()
                AGE.labels(self._group).observe(age)
        self._say("ok")

    def _measure_lag(self, subscription: Subscription) -> None:
        if time.monotonic() > self._lag_due:  # It asks the broker: not for each batch.
            self._lag_due = time.monotonic() + LAG_EVERY
            LAG.labels(self._group).set(subscription.lag())

    def _handle(self, messages: Sequence[Message]) -> Sequence[Result]:
        try:
            return self._handler(messages)
        except Unavailable:
            raise
        except Exception:
            self._log.exception("a batch failed: its messages are tried one by one")
            return [self._one(m) for m in messages]

    def _one(self, message: Message) -> Result:
        for attempt in range(1, self._tries + 1):
            try:
                return self._handler([message])[0]
            except Unavailable:
                raise
            except Exception as error:
                self._log.exception("attempt %d of %d failed", attempt, self._tries)
                cause = f"{type(error).__name__}: {error}"
                facts = error.facts if isinstance(error, Failed) else {}
        reason = (
            f"{self._group} failed on it {self._tries} times: {cause}. This is a bug, report it."
        )
        again = structs.replace(message.headers, attempt=self._tries)
        tried = structs.replace(message, headers=again)
        return [Rejected(message=tried, code="internal", reason=reason, facts=facts)]

    def _sent(self, result: Message | Rejected) -> Message:
        return result.dead_letter(self._group) if isinstance(result, Rejected) else result

    def _count(self, results: Sequence[Result]) -> None:
        for result in results:
            rejected = [r for r in result if isinstance(r, Rejected)]
            DONE.labels(self._group, "rejected" if rejected else "good").inc()
            self._rejects_in_a_row = self._rejects_in_a_row + 1 if rejected else 0
            for r in rejected:
                fields = {"code": r.code, "upload_id": r.message.headers.upload_id}
                self._log.warning("rejected", extra={"fields": fields})

    def _rewound(self, subscription: Subscription) -> Subscription | None:
        try:
            subscription.rewind()
        except Unavailable:
            with suppress(Unavailable):
                subscription.close()
            return None
        return subscription

    def _say(self, state: str, reason: str = "") -> None:
        if (state, reason) != (self._health.state, self._health.reason):
            self._log.info(state, extra={"fields": {"reason": reason}})
            self._health.set(state, reason)  # type: ignore[arg-type]
