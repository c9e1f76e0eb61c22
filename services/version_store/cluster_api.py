"""What this server says of itself, and Pachyderm's transaction API."""

from __future__ import annotations

from collections.abc import Mapping

from betterproto.lib.google.protobuf import Empty
from pachyderm_sdk.api import admin, transaction, version

from services.version_store import references, transactions
from services.version_store.rpc import Call, Method
from services.version_store.store import Store

# The pachd whose measured behaviour this server has.
VERSION = version.Version(major=2, minor=11, micro=6, additional="-chexnet-version-store")


def methods(store: Store) -> Mapping[str, Method]:
    """Return the methods by their paths."""

    def inspect_cluster(request: admin.InspectClusterRequest, _: Call) -> admin.ClusterInfo:
        with store.database.read() as sql:
            if request.current_project.name:
                references.project(sql, request.current_project.name)
            query = "SELECT value FROM facts WHERE name = 'cluster'"
            name = sql.execute(query).fetchone()[0]
        return admin.ClusterInfo(id=name, deployment_id=name, warnings_ok=True)

    def inspect(
        request: transaction.InspectTransactionRequest, _: Call
    ) -> transaction.TransactionInfo:
        with store.database.read() as sql:
            return transactions.inspect(sql, request)

    def every(_: transaction.ListTransactionRequest, __: Call) -> transaction.TransactionInfos:
        with store.database.read() as sql:
            return transactions.every(sql)

    def delete(request: transaction.DeleteTransactionRequest, _: Call) -> Empty:
        with store.change() as change:
            transactions.delete(change, request)
        return Empty()

    def delete_all(_: transaction.DeleteAllRequest, __: Call) -> Empty:
        with store.change() as change:
            transactions.delete_all(change)
        return Empty()

    def start(_: transaction.StartTransactionRequest, __: Call) -> transaction.Transaction:
        return transactions.start(store)

    def finish(
        request: transaction.FinishTransactionRequest, _: Call
    ) -> transaction.TransactionInfo:
        return transactions.finish(store, request)

    def batch(request: transaction.BatchTransactionRequest, _: Call) -> transaction.TransactionInfo:
        return transactions.batch(store, request)

    table = {
        "StartTransaction": Method(transaction.StartTransactionRequest, start),
        "FinishTransaction": Method(transaction.FinishTransactionRequest, finish),
        "BatchTransaction": Method(transaction.BatchTransactionRequest, batch),
        "InspectTransaction": Method(transaction.InspectTransactionRequest, inspect),
        "ListTransaction": Method(transaction.ListTransactionRequest, every),
        "DeleteTransaction": Method(transaction.DeleteTransactionRequest, delete),
        "DeleteAll": Method(transaction.DeleteAllRequest, delete_all),
    }
    return {
        "/versionpb_v2.API/GetVersion": Method(Empty, lambda *_: VERSION),
        "/admin_v2.API/InspectCluster": Method(admin.InspectClusterRequest, inspect_cluster),
        **{f"/transaction_v2.API/{name}": method for name, method in table.items()},
    }
