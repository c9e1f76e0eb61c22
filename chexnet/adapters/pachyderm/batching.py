"""Datum batching: a transform that stays, and is given datum after datum.

It works under services/pipeline_runner and under Pachyderm's own workers, as the SDK's
`batch_all_datums` does, which knows no folder but /pfs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import grpc
from dotenv import dotenv_values
from pachyderm_sdk.api.worker import WorkerStub
from pachyderm_sdk.constants import DOTENV_PATH_WORKER, WORKER_PORT_ENV

from chexnet.errors import ChexnetError, ConfigError


def each_datum(work: Callable[[], None]) -> NoReturn:
    """Call `work` for each datum, with its environment, until the worker ends the process.

    An error that `work` raises is the datum's; it is written to stderr, and the next datum comes.

    Raises:
        ConfigError: this is no worker's process.
    """
    port = os.environ.get(WORKER_PORT_ENV)
    if not port:
        rule = "A batching transform is started by a pipeline's worker."
        raise ConfigError(f"{rule} Received: no {WORKER_PORT_ENV}. Run: chexnet pipeline run")
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        stub, error = WorkerStub(channel), ""
        while True:
            try:
                given = stub.next_datum(error=error).env
            except grpc.RpcError:  # The worker is gone, and with it all datums.
                sys.exit(0)
            os.environ.update(_environment(given))
            error = _tried(work)


def _environment(given: list[str]) -> dict[str, str]:
    told = dict(pair.split("=", 1) for pair in given)
    if Path(DOTENV_PATH_WORKER).exists():  # Pachyderm's own workers write it there.
        told |= {k: v for k, v in dotenv_values(DOTENV_PATH_WORKER).items() if v is not None}
    return told


def _tried(work: Callable[[], None]) -> str:
    try:
        work()
    except Exception as error:
        reason = str(error) if isinstance(error, ChexnetError) else repr(error)
        print(reason, file=sys.stderr, flush=True)
        return reason
    return ""
