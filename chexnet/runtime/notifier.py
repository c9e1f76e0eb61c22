"""The notifier: each receiver is told of what was decided, at least once, in the audit's order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from prometheus_client import Counter

from chexnet.errors import BadInput, Unavailable
from chexnet.experiments import chain, decisions
from chexnet.experiments.notices import Notice, before, notices
from chexnet.messages import Audit, Message, decode
from chexnet.runtime.worker import Result
from chexnet.steps.ports import Bus, Store

NAME = "notifier"
NOTICES = Counter("chexnet_notices_total", "Notices by what became of them.", ["outcome"])


class Receiver(Protocol):
    """Somebody who is told."""

    host: str

    def send(self, notice: Notice) -> None:
        """Tell it; raise Unavailable unless it says that it knows."""


class Notifier:
    """The worker's handler for one receiver.

    It follows the audit from its own offsets, so a receiver that is away holds up no other, and
    nobody who decides waits for it.

    Args:
        bus, store: of the pipeline.
        receiver: who is told.
        age: older records are not told: nobody needs to hear of what was decided before the
            receiver was named, nor of what it has missed for so long.
        clock: gives the time.
    """

    def __init__(
        self,
        bus: Bus,
        store: Store,
        receiver: Receiver,
        *,
        age: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._bus, self._store, self._receiver = bus, store, receiver
        self._age, self._clock = age, clock
        self._log = logging.getLogger(NAME)

    def __call__(self, message: Message) -> Result:
        """Tell the receiver of one record of the audit; give no results.

        Raises:
            Unavailable: the receiver does not answer, or the record is not archived yet.
        """
        try:
            entry = decode(message, Audit)
        except BadInput as error:  # The topic has no DLQ; the chain has it as it stands.
            self._log.warning("unreadable", extra={"fields": {"reason": str(error)}})
            return []
        past = before(decisions.history(self._bus, entry.model), entry)
        if not notices(entry, past, chain.NONE):
            return []
        if self._clock() - entry.at > self._age:
            NOTICES.labels("expired").inc()
            self._log.warning("expired", extra={"fields": self._fields(entry)})
            return []
        for notice in notices(entry, past, self._head(message)):
            self._receiver.send(notice)
            NOTICES.labels("sent").inc()
            self._log.info(
                "sent", extra={"fields": {**self._fields(entry), "notice": notice.event}}
            )
        return []

    def _head(self, message: Message) -> chain.Head:
        if (head := chain.archived(self._store, message.offset)) is None:
            rule = "A notice carries the audit's head, so its record must be archived first."
            received = f"Received: nothing yet of the record at offset {message.offset}."
            raise Unavailable(f"{rule} {received} See whether archiver-audit is well.")
        return head

    def _fields(self, entry: Audit) -> dict[str, str]:
        return {"to": self._receiver.host, "audit_id": entry.audit_id}
