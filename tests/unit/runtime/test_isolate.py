"""A file that kills, blocks or swells its decoder is rejected; the next one is decoded."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from chexnet.errors import BadInput, Unavailable
from chexnet.runtime.isolate import Isolated


def act(what: str) -> str:
    if what == "crash":
        os.abort()
    if what == "hang":
        threading.Event().wait()
    if what == "swell":
        return str(len(bytearray(2**31)))
    if what == "group":
        return f"{os.getpid()} {os.getpgid(0)}"
    if what == "bad":
        raise BadInput("truncated", "A PNG must be whole.")
    if what == "bug":
        raise ZeroDivisionError("by nought")
    return what.upper()


def make() -> Callable[[str], str]:
    return act


@pytest.fixture(scope="module")
def isolated() -> Iterator[Isolated]:
    made = Isolated(make, memory=2**28, seconds=1.0)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("what", "code"),
    [("crash", "crashed"), ("hang", "too-slow"), ("swell", "out-of-memory"), ("bad", "truncated")],
)
def test_what_harms_the_child_is_the_files_fault_and_the_next_is_well(
    isolated: Isolated, what: str, code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        isolated(what)
    assert caught.value.code == code
    assert isolated("good") == "GOOD"


def test_a_bug_is_raised_as_it_is(isolated: Isolated) -> None:
    with pytest.raises(ZeroDivisionError, match="by nought"):
        isolated("bug")


def test_a_signal_to_the_group_of_the_service_does_not_cut_off_its_last_file(
    isolated: Isolated,
) -> None:
    pid, group = map(int, isolated("group").split())
    assert group == pid != os.getpgid(0)


def test_a_child_that_ended_between_two_files_is_neither_files_fault(isolated: Isolated) -> None:
    pid = int(isolated("group").split()[0])
    ended = next(child for child in mp.active_children() if child.pid == pid)
    os.kill(pid, signal.SIGKILL)
    ended.join()
    assert isolated("good") == "GOOD"


def test_a_child_ends_with_its_parent_even_in_a_file_that_hangs() -> None:
    code = (
        "import os\n"
        "from chexnet.runtime.isolate import Isolated\n"
        "from tests.unit.runtime.test_isolate import make\n"
        "run = Isolated(make, memory=2**28, seconds=1.0)\n"
        "run('good')\n"
        "run._child[1].send(('hang',))\n"
        "os._exit(9)\n"
    )
    # Returns at the end of the pipes, which the child has inherited: so it has ended as well.
    done = subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.PIPE)
    assert done.returncode == 9


def unable() -> Callable[[str], str]:
    raise ZeroDivisionError


def test_a_child_that_can_not_start_is_no_files_fault() -> None:
    with pytest.raises(Unavailable, match="exit code 1"):
        Isolated(unable, memory=2**28, seconds=1.0)("good")
