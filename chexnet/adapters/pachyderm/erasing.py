"""Erasing: the one thing that services/version_store can and Pachyderm's API has no call for.

It takes files out of every commit that holds them, and their bytes off the disk. Commits keep their
ids and their provenance, so that what is known of other patients and of models stays whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, cast

import grpc
import msgspec
from msgspec import Struct

from chexnet.adapters.pachyderm.connection import Connection, code
from chexnet.errors import Refused

FIND, ERASE, COLLECT = (f"/chexnet.Erasing/{name}" for name in ("Find", "Erase", "Collect"))


class Files(Struct, frozen=True, kw_only=True):
    """Which files of a repo: a path that matches a glob and, if given, one of these contents.

    Args:
        hashes: of the contents.
        holding: what is somewhere in the content, as UTF-8.
    """

    project: str
    repo: str
    kind: str
    patterns: list[str]
    hashes: list[bytes] = []
    holding: str = ""

    @property
    def selective(self) -> bool:
        """Whether a path may have other contents, which stay."""
        return bool(self.hashes or self.holding)


class Version(Struct, frozen=True):
    """A content that a file has or had, and the first commit with it."""

    path: str
    hash: bytes
    commit: str


_VERSIONS = msgspec.json.Decoder(list[Version])


class Eraser:
    """Erases files of one project."""

    def __init__(self, at: Connection) -> None:
        self._at = at
        channel = at.client._channel  # The SDK has no stub for these two.
        self._find = channel.unary_unary(FIND, msgspec.json.encode, _VERSIONS.decode)
        self._erase = channel.unary_unary(ERASE, msgspec.json.encode, msgspec.json.decode)
        self._collect = channel.unary_unary(COLLECT, msgspec.json.encode, msgspec.json.decode)

    def find(
        self, repo: str, patterns: Iterable[str], *, kind: str = "user", holding: str = ""
    ) -> list[Version]:
        """Return all contents of matching files in all commits; see `erase`."""
        request = self._files(repo, patterns, kind, (), holding)
        return cast(list[Version], self._ask(self._find, request))

    def erase(
        self,
        repo: str,
        patterns: Iterable[str],
        *,
        kind: str = "user",
        hashes: Collection[bytes] = (),
        holding: str = "",
    ) -> list[str]:
        """Take files out of all commits of a repo; return their paths.

        Args:
            repo: of the project; one that is not there has none.
            patterns: globs over paths.
            kind: of the repo: user or meta.
            hashes: only files with one of these contents; all without.
            holding: only files that hold this text.

        Raises:
            Refused: the server is a Pachyderm, which can't.
        """
        request = self._files(repo, patterns, kind, hashes, holding)
        return cast(list[str], self._ask(self._erase, request))

    def _files(
        self,
        repo: str,
        patterns: Iterable[str],
        kind: str,
        hashes: Collection[bytes],
        holding: str,
    ) -> Files:
        return Files(
            project=self._at.project.name,
            repo=repo,
            kind=kind,
            patterns=list(patterns),
            hashes=list(hashes),
            holding=holding,
        )

    def _ask(self, call: Callable[[Files], Any], request: Files) -> Any:
        try:
            return call(request)
        except grpc.RpcError as error:
            if code(error) == grpc.StatusCode.NOT_FOUND:
                return []
            self._refuse(error)
            raise

    def collect(self) -> int:
        """Give the bytes of all that no commit holds back to the disk; return how many."""
        try:
            return cast(int, self._collect({}))
        except grpc.RpcError as error:
            self._refuse(error)
            raise

    def _refuse(self, error: grpc.RpcError) -> None:
        """Raise Refused if the server does not know these calls."""
        if code(error) == grpc.StatusCode.UNIMPLEMENTED:
            rule = "Files can be erased from all commits of the embedded version store only."
            received = f"Received: a Pachyderm at {self._at.address}."
            todo = "Import its repos anew without the patient: docs/forgetting.md says how."
            raise Refused(f"{rule} {received} {todo}") from error
