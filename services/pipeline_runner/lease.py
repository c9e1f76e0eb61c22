"""A lease: which runner does a pipeline's next job, when several could.

It is an open commit on the pipeline's branch of the repo `runners`: while a branch's head is open,
no other commit can be started there. The job's last transaction finishes it too: so a runner whose
lease was taken from it can't end a job.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import grpc
from pachyderm_sdk.api import pfs

from chexnet.adapters.pachyderm.connection import Connection, code

REPO = "runners"
BEAT = 2.0  # Seconds between two signs of life.
STALE = 12.0  # Seconds without one after which a lease is taken from its holder.
_SIGN = "/beat"


class Lease:
    """One pipeline's lease, as one runner sees it.

    Args:
        at: the project.
        pipeline: its name.
        lost: called, from a thread, when the lease was taken away.
    """

    def __init__(self, at: Connection, pipeline: str, lost: Callable[[], None]) -> None:
        self._at, self._pfs, self._lost = at, at.client.pfs, lost
        self._branch = at.branch(REPO, pipeline)
        self._seen: tuple[str, bytes] | None = None
        self._since = 0.0
        self._beats = 0
        self._over = threading.Event()
        self.commit: pfs.Commit | None = None

    def take(self) -> bool:
        """Take the lease if it is free, or if its holder gives no sign of life."""
        with suppress(ConnectionError, grpc.RpcError):
            self._pfs.create_repo(repo=self._branch.repo)
        try:
            self.commit = self._pfs.start_commit(branch=self._branch)
        except grpc.RpcError as error:
            if code(error) == grpc.StatusCode.UNAVAILABLE:
                raise
            self._watch()
            return False
        self._seen = None
        self._forget_older(self.commit)
        self._over = threading.Event()
        beating = threading.Thread(
            target=self._beat_on, args=(self.commit, self._over), daemon=True
        )
        beating.start()
        return True

    def held(self) -> bool:
        """Ask whether it is still ours; raise ConnectionError or grpc.RpcError if nobody says."""
        if self.commit is None:
            return False
        try:
            info = self._pfs.inspect_commit(commit=self.commit)
        except grpc.RpcError as error:
            if code(error) == grpc.StatusCode.NOT_FOUND:  # Its successor has forgotten it.
                return False
            raise
        return bool(info.finishing.year <= 1970)

    def _watch(self) -> None:
        """Look at the holder's sign of life; end its lease when it has not changed for long."""
        with suppress(ConnectionError, grpc.RpcError):
            head = self._pfs.inspect_branch(branch=self._branch).head
            sign = b""
            with suppress(ConnectionError, grpc.RpcError):
                file = pfs.File(commit=head, path=_SIGN)
                sign = b"".join(piece.value for piece in self._pfs.get_file(file=file))
            if self._seen != (head.id, sign):
                self._seen, self._since = (head.id, sign), time.monotonic()
            elif time.monotonic() - self._since > STALE:
                self._pfs.finish_commit(commit=head, error="its runner gave no sign of life")

    def _beat_on(self, commit: pfs.Commit, over: threading.Event) -> None:
        """Give signs of life to the end, whatever else the runner is at."""
        while not over.is_set():
            with suppress(ConnectionError, grpc.RpcError):  # It is asked for again soon.
                try:
                    self._beat(commit)
                except grpc.RpcError:
                    if not over.is_set() and self.commit is commit and not self.held():
                        self._lost()
                        return
                    raise
            over.wait(BEAT)

    def _beat(self, commit: pfs.Commit) -> None:
        self._beats += 1
        sign = pfs.AddFile(path=_SIGN, raw=str(self._beats).encode())
        self._pfs.modify_file(
            iter(
                (
                    pfs.ModifyFileRequest(set_commit=commit),
                    pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=_SIGN)),
                    pfs.ModifyFileRequest(add_file=sign),
                )
            )
        )

    def release(self) -> None:
        """Give it up, if it is still held."""
        if self.commit is not None:
            with suppress(ConnectionError, grpc.RpcError):
                self._pfs.finish_commit(commit=self.commit)
        self.ended()

    def ended(self) -> None:
        """Stop the signs of life: it was given up."""
        self._over.set()
        self.commit = None

    def _forget_older(self, commit: pfs.Commit) -> None:
        """Keep the branch's history short."""
        with suppress(ConnectionError, grpc.RpcError):
            parent = self._pfs.inspect_commit(commit=commit).parent_commit
            if parent.id:
                self._pfs.squash_commit_set(commit_set=pfs.CommitSet(id=parent.id))
