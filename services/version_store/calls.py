"""How a request is answered: within one reading of the database, or as one change of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import betterproto
from betterproto.lib.google.protobuf import Empty

from services.version_store import transactions
from services.version_store.database import Sql
from services.version_store.rpc import Call, Method
from services.version_store.store import Change, Store

Read = Callable[[Sql, Any], betterproto.Message]
ReadMany = Callable[[Sql, Any], Iterable[betterproto.Message | bytes]]
Write = Callable[[Change, Any], object]


class Calls:
    """Makes the methods of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, request: type[betterproto.Message], answer: Read) -> Method:
        """Return a method that answers with one message."""

        def run(message: object, _: Call) -> betterproto.Message:
            with self._store.database.read() as sql:
                return answer(sql, message)

        return Method(request, run)

    def read_many(self, request: type[betterproto.Message], answer: ReadMany) -> Method:
        """Return a method that answers with a stream."""

        def run(message: object, _: Call) -> Iterator[betterproto.Message | bytes]:
            with self._store.database.read() as sql:
                yield from answer(sql, message)

        return Method(request, run, responses=True)

    def write(
        self, request: type[betterproto.Message], step: Write, empty: object = Empty
    ) -> Method:
        """Return a method that changes something; within a transaction, at its end."""

        def run(message: Any, call: Call) -> object:
            field = next((name for name, known in transactions.STEPS.items() if known is step), "")
            if call.transaction and field:
                made = transactions.add(self._store, call.transaction, field, message)
            else:
                with self._store.change() as change:
                    made = step(change, message)
            return made if made is not None else empty()  # type: ignore[operator]

        return Method(request, run)
