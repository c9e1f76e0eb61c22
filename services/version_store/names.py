"""Names: which are allowed, and how pachd writes them in its messages."""

from __future__ import annotations

import posixpath
import re

from pachyderm_sdk.api import pfs

from services.version_store.errors import StoreError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_COMMIT_ID = re.compile(r"[0-9a-f]{32}")


def check(what: str, name: str) -> None:
    """Raise StoreError unless `name` may be a project's, repo's or branch's."""
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"{what} name ({name}) invalid: only alphanumeric characters, underscores, and dashes "
            "are allowed"
        )
    if what == "branch" and _COMMIT_ID.fullmatch(name):
        raise StoreError(f"branch name ({name}) invalid: it reads as a commit's id")


def is_commit_id(text: str) -> bool:
    """Say whether `text` is an id, and not a branch's name."""
    return _COMMIT_ID.fullmatch(text) is not None


def of_repo(repo: pfs.Repo) -> str:
    """Return e.g. `xray/raw`; a pipeline's own repos have their type behind."""
    kind = "" if repo.type in {"", "user"} else f".{repo.type}"
    return f"{repo.project.name or 'default'}/{repo.name}{kind}"


def of_branch(branch: pfs.Branch) -> str:
    """Return e.g. `xray/raw@master`."""
    return f"{of_repo(branch.repo)}@{branch.name}"


def of_commit(commit: pfs.Commit) -> str:
    """Return e.g. `xray/raw@<id>`."""
    repo = commit.repo if commit.repo.name else commit.branch.repo
    return f"{of_repo(repo)}@{commit.id or commit.branch.name}"


def path(text: str) -> str:
    """Return a file's path as it is kept: absolute, without `.`, `..` or a slash at the end."""
    if "\0" in text:
        raise StoreError(f"path ({text!r}) invalid: it contains a null character")
    return posixpath.normpath("/" + text.lstrip("/"))


def below(directory: str) -> tuple[str, str]:
    """Return the bounds of the paths below `directory`: from the first, up to the second."""
    stem = directory.rstrip("/")
    return stem + "/", stem + "0"  # '0' is the character after '/'.


def ancestors(file: str) -> list[str]:
    """Return the directories of `file`, the root first, without slashes at the end."""
    parts = file.split("/")[1:-1]
    return ["/", *("/" + "/".join(parts[:i]) for i in range(1, len(parts) + 1))]
