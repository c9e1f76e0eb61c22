"""How far a training is, in words and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chexnet.training.progress import Log, Progress, parse

COUNT = st.integers(1, 10**6)
SCORE = st.floats(0, 100).map(lambda x: round(x, 4))


@given(st.builds(Progress, COUNT, COUNT, COUNT, COUNT, SCORE, st.none() | SCORE, st.none() | SCORE))
def test_what_a_line_tells_is_read_back(told: Progress) -> None:
    assert parse(f"{told}\n") == told


def test_other_lines_of_a_log_tell_no_progress() -> None:
    assert parse("loading epoch 1/2") is None
    assert parse("") is None


def test_steps_are_told_once_a_second_and_ends_of_epochs_always() -> None:
    seconds, lines = [0.0], []
    log = Log(lines.append, clock=lambda: seconds[0])
    for step in range(1, 31):
        log(Progress(1, 1, step, 30, 0.5))
        seconds[0] = step / 10
    log(Progress(1, 1, 30, 30, 0.5, 0.4, 0.9))
    assert [line.split()[3] for line in lines] == ["1/30", "11/30", "21/30", "30/30"]
    assert lines[-1].endswith("val_loss 0.4000 val_auroc 0.9000")
