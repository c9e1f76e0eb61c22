"""The commands that decide, over the memory adapters: what they say, print and exit with."""

from __future__ import annotations

import io
import json
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from typer.testing import CliRunner

from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.adapters.memory_serving import MemoryServing
from chexnet.cli.desk import Desk
from chexnet.cli.main import app
from chexnet.errors import ChexnetError, ConfigError, NotFound, Refused
from chexnet.experiments import decisions
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.messages import CHAMPION, Headers, Message
from chexnet.models import card as cards
from chexnet.release import evaluated
from chexnet.release import read as release
from chexnet.settings import (
    GatewaySettings,
    KafkaSettings,
    ServingSettings,
    Settings,
    StoreSettings,
)
from chexnet.topics import PREDICTIONS, SHADOW
from tests.unit.experiments.records import START, prediction
from tests.unit.test_release import CARD

LABELS = ("Effusion", "Mass")
WATCHED_BY = By(who="guardian", at=START)


def model(level: float):
    return lambda x: {"probabilities": np.full((len(x), 2), level, np.float32)}


class Reconciled(MemoryBus):
    """A bus whose control a reconciler follows at once."""

    def __init__(self, serving: MemoryServing) -> None:
        super().__init__()
        self.serving = serving

    def send(self, messages) -> None:
        super().send(messages)
        for m in messages:
            if m.topic.name == "control":
                self.serving.label({}, read(self, "xray").loaded)


class Stack:
    """What the commands find where the real stack would be."""

    def __init__(self, folder: Path) -> None:
        self.serving = MemoryServing({1: model(0.25), 2: model(0.5)})
        self.serving.loaded = set()
        self.bus, self.store = Reconciled(self.serving), MemoryStore()
        self.settings = Settings(
            state=folder,
            input="chest_xray",
            kafka=KafkaSettings(bootstrap="none:0"),
            store=StoreSettings(address="none:0"),
            serving=ServingSettings(replicas="memory", models=folder / "models"),
            gateway=GatewaySettings(url="http://none", token_file=folder / "token"),
        )
        for line, level in (("a", 0.25), ("b", 0.5)):
            self.train(line, level)

    @contextmanager
    def desk(self):
        replicas = {"memory": self.serving}
        yield Desk(settings=self.settings, bus=self.bus, store=self.store, replicas=replicas)

    def train(self, line: str, level: float, metrics: dict = CARD.metrics) -> None:
        golden = io.BytesIO()
        x = np.zeros((3, 4, 4, 1), np.uint8)
        np.savez(golden, x=x, **model(level)(x))
        card = structs.replace(
            CARD, line=line, labels=LABELS, training_units=("p-trained",), metrics=metrics
        )
        self.store.ensure(f"models-{line}")
        files = {
            "saved_model.pb": line.encode(),
            cards.CARD: card.encode(),
            cards.GOLDEN: golden.getvalue(),
        }
        self.store.write(f"models-{line}", {f"/release/{k}": v for k, v in files.items()})

    def predict(self, images: int, name: str) -> None:
        """Let both arms see images of which every second shows both findings; all is well."""
        seen = {"version": 2, "images": images, "figures": []}
        decisions.note(self.bus, read(self.bus, "xray"), "watched", WATCHED_BY, seen)
        rng = np.random.default_rng(0)
        for n in range(images):
            for arm, skill, topic in ((CHAMPION, 0.3, PREDICTIONS), ("b", 2.0, SHADOW)):
                scores = {k: float(skill * (n % 2) + rng.normal()) for k in LABELS}
                said = prediction(f"i{n}", f"p{n}", arm, scores, experiment=name)
                headers = Headers(schema="prediction/1", created_at=START)
                self.bus.send(
                    [Message(topic=topic, key=f"p{n}", value=said.encode(), headers=headers)]
                )


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    made = Stack(tmp_path)
    monkeypatch.setattr("chexnet.cli.desk.desk", made.desk)
    # The labels of an installed input are asked of the settings that the environment names.
    for name, value in {
        "STATE": tmp_path,
        "KAFKA__BOOTSTRAP": "none:0",
        "STORE__ADDRESS": "none:0",
        "SERVING__REPLICAS": "memory",
        "GATEWAY__URL": "http://none",
        "GATEWAY__TOKEN_FILE": tmp_path / "token",
    }.items():
        monkeypatch.setenv(f"CHEXNET_{name}", str(value))
    return made


def run(*argv: str) -> str:
    result = CliRunner().invoke(app, [*argv], catch_exceptions=True)
    if isinstance(result.exception, ChexnetError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def champion_1(stack: Stack) -> Stack:
    run("release", "--line", "a")
    run("promote", "1")
    run("release", "--line", "b")
    return stack


def reads(folder: Path, images: int) -> str:
    rows = [f"i{n},{n % 2},{n % 2}" for n in range(images)]
    (folder / "reads.csv").write_text("\n".join(["image_id,Effusion,Mass", *rows]))
    return str(folder / "reads.csv")


def test_a_first_release_is_promoted_without_a_comparison(stack: Stack) -> None:
    assert "chexnet promote 1" in run("release", "--line", "a")
    assert "Version 1 is the champion from revision 2 on" in run("promote", "1")
    assert "already" in run("promote", "1")
    assert read(stack.bus, "xray").revision == 2


def test_releasing_again_gives_the_same_version_and_writes_nothing(champion_1: Stack) -> None:
    revision = read(champion_1.bus, "xray").revision
    assert json.loads(run("release", "--line", "b", "--json"))["version"] == 2
    assert read(champion_1.bus, "xray").revision == revision


def test_a_release_that_answers_something_else_than_when_exported_is_refused(stack: Stack) -> None:
    stack.serving.versions[1] = model(0.26)
    with pytest.raises(Refused, match="golden outputs"):
        run("release", "--line", "a")
    with pytest.raises(Refused, match="golden outputs"):
        run("promote", "1")


def test_the_whole_way_from_experiment_to_rollback(champion_1: Stack, tmp_path: Path) -> None:
    told = run("experiment", "start", "b-against-a", "--arm", "b=2", "--cases", "50")
    assert "b (version 2) against version 1, shadow, 100% of patients" in told
    champion_1.predict(60, "b-against-a")
    with pytest.raises(Refused, match=r"Received: 0 in champion, 0 in b.*\(2\) One label"):
        run("promote", "b")
    assert "Recorded 60 images, reference" in run("feedback", "import", reads(tmp_path, 60))
    status = json.loads(run("experiment", "status", "--json"))
    assert status["arms"]["b"]["missing"] == []
    assert status["arms"]["b"]["comparison"]["cases"] == {"champion": 50, "b": 50}
    assert "Promote it with: chexnet promote b" in run("experiment", "status")
    assert json.loads(run("promote", "b", "--json"))["champion"] == 2
    assert "Version 1 is the champion again" in run("rollback", "--reason", "It was a test.")
    entries = json.loads(run("audit", "--after", "3", "--json"))
    assert [e["action"] for e in entries] == ["start", "watched", "promote", "rollback"]
    assert entries[2]["evidence"]["read_to"]["feedback/0"] >= 0
    assert "(unverified)" in run("audit")


def test_a_line_that_there_is_not_is_refused_by_those_that_there_are(champion_1: Stack) -> None:
    champion_1.train("own", 0.25)
    champion_1.serving.versions[3] = model(0.25)
    with pytest.raises(NotFound, match=r"one that there is: a, b\. Received: 'zz'"):
        run("release", "--line", "zz")
    run("release", "--line", "own")  # It is trained without a pipeline, and is known by its repo.
    with pytest.raises(NotFound, match=r"a, b, own\. Received: 'zz'"):
        run("release", "--line", "zz")


def test_after_an_experiment_the_last_one_and_its_report_are_named(champion_1: Stack) -> None:
    with pytest.raises(Refused, match="Start one with"):
        run("experiment", "status")
    for name in ("first", "second"):
        run("experiment", "start", name, "--arm", "b=2")
        run("experiment", "stop")
    for asked in (("status",), ("report", "x.png")):
        with pytest.raises(Refused, match=r"second, has ended: stopped.*--experiment second$"):
            run("experiment", *asked)


def test_a_version_in_no_experiment_is_refused_and_told_how(champion_1: Stack) -> None:
    with pytest.raises(Refused, match=r"beside no arms.*experiment start NAME --arm NAME=2"):
        run("promote", "2")
    with pytest.raises(Refused, match="must say why"):
        run("promote", "2", "--force")
    run("promote", "2", "--force", "--reason", "Version 1 can't read lateral films.")
    assert list(decisions.history(champion_1.bus, "xray"))[-1].forced


def test_a_version_without_an_evaluation_is_promoted_when_it_has_one(stack: Stack) -> None:
    stack.train("c", 0.25, metrics={})
    run("release", "--line", "c")
    with pytest.raises(Refused, match=r"must have an evaluation.*chexnet evaluate 1 --on"):
        run("promote", "1")
    evaluated(stack.store, release(stack.store, 1), {"data": "d", "macro_auroc": {"value": 0.8}})
    run("release", "--line", "c")  # Releasing again repairs, and forgets nothing.
    assert json.loads(run("promote", "1", "--json"))["champion"] == 1


def test_an_unknown_version_is_not_promoted(champion_1: Stack) -> None:
    with pytest.raises(NotFound, match=r"there are 1, 2\. Received: 7"):
        run("promote", "7")


def test_rollback_asks_no_store(champion_1: Stack) -> None:
    run("promote", "2", "--force", "--reason", "A test.")
    champion_1.store = None
    assert json.loads(run("rollback", "--json"))["champion"] == 1


def test_a_split_by_macro_auroc_keeps_its_exposure(champion_1: Stack) -> None:
    run("experiment", "start", "e", "--arm", "b=2", "--design", "split")
    with pytest.raises(Refused, match=r"keeps its exposure.*Received: 0\.8 after 0\.5"):
        run("experiment", "expose", "0.8")
    with pytest.raises(ConfigError, match="A canary is decided by brier"):
        run("experiment", "start", "f", "--arm", "b=2", "--design", "canary")


def test_a_split_leaves_an_equal_share_to_the_champion(champion_1: Stack) -> None:
    start = ("experiment", "start", "e", "--arm", "b=2", "--design", "split", "--json")
    told = run(*start, "--metric", "brier", "--lag-days", "7")
    assert json.loads(told)["exposure"] == 0.5
    run("experiment", "expose", "0.8")
    assert "version 1 answers everyone" in run("experiment", "stop", "--reason", "enough")
    (held,) = json.loads(run("experiment", "list", "--json"))
    assert (held["name"], held["outcome"], held["reason"]) == ("e", "stopped", "enough")
    assert "stopped" in run("experiment", "list")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("experiment", "start", "e", "--arm", "b"), "An arm must be NAME=VERSION"),
        (("promote", "c"), "must be a number or an arm"),
        (("experiment", "plan", "--difference", "-0.1"), "must exceed the margin"),
        (("feedback", "add", "i0", "--reader", "r", "--present", "Flu"), "Received: Flu"),
        (("feedback", "add", "i0", "--reader", "r"), "at least one finding"),
    ],
)
def test_wrong_usage_says_what_is_allowed(
    champion_1: Stack, argv: tuple[str, ...], complaint: str
) -> None:
    result = CliRunner().invoke(app, [*argv], env={"COLUMNS": "400", "NO_COLOR": "1"})
    assert result.exit_code == 2
    assert complaint in result.output


def test_one_images_findings_with_the_rest_absent(champion_1: Stack) -> None:
    champion_1.predict(1, "e")
    told = run("feedback", "add", "i0", "--reader", "jd", "--present", "Mass", "--absent", "rest")
    assert "Recorded 14 findings of image i0, blinded." in told
    with pytest.raises(NotFound, match=r"'nowhere'.*chexnet upload"):
        run("feedback", "add", "nowhere", "--reader", "jd", "--present", "Mass")


def test_a_table_of_unknown_images_is_refused_and_of_some_is_told(
    champion_1: Stack, tmp_path: Path
) -> None:
    table = reads(tmp_path, 3)
    with pytest.raises(NotFound, match="none of its 3 rows"):
        run("feedback", "import", table)
    champion_1.predict(2, "e")
    told = json.loads(run("feedback", "import", table, "--json"))
    assert told == {"recorded": 2, "known": 0, "unknown": ["i2"]}
    again = run("feedback", "import", table)
    assert "Recorded 0 images" in again
    assert "2 were on record already, with the same findings." in again


def test_without_the_folder_of_models_nothing_is_released(stack: Stack) -> None:
    serving = ServingSettings(replicas="memory")
    stack.settings = stack.settings.model_copy(update={"serving": serving})
    with pytest.raises(ConfigError, match="CHEXNET_SERVING__MODELS"):
        run("release", "--line", "a")


def test_the_plan_says_how_many_cases(stack: Stack) -> None:
    numbers = json.loads(run("experiment", "plan", "--json"))
    assert 0 < numbers["shadow"] < numbers["split"]


FILE = """
schema = "experiment-file/1"
name = "b-against-a"
arms = { b = 2 }
metric = "brier"
cases = 40
lag_days = 0.001
[expected]
difference = 0.2
spread = 0.3
"""


def test_an_experiment_is_checked_planned_and_started_from_a_file(
    champion_1: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "e.toml"
    file.write_text(FILE)
    told = run("experiment", "validate", str(file))
    assert "against the champion, shadow, 100% of patients, to be decided at any look" in told
    assert json.loads(run("experiment", "validate", str(file), "--json"))["cases"] == 40
    planned = run("experiment", "plan", str(file))
    assert re.search(r"shadow: \d\d patients in each arm for 80% power\.\nWith .* 40", planned)
    told = run("experiment", "start", str(file))
    assert "b (version 2) against version 1, shadow" in told
    experiment = read(champion_1.bus, "xray").experiment
    assert (experiment.metric, experiment.min_cases) == ("brier", 40)


def test_options_beside_a_file_are_refused(champion_1: Stack, tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    file.write_text(FILE)
    result = CliRunner().invoke(app, ["experiment", "start", str(file), "--cases", "9"])
    assert result.exit_code == 2
    assert "Write it into the file" in " ".join(result.output.replace("│", " ").split())


def test_a_share_may_stay_on_the_previous_champion_until_it_is_ended(champion_1: Stack) -> None:
    assert "Nobody is held back" in run("holdback")
    forced = ("--force", "--reason", "A test.", "--holdback", "0.05")
    assert "5% of patients stay on version 1." in run("promote", "2", *forced)
    assert "5% of patients stay on version 1, the others have version 2." in run("holdback")
    assert "Version 2 answers everyone" in run("holdback", "--end", "--reason", "Seen enough.")
    assert read(champion_1.bus, "xray").holdback is None
    assert json.loads(run("audit", "--json"))[-1]["action"] == "holdback"
