"""Transactions: requests that are gathered, and carried out as one change.

A request that comes within a transaction is tried at once, on top of those before it, and undone:
so its errors come back to it, and a started commit's id is known. The id of a transaction is the id
of all commits that it starts.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import betterproto
from pachyderm_sdk.api import pfs
from pachyderm_sdk.api import transaction as api

from services.version_store import branches, commit_sets, commits, jobs, pipelines, repos
from services.version_store.database import Sql
from services.version_store.errors import missing, unimplemented
from services.version_store.store import Change, Store, moment

Step = Callable[[Change, Any], object]

# What a transaction can hold: field of TransactionRequest → what carries it out.
STEPS: Mapping[str, Step] = {
    "create_repo": repos.create,
    "delete_repo": repos.delete,
    "start_commit": branches.start_commit,
    "finish_commit": commits.finish_named,
    "squash_commit_set": commit_sets.squash_set,
    "create_branch": branches.create,
    "delete_branch": branches.delete,
    "update_job_state": jobs.update,
    "stop_job": jobs.stop,
    "create_pipeline_v2": lambda change, made: pipelines.create(
        change, made.create_pipeline_request
    ),
}


def start(store: Store) -> api.Transaction:
    """Begin to gather."""
    name = uuid.uuid4().hex
    with store.change() as change:
        row = (name, change.now, bytes(api.TransactionInfo()))
        change.sql.execute("INSERT INTO transactions VALUES (?, ?, ?)", row)
    return api.Transaction(id=name)


def add(store: Store, name: str, field: str, request: betterproto.Message) -> object:
    """Add one request; return what it would answer."""
    with store.database.read() as sql:
        requests = [*_info(sql, name).requests, api.TransactionRequest(**{field: request})]
    with store.change(id=name, keep=False) as trial:
        answers = [_carry_out(trial, step) for step in requests]
    with store.database.write() as sql:
        kept = bytes(api.TransactionInfo(requests=requests))
        sql.execute("UPDATE transactions SET requests = ? WHERE id = ?", (kept, name))
    return answers[-1]


def finish(store: Store, request: api.FinishTransactionRequest) -> api.TransactionInfo:
    """Carry all out, or nothing."""
    name = request.transaction.id
    with store.change(id=name) as change:
        info = _info(change.sql, name)
        info.responses = [_response(_carry_out(change, step)) for step in info.requests]
        change.sql.execute("DELETE FROM transactions WHERE id = ?", (name,))
    return info


def batch(store: Store, request: api.BatchTransactionRequest) -> api.TransactionInfo:
    """Carry all of one message out, or nothing."""
    with store.change() as change:
        responses = [_response(_carry_out(change, step)) for step in request.requests]
    return api.TransactionInfo(
        transaction=api.Transaction(id=change.id),
        requests=request.requests,
        responses=responses,
        started=moment(change.now),
    )


def _carry_out(change: Change, request: api.TransactionRequest) -> object:
    for field, step in STEPS.items():
        if betterproto.serialized_on_wire(getattr(request, field)):
            return step(change, getattr(request, field))
    given = list(request.to_dict(casing=betterproto.Casing.SNAKE))
    raise unimplemented(f"Within a transaction, {', '.join(given) or 'an empty request'}")


def _response(answer: object) -> api.TransactionResponse:
    if isinstance(answer, pfs.Commit):
        return api.TransactionResponse(commit=answer)
    return api.TransactionResponse()


def inspect(sql: Sql, request: api.InspectTransactionRequest) -> api.TransactionInfo:
    """Return what a transaction has gathered."""
    return _info(sql, request.transaction.id)


def every(sql: Sql) -> api.TransactionInfos:
    """Return all transactions, the newest first."""
    rows = sql.execute("SELECT id FROM transactions ORDER BY started DESC").fetchall()
    return api.TransactionInfos(transaction_info=[_info(sql, row["id"]) for row in rows])


def delete(change: Change, request: api.DeleteTransactionRequest) -> None:
    """Forget a transaction."""
    name = request.transaction.id
    if not change.sql.execute("DELETE FROM transactions WHERE id = ?", (name,)).rowcount:
        raise missing(f"transaction {name} not found")


def delete_all(change: Change) -> None:
    """Forget all transactions."""
    change.sql.execute("DELETE FROM transactions")


def _info(sql: Sql, name: str) -> api.TransactionInfo:
    row = sql.execute("SELECT * FROM transactions WHERE id = ?", (name,)).fetchone()
    if row is None:
        raise missing(f"transaction {name} not found")
    info: api.TransactionInfo = api.TransactionInfo().parse(row["requests"])
    info.transaction = api.Transaction(id=name)
    info.started = moment(row["started"])
    return info
