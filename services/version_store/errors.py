"""The errors of Pachyderm's API: its texts and its codes, as clients match them."""

from __future__ import annotations

import grpc


class StoreError(Exception):
    """What a caller did wrong, or asked for and is not there.

    Args:
        message: pachd's own words where it has some.
        code: the gRPC status that carries it. pachd answers UNKNOWN where it names none.
    """

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> None:
        super().__init__(message)
        self.code = code


def missing(message: str) -> StoreError:
    """Return a NOT_FOUND."""
    return StoreError(message, grpc.StatusCode.NOT_FOUND)


def exists(message: str) -> StoreError:
    """Return an ALREADY_EXISTS."""
    return StoreError(message, grpc.StatusCode.ALREADY_EXISTS)


def unimplemented(what: str) -> StoreError:
    """Return an UNIMPLEMENTED that says which part this server has."""
    return StoreError(
        f"{what} is not part of this version store, which serves projects, repos, branches, "
        "commits, files, transactions, pipelines, jobs and datums of Pachyderm's API. Use "
        "Pachyderm itself for it.",
        grpc.StatusCode.UNIMPLEMENTED,
    )
