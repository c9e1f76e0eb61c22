"""What a name means that can be evaluated: a folder, a version, or a commit of a training line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from chexnet import release as releases
from chexnet.data.checkout import resolve
from chexnet.data.dataset import INDEX
from chexnet.errors import BadInput, NotFound
from chexnet.steps.ports import Store

Open = Callable[[], Store]  # Only a name that is in the store needs one.
Read = Callable[[str], bytes]


@contextmanager
def release(name: str, store: Open) -> Iterator[tuple[str, Path]]:
    """Yield how a release is called, and a folder that holds it as long as the body runs.

    Args:
        name: a folder, a version's number, or models-b@0123; of models-b alone its newest commit.
        store: of the pipeline.

    Raises:
        NotFound: there is no such release.
    """
    if Path(name).is_dir():
        yield name, Path(name)
        return
    at = store()
    if name.isdecimal():
        record = releases.read(at, int(name))
        repo, commit, called = record.repo, record.commit, f"version {name}"
        called += f" ({repo}@{commit})"
    else:
        repo, _, given = name.partition("@")
        commit = given or _newest(at, repo)
        called = f"{repo}@{commit}"
    with tempfile.TemporaryDirectory(prefix="chexnet-evaluate-") as scratch:
        _fetch(at, repo, commit, Path(scratch))
        yield called, Path(scratch)


def dataset(name: str, store: Open) -> tuple[str, Read]:
    """Return how a dataset is called, and what reads a file of it by its path.

    Args:
        name: a folder that holds one, or dataset@commit, or dataset, whose newest it is then.
        store: of the pipeline.

    Raises:
        NotFound: there is no such dataset.
    """
    if is_dataset(Path(name)):
        return name, lambda path: (Path(name) / path[1:]).read_bytes()
    at = store()
    repo, commit = resolve(at, name)
    return f"{repo}@{commit}", lambda path: at.read(repo, path, commit)


def is_dataset(folder: Path) -> bool:
    """Return whether a folder holds a dataset, as the pipeline `dataset` writes it."""
    return (folder / INDEX[1:]).is_file()


def _newest(store: Store, repo: str) -> str:
    commit = store.head(repo)
    if commit is None:
        rule = "A model must be a folder, a version's number, or a commit such as models-b@0123."
        todo = "See the versions with: chexnet status"
        raise NotFound(f"{rule} Received: {repo!r}, which has none. {todo}")
    return commit


def _fetch(store: Store, repo: str, commit: str, folder: Path) -> None:
    files = dict(store.fetch(repo, releases.TREE, commit))
    if not files:
        rule = f"A model's commit must hold a release below {releases.TREE}."
        raise NotFound(f"{rule} Received: {repo}@{commit}, which has none. Train the line again.")
    for path, data in files.items():
        inside = PurePosixPath(path).relative_to(releases.TREE)
        if ".." in inside.parts:
            raise BadInput("release", f"A file must lie in its release. Received: {path!r}.")
        file = folder / inside
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
