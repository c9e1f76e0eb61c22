"""Download: an archive comes whole and unchanged, or is named with why. What came of it is kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx
from msgspec import Struct

from chexnet.data.nih.archives import SITE, Archive
from chexnet.errors import ChexnetError, NotFound, Unavailable

TRIES = 8  # In a row that bring nothing new.
LATER = {408, 416, 425, 429}  # Answers of a server that may answer otherwise.
PATIENCE = httpx.Timeout(30)
Told = Callable[[int], None]  # Called with bytes that have come; fewer than 0 were thrown away.


class Done(Struct, frozen=True):
    """An archive that is there, or why it is not."""

    archive: Archive
    reason: str = ""


def download(
    archives: Sequence[Archive], folder: Path, told: Told, *, at_once: int = 4, first: float = 1.0
) -> Iterator[Done]:
    """Bring archives into a folder, several at once, and yield each as it is done.

    Args:
        archives: those that are there already, whole, are not asked for again.
        folder: made if it is not there; a part of an archive is `<name>.part`.
        told: see `Told`.
        at_once: how many.
        first: seconds before the second try; each next wait is twice as long, up to a minute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    with (
        httpx.Client(follow_redirects=True, timeout=PATIENCE) as client,
        ThreadPoolExecutor(at_once) as pool,
    ):
        jobs = {
            pool.submit(_bring, client, archive, folder, told, stop, first): archive
            for archive in archives
        }
        try:
            for job in as_completed(jobs):
                try:
                    job.result()
                    yield Done(jobs[job])
                except (ChexnetError, OSError) as error:
                    yield Done(jobs[job], str(error))
        finally:
            stop.set()
            for job in jobs:
                job.cancel()


def fault(archive: Archive, file: Path) -> str:
    """Return what is wrong with an archive on disk, as a sentence; "" where it is as published."""
    if not file.exists():
        return f"{archive.name} is not there."
    if (size := file.stat().st_size) != archive.bytes:
        return f"{archive.name} must have {archive.bytes:,} bytes. Received: {size:,}."
    with file.open("rb") as data:
        found = hashlib.file_digest(data, "md5").hexdigest()
    if found != archive.md5:
        return f"The MD5 of {archive.name} must be {archive.md5}. Received: {found}."
    return ""


def _bring(
    client: httpx.Client,
    archive: Archive,
    folder: Path,
    told: Told,
    stop: threading.Event,
    wait: float,
) -> None:
    target, part = folder / archive.name, folder / f"{archive.name}.part"
    if target.exists() and not fault(archive, target):
        told(archive.bytes)
        return
    told(_size(part))
    left, why = TRIES, ""
    while left and not stop.is_set():
        before = _size(part)
        try:
            _continue(client, archive, part, told, stop)
        except (httpx.HTTPError, Unavailable) as error:
            why = str(error) or type(error).__name__
        if _size(part) == archive.bytes and not (why := fault(archive, part)):
            part.replace(target)
            return
        if _size(part) >= archive.bytes:  # Wrong bytes, or too many: none of them can be trusted.
            told(-_size(part))
            part.unlink()
            before = archive.bytes
        left = TRIES if _size(part) > before else left - 1
        stop.wait(wait if left < TRIES else 0)
        wait = min(2 * wait, 60.0)
    rule = f"{archive.name} must come whole from {archive.url}."
    raise Unavailable(f"{rule} Received: {why or 'nothing'} Run it again: what came is kept.")


def _continue(
    client: httpx.Client, archive: Archive, part: Path, told: Told, stop: threading.Event
) -> None:
    """Append what the server gives from where the part ends."""
    have = _size(part)
    asked = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with client.stream("GET", archive.url, headers=asked) as answer:
        _check(answer, archive, have)
        if answer.status_code == httpx.codes.OK and have:  # It knows no ranges: from the start.
            told(-have)
            part.unlink()
        with part.open("ab") as out:
            for data in answer.iter_raw():  # As it comes: of a larger piece a drop would lose all.
                out.write(data)
                told(len(data))
                if stop.is_set() or out.tell() > archive.bytes:
                    return


def _check(answer: httpx.Response, archive: Archive, have: int) -> None:
    """Pass an answer that is the archive from `have` on, or all of it.

    Sites answer with pages, too: one would follow what has come, or take its place.

    Raises:
        NotFound: the site says that it has none; to ask again would not help.
        Unavailable: it is something else.
    """
    status, heads = answer.status_code, answer.headers
    if answer.is_client_error and status not in LATER:
        rule = f"{archive.name} must be at {archive.url}."
        raise NotFound(f"{rule} Received: {status}. Look on {SITE} where it is now.")
    if status not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
        raise Unavailable(f"the server's answer {status}.")
    start = have if status == httpx.codes.PARTIAL_CONTENT else 0
    if start and not heads.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise Unavailable(f"another range: {heads.get('Content-Range')!r}.")
    total = start + int(heads.get("Content-Length", archive.bytes - start))
    if total != archive.bytes:
        kind = heads.get("Content-Type", "no type")
        raise Unavailable(f"{total:,} bytes of {kind}, and not {archive.bytes:,}.")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
