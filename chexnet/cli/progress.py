"""A progress bar on stderr, where there is a terminal to show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Advance(Protocol):
    """Moves a bar."""

    def __call__(
        self, by: int = 1, *, done: int | None = None, total: int | None = None, told: str = ""
    ) -> None:
        """Go on `by`, or to `done`; `total` and the words after the bar change where given."""


@contextmanager
def bar(name: str, total: int | None = None, *, show: bool = True) -> Iterator[Advance]:
    """Draw a bar while the body runs, and yield what moves it.

    Args:
        name: what is being done.
        total: of how many; None until it is known.
        show: False where a script reads the output.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[told]}"),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not (show and console.is_terminal)) as drawn:
        task = drawn.add_task(name, total=total, told="")

        def advance(
            by: int = 1, *, done: int | None = None, total: int | None = None, told: str = ""
        ) -> None:
            if total is not None:
                drawn.update(task, total=total)
            if told:
                drawn.update(task, told=told)
            drawn.update(task, completed=done) if done is not None else drawn.advance(task, by)

        yield advance
