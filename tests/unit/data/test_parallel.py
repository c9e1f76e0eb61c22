"""Work on many files by several processes: in order, and not further ahead than is taken."""

from __future__ import annotations

import os
import signal
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest

from chexnet.data.parallel import spread


def test_work_comes_back_in_order() -> None:
    assert list(spread(abs, range(-300, 0), processes=2)) == list(range(300, 0, -1))


def test_one_process_is_this_one() -> None:
    here: list[int] = []
    assert list(spread(here.append, [1, 2], processes=1)) == [None, None]
    assert here == [1, 2]


def test_what_is_done_stays_close_to_what_is_taken(tmp_path: Path) -> None:
    work = spread(partial(_mark, tmp_path), range(2000), processes=2)
    next(work)
    work.close()
    assert len(list(tmp_path.iterdir())) <= 32 * (2 * 2 + 1)


def test_an_item_that_kills_its_process_is_told_and_all_others_are_done() -> None:
    work = spread(_dies_of_seventeen, range(200), processes=2, crashed=lambda item: -item)
    assert list(work) == [-n if n in (17, 150) else n for n in range(200)]


def test_without_a_way_to_tell_it_is_an_error() -> None:
    with pytest.raises(BrokenProcessPool):
        list(spread(_dies_of_seventeen, range(20), processes=2))


def test_where_every_process_dies_it_ends_instead_of_telling_each_item() -> None:
    with pytest.raises(BrokenProcessPool):
        list(spread(_dies, range(100), processes=2, crashed=lambda item: item))


def _dies(item: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def _mark(folder: Path, item: int) -> None:
    (folder / str(item)).touch()


def _dies_of_seventeen(item: int) -> int:
    if item in (17, 150):
        os.kill(os.getpid(), signal.SIGKILL)
    return item
