"""The files in a zip that are taken, in the order in which the gateway counts them."""

from __future__ import annotations

from zipfile import ZipFile, ZipInfo


def taken(opened: ZipFile) -> list[ZipInfo]:
    """Return all files but what file managers put beside people's."""
    return [info for info in opened.infolist() if not _ignored(info)]


def _ignored(info: ZipInfo) -> bool:
    name = info.filename.rsplit("/", 1)[-1]
    return info.is_dir() or name.startswith(".") or info.filename.startswith("__MACOSX/")
