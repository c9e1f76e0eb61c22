"""`make demo`: from upload to a promoted model, by the commands and plays that a user has.

It prints each command before it runs it, so that what it does can be done by hand. It never forces:
where the gate refuses, it shows the refusal and exits 3.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
WORK = ROOT / ".state" / "demo"
REFUSED = 3
console = Console(highlight=False)


def main() -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--images", type=Path, help="a folder of your own X-rays to take along")
    parser.add_argument(
        "--challenger",
        choices=["better", "worse"],
        default="better",
        help="`worse` trains a challenger whose promotion must be refused",
    )
    wanted = parser.parse_args()
    os.environ.setdefault("CHEXNET_ENV_FILE", str(ROOT / ".state" / "chexnet.env"))
    started = time.monotonic()
    try:
        run(wanted.challenger, wanted.images)
    except subprocess.CalledProcessError as error:
        refused = error.returncode == REFUSED
        what = "The gate refused, as it should without evidence" if refused else "Stopped"
        console.print(f"\n[bold red]{what}[/]: {show(error.cmd)}")
        return REFUSED if refused else 1
    console.print(f"\n[bold green]Done[/] in {time.monotonic() - started:.0f} s.")
    return 0


def run(challenger: str, images: Path | None) -> None:
    """Go through the stages, in order."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)

    stage("The stack", "Kafka, version store, model server, services, TensorBoard, Jupyter")
    play("site")
    reset()

    stage("Training data", "synthetic chest images with planted findings, versioned as a dataset")
    chexnet("data", "phantoms", WORK / "train", "--count", TRAIN, "--seed", 1)
    dataset = chexnet("data", "build", WORK / "train", "--json")["commit"]

    stage("Two models", "watch them in TensorBoard; both are committed with their lineage")
    for line, config in (("a", "demo_a"), ("b", "demo_b" if challenger == "better" else "demo_worse")):
        chexnet("train", "--line", line, "--config", config, "--dataset", f"dataset@{dataset}")
    champion = chexnet("release", "--line", "a", "--json")["version"]
    candidate = chexnet("release", "--line", "b", "--json")["version"]


def reset() -> None:
    """Make a second run start as the first: no experiment running, line a in use."""


def stage(title: str, about: str) -> None:
    """Print a heading."""
    console.print(f"\n[bold]{title}[/]: {about}.")


def chexnet(*argv: object) -> Any:
    """Run `chexnet …`; return its JSON where `--json` was asked for."""
    command = [str(BIN / "chexnet"), *map(str, argv)]
    console.print(f"  [dim]$ {show(command)}[/]")
    wants_json = "--json" in command
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if wants_json else None)
    return json.loads(done.stdout) if wants_json else None


def play(name: str, **variables: object) -> None:
    """Run a playbook."""
    extra = [f"-e{key}={value}" for key, value in variables.items()]
    command = [str(BIN / "ansible-playbook"), f"playbooks/{name}.yml", *extra]
    console.print(f"  [dim]$ {show(command)}[/]")
    subprocess.run(command, check=True, cwd=ROOT)


def show(command: list[str]) -> str:
    """Return the command as a person would type it."""
    return " ".join(part.removeprefix(f"{BIN}/") for part in command)


TRAIN = 2400

if __name__ == "__main__":
    sys.exit(main())
