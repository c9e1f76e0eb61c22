"""The store in Pachyderm: a pipeline is a project, and each repo has one branch, `master`."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from typing import IO, cast

import grpc
from pachyderm_sdk.api import pfs
from pachyderm_sdk.api.pfs.file import PFSFile

from chexnet.adapters.pachyderm.connection import BRANCH, Connection, code
from chexnet.errors import NotFound, Refused
from chexnet.settings import StoreSettings
from chexnet.steps.ports import Offsets, Place, Version

CHUNK = 8 * 2**20  # A gRPC message may have 20 MiB.


class PachydermStore:
    """A `Store` in one Pachyderm project. The sole writer of the branches it writes.

    Args:
        store: host:port of pachd or of services/version_store, or the settings that name it.
        project: the pipeline's name.
    """

    def __init__(self, store: StoreSettings | str, project: str) -> None:
        self._at = Connection(store, project)
        self._pfs = self._at.client.pfs

    def ensure(self, repo: str) -> None:
        """Create the project and `repo` where they are missing."""
        with self._at.errors(f"repo {repo}"):
            self._unless_there(lambda: self._pfs.create_project(project=self._at.project))
            self._unless_there(lambda: self._pfs.create_repo(repo=self._at.repo(repo)))

    def write(
        self,
        repo: str,
        files: Mapping[str, bytes],
        offsets: Offsets | None = None,
        *,
        remove: Sequence[str] = (),
    ) -> str:
        """Make one commit, and return its id when it is finished."""
        bus = {f"/_bus/{t}/{p}": str(n).encode() for (t, p), n in (offsets or {}).items()}
        with self._at.errors(f"repo {repo}"):
            commit = self._open_head(repo) or self._pfs.start_commit(branch=self._at.branch(repo))
            self._pfs.clear_commit(commit=commit)  # Of what a crash or a full disk left in it.
            # One stream: 2,000 files in a call each took a real pachd 58 times as long.
            self._pfs.modify_file(requests(commit, chain(files.items(), bus.items()), remove))
            self._pfs.finish_commit(commit=commit)  # `with pfs.commit()` would, after an error too.
            done = self._pfs.wait_commit(commit)
        if done.error:
            rule = "A path may be a file or a directory, not both."
            raise Refused(f"{rule} Received: {done.error}, for {repo}. Rename one of them.")
        return str(commit.id)

    def head(self, repo: str) -> str | None:
        """Return the last commit that finished without an error."""
        return next(self.commits(repo), None)

    def commits(self, repo: str) -> Iterator[str]:
        """Yield the commits that finished without an error, the newest first."""
        to = pfs.Commit(repo=self._at.repo(repo), branch=self._at.branch(repo))
        with self._at.errors(f"repo {repo}"):
            try:
                for info in self._pfs.list_commit(repo=self._at.repo(repo), to=to):
                    if info.finished.year > 1970 and not info.error:
                        yield str(info.commit.id)
            except grpc.RpcError as error:
                if code(error) != grpc.StatusCode.NOT_FOUND:
                    raise

    def read(self, repo: str, path: str, commit: str | None = None) -> bytes:
        """Return one file."""
        if (at := commit or self.head(repo)) is None:
            raise NotFound(f"{repo} has no file {path}: it has no finished commit.")
        with self._at.errors(f"{repo}@{at} has no file {path}"):
            pieces = self._pfs.get_file(file=self._file(repo, at, path))
            return b"".join(piece.value for piece in pieces)

    def list(self, repo: str, path: str = "/", commit: str | None = None) -> list[str]:
        """Return the paths of all files below `path`, sorted."""
        return [
            *self._paths(
                repo, commit, lambda at: self._pfs.walk_file(file=self._file(repo, at, path))
            )
        ]

    def glob(self, repo: str, pattern: str, commit: str | None = None) -> Sequence[str]:
        """Return the paths of all files that match, sorted."""
        return self._paths(
            repo,
            commit,
            lambda at: self._pfs.glob_file(commit=self._at.commit(repo, at), pattern=pattern),
        )

    def _paths(
        self, repo: str, commit: str | None, ask: Callable[[str], Iterable[pfs.FileInfo]]
    ) -> Sequence[str]:
        """Return the files that the server tells, sorted; [] where there is nothing."""
        if (at := commit or self.head(repo)) is None:
            return []
        with self._at.errors(f"{repo} has no commit {at}"):
            try:
                found = [*ask(at)]
            except grpc.RpcError as error:
                self._refuse_missing_commit(error, repo, at)
                return []
        return sorted(str(i.file.path) for i in found if i.file_type == pfs.FileType.FILE)

    def fetch(
        self, repo: str, path: str = "/", commit: str | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """Yield the files below `path`, from one tar stream that holds one file at a time."""
        if (at := commit or self.head(repo)) is None:
            return
        with self._at.errors(f"{repo} has no commit {at}"):
            try:
                stream = PFSFile(self._pfs.get_file_tar(file=self._file(repo, at, path)))
            except ValueError as error:  # So the SDK wraps an error of the first message.
                self._refuse_missing_commit(cast(grpc.RpcError, error.__cause__), repo, at)
                return
            with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|*") as archive:
                for member in archive:
                    if member.isfile():
                        content = archive.extractfile(member)
                        yield "/" + member.name.lstrip("/"), content.read() if content else b""

    def offsets(self, repo: str) -> dict[Place, int]:
        """Return the offsets in the head."""
        found = {}
        for path, data in self.fetch(repo, "/_bus"):
            _, _, topic, partition = path.split("/")
            found[topic, int(partition)] = int(data)
        return found

    def upstream(self, repo: str, commit: str) -> Sequence[Version]:
        """Return the commits that one was made from; not the specs of pipelines."""
        return self._versions(self._inspected(repo, commit).direct_provenance)

    def downstream(self, repo: str, commit: str) -> Sequence[Version]:
        """Return the commits that were made from one; not the records of pipelines."""
        return self._versions(self._inspected(repo, commit).direct_subvenance)

    def _inspected(self, repo: str, commit: str) -> pfs.CommitInfo:
        with self._at.errors(f"{repo} has no commit {commit}"):
            return self._pfs.inspect_commit(commit=self._at.commit(repo, commit))

    def _versions(self, commits: Iterable[pfs.Commit]) -> Sequence[Version]:
        return [(c.repo.name, c.id) for c in commits if c.repo.type == "user"]

    def newer(self, repo: str, than: str | None) -> str:
        """Wait for a finished commit after `than`."""
        after = {} if than is None else {"from_": self._at.commit(repo, than)}
        with self._at.errors(f"repo {repo}"):
            found = self._pfs.subscribe_commit(
                repo=self._at.repo(repo),
                branch=BRANCH,
                state=pfs.CommitState.FINISHED,
                origin_kind=pfs.OriginKind.ORIGIN_KIND_UNKNOWN,
                all=True,
                **after,
            )
            with closing(found):
                return next(str(info.commit.id) for info in found if not info.error)

    def _file(self, repo: str, commit: str, path: str) -> pfs.File:
        return pfs.File(commit=self._at.commit(repo, commit), path=path)

    def _open_head(self, repo: str) -> pfs.Commit | None:
        """Return the branch's head if it is open: a crash left it."""
        head = pfs.Commit(repo=self._at.repo(repo), branch=self._at.branch(repo))
        try:
            info = self._pfs.inspect_commit(commit=head)
        except grpc.RpcError as error:
            if code(error) != grpc.StatusCode.NOT_FOUND:
                raise
            return None
        if info.finishing.year > 1970:
            return None
        return info.commit

    def _unless_there(self, create: Callable[[], object]) -> None:
        try:
            create()
        except grpc.RpcError as error:
            if code(error) != grpc.StatusCode.ALREADY_EXISTS:
                raise

    def _refuse_missing_commit(self, error: grpc.RpcError, repo: str, commit: str) -> None:
        """Raise what happened, unless only the path is missing: then there is nothing."""
        if code(error) != grpc.StatusCode.NOT_FOUND:
            raise error
        self._pfs.inspect_commit(commit=self._at.commit(repo, commit))


def requests(
    commit: pfs.Commit, files: Iterable[tuple[str, bytes]], remove: Iterable[str] = ()
) -> Iterator[pfs.ModifyFileRequest]:
    """Yield the stream that removes paths from an open commit, and then sets files in it."""
    yield pfs.ModifyFileRequest(set_commit=commit)
    for path in remove:
        yield pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path))
    for path, data in files:  # One at a time: a dataset is larger than memory.
        yield pfs.ModifyFileRequest(delete_file=pfs.DeleteFile(path=path))  # AddFile appends.
        for at in range(0, max(len(data), 1), CHUNK):
            piece = pfs.AddFile(path=path, raw=data[at : at + CHUNK])
            yield pfs.ModifyFileRequest(add_file=piece)
