"""Listings: the files and directories of a commit, and what the API says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pachyderm_sdk.api import pfs

from services.version_store import commits, globs, names, references, trees, wire
from services.version_store.blobs import Content
from services.version_store.database import Sql
from services.version_store.errors import StoreError, missing
from services.version_store.store import moment


@dataclass
class Node:
    """A file, or a directory, whose path then ends in a slash."""

    path: str
    size: int
    hash: bytes
    chunks: bytes | None  # None: a directory.

    @property
    def name(self) -> str:
        """The path without the slash."""
        return self.path.rstrip("/") or "/"


class View:
    """One commit's tree as it is now."""

    def __init__(self, sql: Sql, commit: pfs.Commit) -> None:
        self.sql = sql
        self.row = references.commit(sql, commit)
        self.stack = commits.stack(sql, self.row)
        self.commit = references.name_of_commit(sql, self.row["key"])

    def encoded(self, nodes: Iterable[Node]) -> Iterator[bytes]:
        """Yield what the API says of files and directories, as FileInfo on the wire."""
        finished = self.row["finished"]
        committed = bytes(pfs.FileInfo(committed=moment(finished))) if finished else b""
        encode = wire.file_infos(self.commit, committed)
        for node in nodes:
            kind = pfs.FileType.DIR if node.chunks is None else pfs.FileType.FILE
            yield encode(node.path, kind, node.size, node.hash)

    def info(self, node: Node) -> pfs.FileInfo:
        """Return what the API says of one file or directory."""
        made: pfs.FileInfo = pfs.FileInfo().parse(next(self.encoded([node])))
        return made

    def walk(self, path: str) -> list[Node]:
        """Return the file, or the directory and all below it, sorted; or raise NOT_FOUND."""
        path = names.path(path)
        if content := trees.find(self.sql, self.stack, path):
            return [Node(path, *content)]
        found = list(_nodes(path, trees.walk(self.sql, self.stack, path)))
        if len(found) == 1 and path != "/":
            raise self.missing(path)
        return found

    def children(self, path: str) -> list[Node]:
        """Return what lies in a directory itself; of a file, the file."""
        top, *rest = self.walk(path)
        if top.chunks is not None:
            return [top]
        depth = top.path.count("/")
        return [node for node in rest if node.name.count("/") == depth]

    def glob(self, pattern: str) -> list[Node]:
        """Return the files and directories that match."""
        pattern = names.path(pattern)
        if pattern == "/":
            return self.walk("/")[:1]
        matches = globs.compiled(pattern).fullmatch
        below = globs.directory(pattern)
        files = trees.walk(self.sql, self.stack, below)
        return [node for node in _nodes(below, files) if node.name != "/" and matches(node.name)]

    def with_contents(self, pattern: str) -> list[Node]:
        """Return what a path or a glob means for an archive: directories with all in them."""
        if globs.is_literal(pattern):
            return self.walk(pattern)
        found = {inner.path: inner for node in self.glob(pattern) for inner in self.walk(node.name)}
        if not found:
            raise self.missing(pattern)
        return [found[path] for path in sorted(found)]

    def file(self, pattern: str) -> Node:
        """Return the one file that a path or a glob means; or raise StoreError."""
        path = names.path(pattern)
        content = trees.find(self.sql, self.stack, path)
        if content is not None:
            return Node(path, *content)
        matched = [] if globs.is_literal(path) else self.glob(path)
        if len(matched) > 1:
            raise StoreError(f"file {pattern} matches {len(matched)} files: use GetFileTAR")
        if path == "/" or matched or trees.holds(self.sql, self.stack, path):
            if matched and matched[0].chunks is not None:
                return matched[0]
            raise StoreError(f"file {pattern} is a directory: use GetFileTAR")
        raise self.missing(pattern)

    def missing(self, path: str) -> StoreError:
        """Return the NOT_FOUND of a path."""
        repo = names.of_repo(self.commit.repo)
        return missing(f"file {path} not found in repo {repo} at commit {self.commit.id}")


def _nodes(top: str, files: Iterable[tuple[str, Content]]) -> Iterator[Node]:
    """Yield `top` and all below it in the order of their paths, directories with their sums."""
    made = [Node(top.rstrip("/") + "/", 0, b"", None)]
    inside = [(made[0], hashlib.sha256())]  # The directories that the file at hand lies in.
    for path, content in files:
        while not path.startswith(inside[-1][0].path):
            _close(inside)
        while (slash := path.find("/", len(inside[-1][0].path))) > 0:
            made.append(Node(path[: slash + 1], 0, b"", None))
            inside.append((made[-1], hashlib.sha256()))
        made.append(Node(path, *content))
        for directory, digest in inside:
            directory.size += content.size
            digest.update(path[len(directory.path) :].encode() + b"\0" + content.hash)
    while inside:
        _close(inside)
    yield from made


def _close(inside: list[tuple[Node, hashlib._Hash]]) -> None:
    directory, digest = inside.pop()
    directory.hash = digest.digest()
