"""The version store beside a real pachd, on the same work through the same SDK.

    python -m benchmarks.version_store [host:port]

Starts services/version_store in a temporary folder. With the address of a pachd the same work is
done there; without, its figures are those that pachd 2.11.6 had on another machine with 2 cores, of
which the SDK's own time is a part that differs between machines. A ratio above 1 is faster.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pachyderm_sdk import Client
from pachyderm_sdk.api import pfs, pps

FILES, SIZE, COMMITS, CALLS = 2000, 20_000, 300, 200
PUBLISHED = {  # Seconds.
    "2000 files in one stream, to finished": 1.34,
    "2000 put_file_from_bytes in one commit, to finished": 78.0,
    "300 single-file commits, waiting for each": 300 / 3.5,
    "  one of them, median": 0.283,
    "  one of them, 95 %": 0.429,
    "300 single-file commits, not waiting, to the last finished": 300 / 14.3 + 47,
    "get_file of 20 KB, median": 0.0205,
    "get_file of 20 KB, 95 %": 0.038,
    "inspect_file, median": 0.013,
    "get_file_tar of 2000 files": 0.25,
    "glob of 2000": 1.26,
    "list_commit of 300": 3.8,
    "create_pipeline, median": 0.2,
}
UNPUBLISHED = ("list_datum of 2000", "a commit with 2 pipelines below it, median")


@contextmanager
def server() -> Iterator[str]:
    """Run a version store in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "CHEXNET_VERSION_STORE__LISTEN": "127.0.0.1:0",
            "CHEXNET_VERSION_STORE__FOLDER": folder,
        }
        command = [sys.executable, "-m", "services.version_store.main"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        assert process.stderr is not None
        yield json.loads(process.stderr.readline())["address"]
        process.terminate()
        process.wait()


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def spread(work: Callable[[int], object], times: int) -> tuple[float, float]:
    """Return the median and the 95th percentile of `times` calls."""
    taken = [timed(lambda n=n: work(n)) for n in range(times)]  # type: ignore[misc]
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1]


def measure(client: Client, project: pfs.Project) -> Iterator[tuple[str, float]]:
    """Yield each row's name and seconds."""
    store = client.pfs

    def branch(name: str) -> pfs.Branch:
        repo = pfs.Repo(name=name, type="user", project=project)
        store.create_repo(repo=repo)
        return pfs.Branch(repo=repo, name="master")

    names = iter(PUBLISHED)
    films = branch("films")
    data = [os.urandom(SIZE) for _ in range(FILES)]

    def stream() -> None:
        commit = store.start_commit(branch=films)
        store.modify_file(
            iter(
                [
                    pfs.ModifyFileRequest(set_commit=commit),
                    *(
                        pfs.ModifyFileRequest(add_file=pfs.AddFile(path=f"/films/{n}", raw=raw))
                        for n, raw in enumerate(data)
                    ),
                ]
            )
        )
        store.finish_commit(commit=commit)
        store.wait_commit(commit)

    yield next(names), timed(stream)

    def singly() -> None:
        with store.commit(branch=branch("singly")) as commit:
            for n, raw in enumerate(data):
                commit.put_file_from_bytes(path=f"/films/{n}", data=raw)
        commit.wait()

    yield next(names), timed(singly)
    waited, unwaited = branch("waited"), branch("unwaited")

    def commit_to(target: pfs.Branch, n: int) -> pfs.Commit:
        with store.commit(branch=target) as commit:
            commit.put_file_from_bytes(path=f"/films/{n}", data=data[n])
        return commit

    each: list[tuple[float, float]] = []
    total = timed(
        lambda: each.append(spread(lambda n: store.wait_commit(commit_to(waited, n)), COMMITS))
    )
    yield next(names), total
    yield next(names), each[0][0]
    yield next(names), each[0][1]
    yield (
        next(names),
        timed(lambda: store.wait_commit([commit_to(unwaited, n) for n in range(COMMITS)][-1])),
    )
    head = pfs.Commit(repo=films.repo, branch=films)

    def get(n: int) -> bytes:
        file = pfs.File(commit=head, path=f"/films/{n}")
        return b"".join(piece.value for piece in store.get_file(file=file))

    for value in spread(get, CALLS):
        yield next(names), value
    inspect = spread(
        lambda n: store.inspect_file(file=pfs.File(commit=head, path=f"/films/{n}")), CALLS
    )
    yield next(names), inspect[0]
    root = pfs.File(commit=head, path="/")
    yield next(names), timed(lambda: [len(p.value) for p in store.get_file_tar(file=root)])
    yield next(names), timed(lambda: list(store.glob_file(commit=head, pattern="/films/*")))
    yield next(names), timed(lambda: list(store.list_commit(repo=waited.repo)))
    given = pps.Input(pfs=pps.PfsInput(repo="films", project=project.name, glob="/films/*"))

    def create(n: int) -> None:
        named = pps.Pipeline(project=project, name=f"pipeline-{n}")
        client.pps.create_pipeline(
            pipeline=named, transform=pps.Transform(cmd=["true"]), input=given
        )

    yield next(names), statistics.median(timed(lambda n=n: create(n)) for n in range(2))  # type: ignore[misc]
    datums = timed(lambda: list(client.pps.list_datum(input=given)))
    yield UNPUBLISHED[0], datums
    yield UNPUBLISHED[1], spread(lambda n: commit_to(films, n), 20)[0]


def table(address: str) -> dict[str, float]:
    """Return each row's name and seconds on a server."""
    client = Client.from_pachd_address(address)
    project = pfs.Project(name=f"bench-{uuid.uuid4().hex[:8]}")
    client.pfs.create_project(project=project)
    try:
        return dict(measure(client, project))
    finally:  # pachd deletes no project that has something in it, by force neither.
        client.pps.delete_pipelines(projects=[project])
        client.pfs.delete_repos(projects=[project])
        client.pfs.delete_project(project=project)


def main(address: str | None = None) -> int:
    """Print the table; exit 1 if a row is slower than pachd's."""
    with server() as own:
        ours = table(own)
    pachd = table(address) if address else PUBLISHED
    print(f"{'work':62} {'measured':>10} {'pachd':>10} {'ratio':>7}")
    slower = []
    for name, seconds in ours.items():
        if name not in pachd:
            print(f"{name:62} {seconds:9.4f}s")
            continue
        ratio = pachd[name] / seconds
        print(f"{name:62} {seconds:9.4f}s {pachd[name]:9.4f}s {ratio:6.1f}x")
        slower += [name] if ratio < 1 else []
    for name in slower:
        print(f"Every row must be as fast as a real pachd. Received: slower in {name.strip()!r}.")
    return bool(slower)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2]))
