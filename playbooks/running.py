"""Commands and plays, each printed before it runs as it can be typed by hand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SITE: list[str] = []  # Options of ansible-playbook; ANSIBLE_INVENTORY names the inventory.
BANNER = re.compile(r"(PLAY|TASK|HANDLER) \[(.+)\] \*")  # As ansible-playbook prints them.
TAIL = 4000  # Characters of what a command said that failed.
console = Console(highlight=False)


def stage(title: str, about: str) -> None:
    """Print a heading."""
    console.print(f"\n[bold cyan]{title}[/]  {about}")


def say(sentence: str) -> None:
    """Print what happened."""
    console.print(f"  {sentence}")


def fail(sentence: str) -> NoReturn:
    """End the demo."""
    console.print(f"[bold red]{escape(sentence)}[/]")
    raise SystemExit(1)


def chexnet(*argv: object, check: bool = True, into: Path | None = None) -> Any:
    """Run `chexnet …`; return its JSON where `--json` was asked for, and write it `into` a file."""
    command = [str(BIN / "chexnet"), *map(str, argv)]
    done = run(command, check=check, capture=True, into=into)
    return json.loads(done.stdout) if "--json" in command else None


def play(name: str, **variables: str) -> None:
    """Run a playbook; name its plays as they begin, or on a terminal its tasks, on one line."""
    extra = [part for item in variables.items() for part in ("-e", json.dumps(dict([item])))]
    command = [str(BIN / "ansible-playbook"), f"playbooks/{name}.yml", *SITE, *extra]
    words = _announce(command)
    said: list[str] = []
    current = ""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with (
        subprocess.Popen(command, cwd=ROOT, text=True, **streams) as playing,
        console.status("") as line,
    ):
        for text in playing.stdout:
            said.append(text)
            if (banner := BANNER.search(text)) is None:
                continue
            kind, what = banner.groups()
            if kind == "PLAY":
                current = what
            if console.is_terminal:
                told = current if kind == "PLAY" else f"{current}: {what}"
                line.update(escape(told[: console.width - 4]))  # Beside the spinner, on one line.
            elif kind == "PLAY":
                console.print(f"    {what}", markup=False)
    if playing.returncode:
        _stop(words, playing.returncode, "".join(said)[-TAIL:])


def run(
    command: list[str], *, check: bool = True, capture: bool = False, into: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Print a command and run it. Its progress bars are seen in a terminal, its errors always."""
    words = _announce(command, into)
    barless = "--json" in command  # It draws no bar, so that something else must move.
    shown = sys.stderr.isatty() and not barless
    with _clock() if barless else nullcontext():
        done = subprocess.run(
            command,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE if capture else None,
            stderr=None if shown else subprocess.PIPE,
            check=False,
        )
    if barless and sys.stderr.isatty() and not done.returncode:
        sys.stderr.write(done.stderr)  # What it warned of.
    if check and done.returncode:
        _stop(words, done.returncode, (done.stdout or "")[-TAIL:] + (done.stderr or "")[-TAIL:])
    if not check and done.stderr:
        console.print(done.stderr.strip(), markup=False)
    if into is not None:
        into.write_text(done.stdout)
    return done


def _stop(words: str, code: int, said: str) -> NoReturn:
    """End the demo by what a command said that failed."""
    console.print(said, markup=False)
    fail(f"Stopped: {words} ended with exit code {code}.")


def _clock() -> Progress:
    """Return what shows on a terminal that something runs, and for how long it has."""
    hidden = not console.is_terminal
    columns = (SpinnerColumn(), TimeElapsedColumn())
    clock = Progress(*columns, console=console, transient=True, disable=hidden)
    clock.add_task("")
    return clock


def _announce(command: list[str], into: Path | None = None) -> str:
    """Print a command as a shell takes it, from the project's folder with the venv active."""
    words = shlex.join(part.replace(f"{BIN}/", "").replace(f"{ROOT}/", "") for part in command)
    if into is not None:
        words += f" > {shlex.quote(str(into).replace(f'{ROOT}/', ''))}"
    console.print(f"  [dim]$ {escape(words)}[/]", soft_wrap=True)
    return words
