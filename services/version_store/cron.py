"""Cron inputs: a tick is a commit of an empty file, named by its time, in the input's own repo."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from croniter import CroniterBadCronError, croniter
from pachyderm_sdk.api import pfs, pps

from chexnet.runtime.stopping import Backoff
from services.version_store import branches, commits, inputs, references, specs, trees
from services.version_store.blobs import content
from services.version_store.database import Sql
from services.version_store.errors import StoreError
from services.version_store.store import Change, Store

_LOG = logging.getLogger("version_store")
_EVERY = re.compile(r"@every ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def after(spec: str, time: datetime) -> datetime:
    """Return the first tick after `time`; raise StoreError if `spec` is none.

    Args:
        spec: five fields, `@daily` and its like, or `@every 1h30m`.
        time: with its zone.
    """
    if found := _EVERY.fullmatch(spec):
        seconds = sum(float(n) * _SECONDS[unit] for n, unit in _PART.findall(found[1]))
        return time + timedelta(seconds=max(1.0, seconds))
    try:
        made: datetime = croniter(spec, time).get_next(datetime)
    except (CroniterBadCronError, ValueError) as error:
        raise StoreError(f"error parsing cron-spec: {error}") from error
    return made


def check(given: pps.Input, now: datetime) -> None:
    """Refuse an input with a cron that is none, and fill in when its ticks begin."""
    for cron in _of_input(given):
        after(cron.spec, now)
        if cron.start.year <= 1970:
            cron.start = now


def _of_input(given: pps.Input) -> Iterator[pps.CronInput]:
    return (each.cron for each in inputs.visit(given) if each.cron.repo)


def run(change: Change, request: pps.RunCronRequest) -> None:
    """Tick now, all cron inputs of a pipeline."""
    info = specs.info(specs.get(change.sql, request.pipeline))
    crons = list(_of_input(info.details.input))
    if not crons:
        raise StoreError("pipeline doesn't have a cron input")
    for cron in crons:
        _tick(change, cron, datetime.now(UTC))


def _tick(change: Change, cron: pps.CronInput, at: datetime) -> None:
    branch = pfs.Branch(repo=_repo(cron), name="master")
    made = branches.start_commit(change, pfs.StartCommitRequest(branch=branch))
    row = references.commit(change.sql, made)
    files = trees.walk(change.sql, commits.stack(change.sql, row)) if cron.overwrite else ()
    path = f"/{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    left = {old: None for old, _ in files}
    trees.put(change.sql, row["diff"], {**left, path: content(0, b"")})
    commits.finish(change, row["key"])


def _repo(cron: pps.CronInput) -> pfs.Repo:
    return pfs.Repo(name=cron.repo, type="user", project=pfs.Project(name=cron.project))


def _latest(sql: Sql, cron: pps.CronInput) -> datetime:
    """Return the last tick; before the first, when they begin."""
    repo = references.repo(sql, _repo(cron))
    branch = references.try_branch(sql, repo["key"], "master")
    start: datetime = cron.start
    if branch is None:
        return start
    row = references.commit_at(sql, branch["head"])
    names = [path for path, _ in trees.walk(sql, commits.stack(sql, row))]
    last = datetime.fromisoformat(names[-1].lstrip("/")) if names else start
    return max(last, start)


class Ticker(threading.Thread):
    """Ticks all pipelines' cron inputs when they are due; after a restart, those that were missed.

    Args:
        store: with the pipelines.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(name="ticker", daemon=True)
        self._store, self._stopped = store, threading.Event()

    def run(self) -> None:
        """Tick until the end."""
        backoff = Backoff(self._stopped)
        while not self._stopped.is_set():
            self._store.scheduled.clear()
            try:
                left = self._tick_if_due()
            except Exception:  # A full disk, or a head that somebody left open.
                _LOG.exception("tick failed")
                backoff.wait()
            else:
                backoff.reset()
                self._store.scheduled.wait(left)

    def _tick_if_due(self) -> float | None:
        """Tick what is due; return the seconds to the next tick, None where there is none."""
        due = self._due()
        if due is None:
            return None
        if (left := (due[0] - datetime.now(UTC)).total_seconds()) > 0:
            return left
        with self._store.change() as change:
            _tick(change, due[1], due[0])
        return 0.0

    def _due(self) -> tuple[datetime, pps.CronInput] | None:
        """Return the next tick."""
        with self._store.database.read() as sql:
            ticks = [(after(cron.spec, _latest(sql, cron)), cron) for cron in _going(sql)]
        return min(ticks, key=lambda tick: tick[0], default=None)

    def stop(self) -> None:
        """End it."""
        self._stopped.set()
        self._store.scheduled.set()
        self.join()


def _going(sql: Sql) -> Iterator[pps.CronInput]:
    """Yield the cron inputs of pipelines that are not stopped."""
    rows = sql.execute(
        "SELECT *, MAX(version) FROM pipelines GROUP BY project, name ORDER BY key"
    ).fetchall()
    for row in rows:
        info = specs.info(row)
        if not info.stopped:
            yield from _of_input(info.details.input)
