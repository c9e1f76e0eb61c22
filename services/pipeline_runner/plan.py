"""What a job has to do: which datums run, which were done before, which have left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from services.pipeline_runner.datums import Datum
from services.pipeline_runner.records import Record


class Plan(Struct, frozen=True, kw_only=True):
    """A job's work."""

    run: tuple[Datum, ...]
    skipped: int
    resumed: tuple[Record, ...]  # Done in this job, before it was interrupted.
    gone: tuple[Record, ...]

    @property
    def total(self) -> int:
        """How many datums the job has."""
        return len(self.run) + self.skipped + len(self.resumed)


def plan(datums: Iterable[Datum], records: Mapping[str, Record], job: str) -> Plan:
    """Compare a job's datums with what the meta commit says of them.

    Args:
        datums: as the server lists them for the job.
        records: datum → record, of the commits before and of this job.
        job: its id.
    """
    run: list[Datum] = []
    resumed: list[Record] = []
    left, skipped = dict(records), 0
    for datum in datums:
        record = left.pop(datum.id, None)
        if record is None or record.hash != datum.hash or record.state == "failed":
            run.append(datum)
        elif record.job == job:
            resumed.append(record)
        else:
            skipped += 1
    return Plan(run=tuple(run), skipped=skipped, resumed=tuple(resumed), gone=tuple(left.values()))
