"""chexnet audit --verify and chexnet history: what they say, print and exit with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from chexnet.adapters.memory import MemoryBus, MemoryStore
from chexnet.cli.desk import Desk
from chexnet.cli.main import app
from chexnet.experiments import chain, decisions
from chexnet.experiments.control import read
from chexnet.experiments.decisions import By
from chexnet.settings import (
    GatewaySettings,
    KafkaSettings,
    ServingSettings,
    Settings,
    StoreSettings,
)
from tests.unit.experiments.test_chain import archive
from tests.unit.experiments.test_champions import COMPARED

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk of a pipeline whose second champion was promoted a day after its first."""
    settings = Settings(
        state=tmp_path,
        kafka=KafkaSettings(bootstrap="none:0"),
        store=StoreSettings(address="none:0"),
        serving=ServingSettings(replicas="memory"),
        gateway=GatewaySettings(url="http://none", token_file=tmp_path / "token"),
    )
    made = Desk(settings=settings, bus=MemoryBus(), store=MemoryStore(), replicas={})
    for version in (1, 2):
        by = By(who="jd", at=START.replace(day=version), reason=f"It is number {version}.")
        decisions.keep(made.bus, "xray", version, by, {})
        evidence = COMPARED if version == 2 else {}
        looked = read(made.bus, "xray")
        decisions.promote(made.bus, looked, version, [], [], evidence, by)

    @contextmanager
    def desk() -> Iterator[Desk]:
        yield made

    monkeypatch.setattr("chexnet.cli.desk.desk", desk)
    return made


def run(*argv: str, columns: int = 200) -> Result:
    return CliRunner().invoke(app, [*argv], env={"COLUMNS": str(columns), "NO_COLOR": "1"})


def test_a_narrow_terminal_cuts_neither_a_time_nor_who_it_was(at: Desk) -> None:
    by = By(who="somebody with quite a long name", at=START.replace(day=3), reason="[why] it was")
    decisions.promote(at.bus, read(at.bus, "xray"), 3, [], [], {}, by)
    for command in ("audit", "history"):
        told = run(command, columns=80).stdout
        assert "2026-03-03 09:00:00" in told
        assert "somebody with quite a long name (unverified)" in told
        assert "[why] it was" in told
        assert "…" not in told
        assert max(map(len, told.splitlines())) <= 80


def test_a_whole_chain_says_its_head_and_finds_it_again(at: Desk) -> None:
    archive(at.bus, at.store)
    head = chain.head(at.store).sha256
    done = run("audit", "--verify")
    told, kept = done.stdout.splitlines()[0], done.stdout.splitlines()[-1]
    assert (done.exit_code, told) == (0, f"4 entries hold. Head: {head}")
    assert kept == f"chexnet audit --verify --head {head}"
    assert "not archived" not in done.stdout
    by = By(who="jd", at=START.replace(day=3))
    decisions.promote(at.bus, read(at.bus, "xray"), 3, [], [], {}, by)
    assert "1 on the bus are not archived yet." in run("audit", "--verify").stdout
    assert run("audit", "--verify", "--head", head.upper()).exit_code == 0


def test_a_head_that_is_not_in_the_chain_is_told(at: Desk) -> None:
    archive(at.bus, at.store)
    done = run("audit", "--verify", "--head", "f" * 64, "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["head"]["number"]) == (1, 4)
    assert told["broken"].endswith("This chain is another one, or was cut short.")


def test_a_broken_chain_exits_with_1_and_names_the_entry(at: Desk) -> None:
    archive(at.bus, at.store)
    files = dict(at.store.fetch("audit", "/data"))
    at.store.write("audit", {p: d.replace(b"jd", b"xx") for p, d in files.items() if "1.json" in p})
    done = run("audit", "--verify")
    assert done.exit_code == 1
    assert "1 entries hold" in done.stdout
    assert "in entry 2, /data/000000000001.json" in done.stderr


def test_a_head_is_only_for_a_check(at: Desk) -> None:
    assert run("audit", "--head", "f" * 64).exit_code == 2


def test_history_says_who_was_champion_and_why(at: Desk) -> None:
    told = run("history").stdout
    assert "version 1" in told
    assert "2026-03-02 09:00:00" in told
    assert "jd (unverified)" in told
    assert told.endswith("What a version came from: chexnet lineage 2\n")


def test_history_on_a_day_is_that_days_with_its_decision_in_full(at: Desk) -> None:
    (only,) = json.loads(run("history", "--on", "2026-03-01", "--json").stdout)
    assert (only["version"], only["until"]) == (1, "2026-03-02T09:00:00Z")
    _, second = json.loads(run("history", "--on", "2026-03-02", "--json").stdout)
    assert second["put_by"]["evidence"]["comparison"] == COMPARED["comparison"]
    assert "No version was champion on 2026-02-28." in run("history", "--on", "2026-02-28").stdout


def test_history_says_who_stayed_on_the_version_before(at: Desk) -> None:
    by = By(who="jd", at=START.replace(day=3))
    decisions.promote(at.bus, read(at.bus, "xray"), 3, [], [], {}, by, 0.05)
    assert "version 3, 5% stayed on 2" in run("history").stdout
