"""A connection to one Pachyderm project, and the server's errors in this project's words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import grpc
from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs
from pachyderm_sdk.api.transaction import TransactionRequest

from chexnet.errors import NotFound, Unavailable
from chexnet.settings import StoreSettings

BRANCH = "master"
_DOWN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
# The SDK raises a call's error a second time, in a callback, and gRPC logs that as its own.
logging.getLogger("grpc._channel").addFilter(lambda r: "Exception in callback" not in str(r.msg))


class Connection:
    """The SDK's client, and the names of one project's repos, branches and files.

    Args:
        store: host:port of pachd or of services/version_store, or the settings that name it.
        project: the pipeline's name.
    """

    def __init__(self, store: StoreSettings | str, project: str) -> None:
        settings = StoreSettings(address=store) if isinstance(store, str) else store
        token = settings.token_file.read_text().strip() if settings.token_file else None
        self.address = settings.address
        self.project = pfs.Project(name=project)
        self.client = Client.from_pachd_address(settings.address, auth_token=token)

    def repo(self, name: str, kind: str = "user") -> pfs.Repo:
        """Return a repo; a pipeline has two more of its name, of kind `meta` and `spec`."""
        return pfs.Repo(name=name, type=kind, project=self.project)

    def branch(self, repo: str, name: str = BRANCH) -> pfs.Branch:
        """Return a branch."""
        return pfs.Branch(repo=self.repo(repo), name=name)

    def commit(self, repo: str, commit: str, kind: str = "user") -> pfs.Commit:
        """Return a commit, by its id."""
        return pfs.Commit(repo=self.repo(repo, kind), id=commit)

    def together(self, *requests: TransactionRequest) -> str:
        """Carry requests out as one change, all or nothing; return the id of its commits.

        One message does it: the SDK's own transactions change the client for all its threads.
        """
        done = self.client.transaction.batch_transaction(requests=list(requests))
        return str(done.transaction.id)

    @contextmanager
    def errors(self, missing: str) -> Iterator[None]:
        """Turn the SDK's errors into this project's.

        Args:
            missing: what it means if the server finds something not there.

        Raises:
            NotFound: the server found it not there.
            Unavailable: the server is not there.
        """
        try:
            yield
        except ConnectionError as error:
            raise self._unavailable("nothing listens there") from error
        except grpc.RpcError as error:
            if code(error) == grpc.StatusCode.NOT_FOUND:
                raise NotFound(f"{missing}: {text(error)}.") from error
            if code(error) in _DOWN:
                raise self._unavailable(text(error)) from error
            raise

    def _unavailable(self, reason: str) -> Unavailable:
        rule = f"Waiting for the version store at {self.address}: {reason}."
        return Unavailable(f"{rule} Nothing is lost. Start it with: make up")


def code(error: grpc.RpcError) -> grpc.StatusCode:
    """Return the status of a failed call."""
    return cast(grpc.Call, error).code()


def text(error: grpc.RpcError) -> str:
    """Return the server's words."""
    return str(cast(grpc.Call, error).details())
