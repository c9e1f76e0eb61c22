"""Reading files: bytes, archives, listings and differences."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence

from pachyderm_sdk.api import pfs

from services.version_store import names, references
from services.version_store.blobs import CHUNK, Blobs
from services.version_store.database import Sql
from services.version_store.errors import StoreError, unimplemented
from services.version_store.listing import Node, View


def get(sql: Sql, blobs: Blobs, request: pfs.GetFileRequest) -> Iterator[bytes]:
    """Yield one file's bytes from the offset on."""
    if request.url:
        raise unimplemented("Getting a file into a URL")
    node = View(sql, request.file.commit).file(request.file.path)
    if not 0 <= request.offset <= node.size:
        raise StoreError(f"offset must lie within the file's {node.size} bytes: {request.offset}")
    if request.offset < node.size:
        yield from blobs.stream(sql, node.chunks or b"", request.offset)


def get_tar(sql: Sql, blobs: Blobs, request: pfs.GetFileRequest) -> Iterator[bytes]:
    """Yield a file, directory or glob as a tar archive, whose names are whole paths."""
    if request.url:
        raise unimplemented("Getting a file into a URL")
    if request.offset:
        raise unimplemented("Getting an archive from an offset")
    view = View(sql, request.file.commit)
    nodes = _in_range(view.with_contents(request.file.path), request.path_range)
    buffer = io.BytesIO()
    for piece in _archive(sql, blobs, nodes, (view.row["finished"] or 0) // 10**6):
        buffer.write(piece)
        if buffer.tell() >= CHUNK:
            yield buffer.getvalue()
            buffer = io.BytesIO()
    if buffer.tell():
        yield buffer.getvalue()


def _archive(sql: Sql, blobs: Blobs, nodes: Sequence[Node], at: int) -> Iterator[bytes]:
    for node in nodes:
        if node.name == "/":
            continue
        head = tarfile.TarInfo(node.path)
        head.mtime = at
        if node.chunks is None:
            head.type, head.mode = tarfile.DIRTYPE, 0o755
        else:
            head.size = node.size
        yield head.tobuf(tarfile.PAX_FORMAT)
        yield from blobs.stream(sql, node.chunks or b"")
        yield bytes(-head.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _in_range(nodes: list[Node], span: pfs.PathRange) -> list[Node]:
    lower, upper = span.lower, span.upper
    return [n for n in nodes if n.path >= lower and (not upper or n.path < upper)]


def inspect(sql: Sql, request: pfs.InspectFileRequest) -> pfs.FileInfo:
    """Return one file or directory."""
    view = View(sql, request.file.commit)
    top, *rest = view.walk(request.file.path)
    if top.path == "/" and not rest:
        raise view.missing("/")
    return view.info(top)


def list_(sql: Sql, request: pfs.ListFileRequest) -> Iterator[bytes]:
    """Yield what lies in a directory itself."""
    view = View(sql, request.file.commit)
    yield from _page(view, view.children(request.file.path), request)


def walk(sql: Sql, request: pfs.WalkFileRequest) -> Iterator[bytes]:
    """Yield a directory and all below it."""
    view = View(sql, request.file.commit)
    yield from _page(view, view.walk(request.file.path), request)


def _page(
    view: View, nodes: list[Node], request: pfs.ListFileRequest | pfs.WalkFileRequest
) -> Iterator[bytes]:
    marker = request.pagination_marker.path
    if marker:
        marker = names.path(marker)
        before = request.reverse
        nodes = [n for n in nodes if (n.name < marker if before else n.name > marker)]
    if request.reverse:
        nodes.reverse()
    yield from view.encoded(nodes[: request.number or None])


def glob(sql: Sql, request: pfs.GlobFileRequest) -> Iterator[bytes]:
    """Yield the files and directories that match."""
    view = View(sql, request.commit)
    yield from view.encoded(_in_range(view.glob(request.pattern), request.path_range))


def diff(sql: Sql, request: pfs.DiffFileRequest) -> Iterator[pfs.DiffFileResponse]:
    """Yield the paths that differ: new only, old only, or both with other contents."""
    new = View(sql, request.new_file.commit)
    old: View | None = None
    old_path = request.new_file.path
    if request.old_file.commit.id or request.old_file.commit.branch.name:
        old, old_path = View(sql, request.old_file.commit), request.old_file.path
    elif new.row["parent"] is not None:
        old = View(sql, references.name_of_commit(sql, new.row["parent"]))
    now = {node.path: node for node in _part(new, request.new_file.path)}
    then = {node.path: node for node in _part(old, old_path)}
    for path in sorted(now.keys() | then.keys()):
        here, there = now.get(path), then.get(path)
        if here and there and here.hash == there.hash:
            continue
        made = pfs.DiffFileResponse()
        if here:
            made.new_file = new.info(here)
        if there and old:
            made.old_file = old.info(there)
        yield made


def _part(view: View | None, path: str) -> list[Node]:
    """Return the part of a tree that is compared, which may be missing on one side."""
    if view is None:
        return []
    try:
        return view.walk(path)
    except StoreError:
        return []
