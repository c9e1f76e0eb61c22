"""The demo: what it waits for before it asks for a promotion, what it prints, how it ends."""

from __future__ import annotations

import shlex
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playbooks import demo, running

CHALLENGER = 2


class Platform:
    """Answers the demo's commands; its guardian needs some looks before it says anything."""

    def __init__(self, looks: int, *, stops: bool) -> None:
        self.looks, self.stops, self.asked = looks, stops, 0

    def __call__(self, *argv: object, check: bool = True) -> Any:
        if argv[0] == "audit":
            return [{"action": "stop", "who": "guardian", "reason": "Guardrail latency: slow."}]
        if argv[0] == "status":
            over = self.stops and self.asked >= self.looks
            return {"control": {"arms": {} if over else {"b": CHALLENGER}}}
        self.asked += 1
        seen = {"images": 205} if self.asked > self.looks and not self.stops else None
        return {"arms": {"b": {"guardrails": {"watched": seen}}}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "time", SimpleNamespace(monotonic=count().__next__))


@pytest.mark.usefixtures("clock")
def test_it_waits_until_the_guardian_has_seen_the_challenger_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform(3, stops=False)
    monkeypatch.setattr(demo, "chexnet", platform)
    assert demo.watched(CHALLENGER)
    assert platform.asked == 4


@pytest.mark.usefixtures("clock")
def test_where_the_guardian_says_nothing_the_gate_is_asked_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform(10_000, stops=False)
    monkeypatch.setattr(demo, "chexnet", platform)
    assert demo.watched(CHALLENGER)
    assert 0 < platform.asked < demo.PATIENCE


@pytest.mark.usefixtures("clock")
def test_an_experiment_that_the_guardian_stops_ends_as_a_refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "chexnet", Platform(2, stops=True))
    assert not demo.watched(CHALLENGER)
    assert demo.stopped() == demo.REFUSED
    assert "Guardrail latency" in capsys.readouterr().out


def test_a_printed_command_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "BIN", tmp_path)
    (tmp_path / "chexnet").write_text("#!/bin/sh\necho '[1]'\n")
    (tmp_path / "chexnet").chmod(0o700)
    out = tmp_path / "made of words.json"
    assert running.chexnet("upload", "--reader", "its [known] findings", "--json", into=out) == [1]
    assert out.read_text() == "[1]\n"
    words = shlex.split(capfd.readouterr().out.replace("$ ", ""))
    assert words == [
        "chexnet",
        "upload",
        "--reader",
        "its [known] findings",
        "--json",
        ">",
        str(out),
    ]


PLAYED = """
PLAY [The bus, and the topics of every pipeline] ****

TASK [kafka : Start it] ****
ok: [localhost]

PLAY RECAP ****
"""


@pytest.fixture
def ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A play that says something, and fails where its variable says so."""
    said = tmp_path / "said"
    said.write_text(PLAYED)
    made = tmp_path / "ansible-playbook"
    made.write_text(f'#!/bin/sh\ncat {said}\ncase "$*" in *bad*) exit 2; esac\n')
    made.chmod(0o700)
    monkeypatch.setattr(running, "BIN", tmp_path)
    return made


def test_a_play_is_told_as_it_goes_on(ansible: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running.play("site", reason="a demo")
    printed, *told = (line.strip() for line in capsys.readouterr().out.splitlines())
    assert shlex.split(printed)[1:] == [
        "ansible-playbook",
        "playbooks/site.yml",
        "-e",
        '{"reason": "a demo"}',
    ]
    assert told == ["The bus, and the topics of every pipeline"]


def test_a_play_that_fails_shows_what_it_said(
    ansible: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        running.play("site", reason="bad")
    assert "TASK [kafka : Start it]" in capsys.readouterr().out


def test_the_last_box_names_the_version_that_answers_and_how_to_promote_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.env"
    names = ("GATEWAY__URL", "JUPYTER_URL", "TENSORBOARD_URL")
    site.write_text("".join(f"CHEXNET_{name}=http://none\n" for name in names))
    monkeypatch.setenv("CHEXNET_ENV_FILE", str(site))
    demo.good_bye(1, CHALLENGER, 431.0)
    told = capsys.readouterr().out
    assert "Version 1 answers now" in told
    assert f"chexnet promote {CHALLENGER} --force --reason" in told
    assert f"What version {CHALLENGER} came from" in told
    assert "chexnet open app" in told
    assert "chexnet open tour" in told
