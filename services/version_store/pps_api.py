"""Pachyderm's PPS API: which function answers which method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from betterproto.lib.google.protobuf import Empty
from pachyderm_sdk.api import pps

from services.version_store import cron, datums, jobs, logs, pipelines, records, transactions
from services.version_store.calls import Calls
from services.version_store.rpc import Call, Method
from services.version_store.store import Store


def methods(store: Store) -> Mapping[str, Method]:
    """Return the methods by their paths."""
    calls = Calls(store)

    def create_pipeline(request: pps.CreatePipelineRequest, call: Call) -> Empty:
        if request.dry_run:
            with store.change(keep=False) as trial:
                pipelines.create(trial, request)
        elif call.transaction:
            step = pps.CreatePipelineTransaction(create_pipeline_request=request)
            transactions.add(store, call.transaction, "create_pipeline_v2", step)
        else:
            with store.change() as change:
                pipelines.create(change, request)
        return Empty()

    def inspect_job(request: pps.InspectJobRequest, call: Call) -> pps.JobInfo:
        return jobs.inspect(store.database, request, call.going_on)

    def inspect_set(request: pps.InspectJobSetRequest, call: Call) -> Iterator[pps.JobInfo]:
        return jobs.inspect_set(store.database, request, call.going_on)

    def subscribe(request: pps.SubscribeJobRequest, call: Call) -> Iterator[pps.JobInfo]:
        return jobs.subscribe(store.database, request, call.going_on)

    def list_datum(request: pps.ListDatumRequest, _: Call) -> Iterator[pps.DatumInfo | bytes]:
        with store.database.read() as sql:
            if request.job.id:
                yield from records.every(sql, store.blobs, request)
            else:
                yield from datums.of_input(sql, request)

    def inspect_datum(request: pps.InspectDatumRequest, _: Call) -> pps.DatumInfo:
        with store.database.read() as sql:
            return records.inspect(sql, store.blobs, request)

    def get_logs(request: pps.GetLogsRequest, call: Call) -> Iterator[pps.LogMessage]:
        return logs.read(store, request, call.going_on)

    table = {
        "CreatePipeline": Method(pps.CreatePipelineRequest, create_pipeline),
        "InspectPipeline": calls.read(pps.InspectPipelineRequest, pipelines.inspect),
        "ListPipeline": calls.read_many(pps.ListPipelineRequest, pipelines.every),
        "DeletePipeline": calls.write(pps.DeletePipelineRequest, pipelines.delete),
        "DeletePipelines": calls.write(pps.DeletePipelinesRequest, pipelines.delete_many),
        "StartPipeline": calls.write(pps.StartPipelineRequest, pipelines.start),
        "StopPipeline": calls.write(pps.StopPipelineRequest, pipelines.stop),
        "RunCron": calls.write(pps.RunCronRequest, cron.run),
        "RerunPipeline": calls.write(pps.RerunPipelineRequest, pipelines.rerun),
        "InspectJob": Method(pps.InspectJobRequest, inspect_job),
        "ListJob": calls.read_many(pps.ListJobRequest, jobs.every),
        "InspectJobSet": Method(pps.InspectJobSetRequest, inspect_set, responses=True),
        "ListJobSet": calls.read_many(pps.ListJobSetRequest, jobs.every_set),
        "SubscribeJob": Method(pps.SubscribeJobRequest, subscribe, responses=True),
        "StopJob": calls.write(pps.StopJobRequest, jobs.stop),
        "DeleteJob": calls.write(pps.DeleteJobRequest, jobs.delete),
        "UpdateJobState": calls.write(pps.UpdateJobStateRequest, jobs.update),
        "ListDatum": Method(pps.ListDatumRequest, list_datum, responses=True),
        "InspectDatum": Method(pps.InspectDatumRequest, inspect_datum),
        "GetLogs": Method(pps.GetLogsRequest, get_logs, responses=True),
    }
    return {f"/pps_v2.API/{name}": method for name, method in table.items()}
