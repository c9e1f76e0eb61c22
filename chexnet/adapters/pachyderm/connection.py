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
from pachyderm_sdk.constants import GRPC_CHANNEL_OPTIONS

from chexnet.adapters import tls
from chexnet.errors import NotFound, Unavailable
from chexnet.settings import StoreSettings

BRANCH = "master"
_DOWN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
# The SDK raises a call's error a second time, in a callback, and gRPC logs that as its own.
logging.getLogger("grpc._channel").addFilter(lambda r: "Exception in callback" not in str(r.msg))
# A frozen server ends the calls that wait for it. Its calls have no deadline: some wait for a job.
GRPC_CHANNEL_OPTIONS += [
    ("grpc.keepalive_time_ms", 20_000),  # pachd and services/version_store allow 5 s.
    ("grpc.http2.ping_timeout_ms", 10_000),  # keepalive_timeout_ms was seen to do nothing.
    ("grpc.http2.max_pings_without_data", 0),  # Any number.
]


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
        self.client = Client.from_pachd_address(
            settings.address, auth_token=token, root_certs=tls.authority(settings.ca_file)
        )

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
            raise self._unavailable(_no_connection(error)) from error
        except grpc.RpcError as error:
            if code(error) == grpc.StatusCode.NOT_FOUND:
                raise NotFound(f"{missing}: {text(error)}.") from error
            if code(error) in _DOWN:
                raise self._unavailable(text(error)) from error
            raise

    def _unavailable(self, reason: str) -> Unavailable:
        rule = f"Waiting for the version store at {self.address}: {reason}."
        return Unavailable(f"{rule} Nothing is lost. Start it with: make up")


def _no_connection(error: ConnectionError) -> str:
    """Return why there is none: the SDK hides what gRPC says of a certificate."""
    said = str(error.__cause__.details()) if isinstance(error.__cause__, grpc.Call) else ""
    if "CERTIFICATE_VERIFY_FAILED" in said or "Peer name" in said:
        return "its certificate is not one that CHEXNET_STORE__CA_FILE trusts for this address"
    if "handshake" in said or "WRONG_VERSION_NUMBER" in said:
        return "one side speaks TLS and the other does not; see CHEXNET_STORE__CA_FILE"
    return "nothing listens there"


def code(error: grpc.RpcError) -> grpc.StatusCode:
    """Return the status of a failed call."""
    return cast(grpc.Call, error).code()


def text(error: grpc.RpcError) -> str:
    """Return the server's words."""
    return str(cast(grpc.Call, error).details())
