"""From upload to a promoted model, by the commands and plays that a user has.

Each command is printed before it runs, so that all of it can be done by hand. Nothing is forced:
where the gate refuses a promotion, the refusal is shown and the exit code is 3.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

import data_store
from rich.markup import escape
from rich.panel import Panel

from playbooks.running import BIN, ROOT, SITE, chexnet, console, fail, play, run, say, stage

STATE = ROOT / ".state"
WORK = STATE / "demo"
FILM = Path(next(iter(data_store.__path__))) / "data" / "RG1_UNCR.dcm"  # A real one, by pydicom.
REFUSED = 3
TRAINING = 3000  # Phantoms: 70 % train, 10 % tune, 20 % test.
DIFFERENCE = 0.05  # In macro AUROC: what the experiment shall be able to find.
PREVALENCE = 0.12  # Of each finding, as the phantoms are drawn.
PATIENCE = 60  # Seconds for the guardian, which follows what is predicted.


def main() -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--images", type=Path, help="a folder of X-rays of yours, to take along")
    parser.add_argument(
        "--challenger",
        choices=["better", "worse"],
        default="better",
        help="`worse` trains a challenger whose promotion must be refused",
    )
    parser.add_argument("ansible", nargs="*", help="options for ansible-playbook, after `--`")
    wanted = parser.parse_args()
    SITE.extend(wanted.ansible)
    os.environ.setdefault("CHEXNET_ENV_FILE", str(STATE / "chexnet.env"))
    started = time.monotonic()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)

    say("This takes 7 to 10 minutes on two cores; where images are built first, longer.")
    stand_up()
    dataset = make_dataset()
    champion = train_champion(dataset)
    look_at_films(wanted.images)
    challenger = train_challenger(dataset, wanted.challenger)
    compare(champion, challenger)
    if not watched(challenger):
        return stopped()
    show()
    if missing := what_is_missing():
        return refused(missing)
    promote_and_roll_back(challenger)
    draw(challenger)
    answers = chexnet("status", "--json", check=False)["control"]["champion"]
    good_bye(answers, challenger, time.monotonic() - started)
    return 0


def stand_up() -> None:
    """Start the stack, and end what an earlier demo left running."""
    stage("The stack", "a Kafka broker, stores, services, TensorBoard and JupyterLab, by Ansible")
    play("site")
    control = chexnet("status", "--json", check=False)["control"]
    if control["experiment"]:
        chexnet("experiment", "stop", "--reason", "a new demo", "--json")
    if control["champion"] and line_of(control["champion"]) == "b":
        play("rollback", reason="a new demo")


def make_dataset() -> str:
    """Draw phantoms, bring them in and cut a dataset of them; return `repo@commit`."""
    stage("Training data", "synthetic chest images with planted findings; nobody's X-rays")
    chexnet("data", "phantoms", WORK / "training", "--count", TRAINING, "--size", 256, "--seed", 0)
    brought = chexnet("data", "import", WORK / "training", "--name", "phantoms", "--json")
    say(f"{brought['images']} images are in repo nih, {brought['sent']} of them new.")
    cut = chexnet("dataset", "cut", "--json")
    images = ", ".join(f"{count} {split}" for split, count in cut["images"].items())
    say(f"{cut['dataset']}: {images}; no patient is in two of them.")
    return str(cut["dataset"])


def train_champion(dataset: str) -> int:
    """Return the version of line a that answers, trained now if there is none."""
    stage("Model a", "a small network at low resolution, on few images")
    if champion := chexnet("status", "--json", check=False)["control"]["champion"]:
        say(f"Version {champion} of line a answers already.")
        return int(champion)
    version = train("a", "demo_a", dataset)
    chexnet("promote", version, "--json")
    say(f"Version {version} is the champion: the first one needs no comparison.")
    return version


def train_challenger(dataset: str, kind: str) -> int:
    """Train line b and return its version."""
    better = kind == "better"
    stage("Model b", "more data and pixels" if better else "made to be worse: it must be refused")
    return train("b", "demo_b" if better else "demo_worse", dataset)


def train(line: str, config: str, dataset: str) -> int:
    """Train, release; return the version."""
    told = chexnet("train", "--line", line, "--config", config, "--dataset", dataset, "--json")
    area = told["macro_auroc"]["test"]
    interval = f"({area['low']:.3f} to {area['high']:.3f})"
    say(f"Mean AUROC on test patients: {area['value']:.3f} {interval}, {told['seconds']:.0f} s.")
    version = int(chexnet("release", "--line", line, "--json")["version"])
    say(f"Version {version}, loaded, with its golden outputs.")
    return version


def look_at_films(images: Path | None) -> None:
    """Predict a real film, and the user's own."""
    stage("A real film", "identity removed at the gateway; the model knows phantoms only")
    overlay = WORK / "overlay.png"
    run([str(BIN / "chexnet"), "predict", str(FILM), "--overlay", str(overlay)])
    if images is not None:
        chexnet("upload", images, "--wait", "--json", check=False)


def compare(champion: int, challenger: int) -> None:
    """Run a shadow experiment on unseen phantoms, whose findings are known."""
    stage(
        "The experiment", "b sees each image too, its answers are not shown; paired, so few cases"
    )
    planned = chexnet(
        *("experiment", "plan", "--champion", 0.8, "--difference", DIFFERENCE),
        *("--prevalence", PREVALENCE, "--json"),
    )
    cases = int(planned["shadow"])
    say(f"To find a difference of {DIFFERENCE} with 80 % power it takes {cases} read cases.")
    name = f"v{challenger}-against-v{champion}-{int(time.time())}"
    chexnet("experiment", "start", name, "--arm", f"b={challenger}", "--cases", cases, "--json")
    unseen = WORK / "unseen"
    phantoms = ("data", "phantoms", unseen, "--count", cases, "--size", 256)
    chexnet(*phantoms, "--seed", int(time.time()), "--visits", 1)
    uploads = WORK / "uploads.json"
    chexnet("upload", unseen, "--wait", "--json", into=uploads)
    table = ("feedback", "import", unseen / "labels.csv", "--uploads", uploads)
    chexnet(*table, "--reader", "phantoms' known findings", "--json")


def show() -> None:
    """Show what the experiment has found."""
    run([str(BIN / "chexnet"), "experiment", "status"])
    chexnet("experiment", "report", WORK / "comparison.png")


def watched(challenger: int) -> bool:
    """Wait until the guardian has seen b well; False where it has stopped the experiment."""
    say("The guardian looks at each image too; it says when it has seen enough of b.")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if challenger not in chexnet("status", "--json")["control"]["arms"].values():
            return False
        if chexnet("experiment", "status", "--json")["arms"]["b"]["guardrails"]["watched"]:
            break
    return True  # Or it is down or behind: then the gate says what is missing.


def stopped() -> int:
    """Show why the guardian has stopped the experiment."""
    ends = [e for e in chexnet("audit", "--json") if e["action"] in ("stop", "rollback")]
    stage("Promotion", "not asked for: a guardrail has stopped the experiment")
    say(f"{ends[-1]['who']}: {ends[-1]['reason']}")
    return REFUSED


def what_is_missing() -> list[str]:
    """Return what a promotion of b would lack."""
    return list(chexnet("experiment", "status", "--json")["arms"]["b"]["missing"])


def refused(missing: list[str]) -> int:
    """Show that the promotion is refused, by asking for it."""
    stage("Promotion", "asked for, and refused")
    answer = run([str(BIN / "chexnet"), "promote", "b"], check=False)
    if answer.returncode != REFUSED:
        fail(f"A promotion that lacks {missing} must be refused. Received: {answer.returncode}.")
    chexnet("experiment", "stop", "--reason", "refused", "--json")
    return REFUSED


def promote_and_roll_back(challenger: int) -> None:
    """Promote b, predict with it, and go back."""
    stage("Promotion", "by playbook; it moves a number, so no request waits")
    play("promote", arm="b", reason="demo")
    answered = chexnet("predict", FILM, "--json")["version"]
    if answered != challenger:
        fail(f"Version {challenger} must answer after its promotion. Received: {answered}.")
    say(f"Version {answered} answers now.")
    play("rollback", reason="demo: to show the way back")
    say(f"Version {chexnet('predict', FILM, '--json')['version']} answers again.")


def draw(version: int) -> None:
    """Draw what ran on what."""
    stage("What ran on what", "Pachyderm's own provenance, from the films to the version")
    chexnet("pipeline", "graph", "--out", WORK / "pipelines.png")
    release = chexnet("lineage", version, "--json")["links"][0]["name"]
    chexnet("lineage", release, "--out", WORK / "lineage.png")
    run([str(BIN / "chexnet"), "pipeline", "check"])


def good_bye(answers: int, challenger: int, seconds: float) -> None:
    """Say which version answers now, how another would, and where to look."""
    site = dict(
        line.split("=", 1)
        for line in Path(os.environ["CHEXNET_ENV_FILE"]).read_text().splitlines()
        if line.startswith("CHEXNET_")
    )
    inventory = Path(os.environ.get("ANSIBLE_INVENTORY", "inventory/local")).name
    down = "make down" if inventory == "local" else f"make down RUNTIME={inventory}"
    drawn = WORK.relative_to(ROOT)
    lines = [
        f"Done in {seconds:.0f} s. The stack stays up.",
        "",
        f"Version {answers} answers now. Version {challenger}, of line b, was promoted on its",
        "evidence, and rolled back to show the way. An experiment's evidence is used",
        "once, so promote it again by force, which goes on record:",
        f"  chexnet promote {challenger} --force --reason 'it won in the demo'",
        "",
        "First, in your shell        source .venv/bin/activate",
        "The workspace               chexnet open",
        "The same without code       chexnet open app",
        "A tour of each stage        chexnet open tour",
        "Training, watched           chexnet open tensorboard",
        "Who decided what            chexnet audit",
        f"Stop it                     {down}",
        "",
        f"The pipelines, as a graph   {drawn / 'pipelines.png'}",
        f"What version {f'{challenger} came from':<15}{drawn / 'lineage.png'}",
        f"Heat map of the real film   {drawn / 'overlay.png'}",
        f"The comparison              {drawn / 'comparison.png'}",
        "",
        f"Gateway                     {site['CHEXNET_GATEWAY__URL']}",
        f"JupyterLab                  {site['CHEXNET_JUPYTER_URL']}",
        f"TensorBoard                 {site['CHEXNET_TENSORBOARD_URL']}",
    ]
    console.print(Panel(escape("\n".join(lines)), expand=False, border_style="green"))


def line_of(version: int) -> str:
    """Return the training line of a version."""
    node = chexnet("lineage", version, "--json")
    return next((link["facts"]["line"] for link in node["links"]), "")


if __name__ == "__main__":
    sys.exit(main())
