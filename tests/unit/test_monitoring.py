"""Rules and dashboards ask only for what the code exports, by labels that it has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from services.model_server import metrics as serving

ROOT = Path(__file__).parents[2]
FILES = ROOT / "roles/monitoring/files"
OF_TARGETS = {"pipeline", "program", "instance", "job", "le"}
OF_PROMETHEUS = {"up": set(), "ALERTS": {"alertstate", "alertname", "severity"}}
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
REQUEST = {"model_name", "API", "entrypoint"}
WORDS = {"by", "or", "and", "unless", "offset"}
NAME = r"[a-zA-Z_:][\w:]*"


def exported() -> dict[str, set[str]]:
    """Return every series that a process of this project exports, with its labels."""
    for folder in ("chexnet", "services"):
        for file in (ROOT / folder).rglob("*.py"):
            if re.search(r"^from prometheus_client", file.read_text(), re.MULTILINE):
                import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    found: dict[str, set[str]] = {}
    for collector in set(REGISTRY._collector_to_names):
        for family in collector.collect():
            for suffix in SUFFIXES.get(family.type, []):
                found[family.name + suffix] = set(getattr(collector, "_labelnames", ()))
    return found | {
        serving.COUNT: {"model_name", "status"},
        **{f"{serving.LATENCY}{suffix}": REQUEST for suffix in SUFFIXES["histogram"]},
        serving.STATE: {"model_name", "version", "state"},
    }


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((FILES / "rules.yml").read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def recorded() -> dict[str, set[str]]:
    """Return what the recording rules make, with the labels that they keep."""
    return {
        rule["record"]: set(re.findall(r"\w+", re.findall(r"by \(([^)]*)\)", rule["expr"])[-1]))
        for rule in rules()
        if "record" in rule
    }


def asked() -> Iterator[tuple[str, str]]:
    """Yield where an expression stands, and the expression."""
    for rule in rules():
        yield rule.get("record") or rule["alert"], rule["expr"]
    for file in sorted((FILES / "dashboards").glob("*.json")):
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            yield from ((f"{file.stem}: {panel['title']}", t["expr"]) for t in panel["targets"])
        for query in board["templating"]["list"]:
            series, label = re.findall(NAME, query["query"]["query"])[1:]
            yield f"{file.stem}: ${query['name']}", f'{series}{{{label}="x"}}'
        for query in board["annotations"]["list"]:
            yield f"{file.stem}: {query['name']}", query["expr"]


def series(expression: str) -> list[tuple[str, set[str]]]:
    """Return the series that an expression names, each with the labels that it asks for."""
    plain = re.sub(r'"[^"]*"|\[[^]]*\]', "", expression)
    plain = re.sub(r"by \([^)]*\)", "", plain)
    plain = re.sub(r"\b\d+[smhd]?\b|\b1e6\b", "", plain)
    found = re.findall(rf"({NAME})\s*(\{{[^}}]*\}}|\(|)", plain)
    return [
        (name, set(re.findall(r"\w+(?=\s*[=!])", rest)))
        for name, rest in found
        if rest != "(" and name not in WORDS
    ]


KNOWN = exported() | recorded() | OF_PROMETHEUS
ASKED = list(asked())


@pytest.mark.parametrize(("where", "expression"), ASKED, ids=[where for where, _ in ASKED])
def test_what_is_asked_for_is_exported_with_these_labels(where: str, expression: str) -> None:
    named = series(expression)
    assert named
    assert [name for name, _ in named if name not in KNOWN] == []
    for name, labels in named:
        assert labels <= KNOWN[name] | OF_TARGETS, name


@pytest.mark.parametrize("rule", [r for r in rules() if "alert" in r], ids=lambda r: r["alert"])
def test_an_alert_says_what_is_wrong_what_to_do_and_how_bad_it_is(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["todo"]
    told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = [KNOWN[name] | OF_TARGETS for name, _ in series(rule["expr"])]
    assert told <= set.intersection(*kept)


def test_every_own_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    """What nobody looks at is not worth exporting."""
    named = {name for _, expression in ASKED for name, _ in series(expression)}
    own = {name for name in exported() if name.startswith("chexnet_")}
    shown = {name for name in own if name in named or name.endswith(("_sum", "_count"))}
    assert own - shown == set()


def test_every_own_metric_and_every_alert_is_documented() -> None:
    docs = (ROOT / "docs/monitoring.md").read_text()
    own = {re.sub("_(bucket|sum|count)$", "", n) for n in exported() if n.startswith("chexnet_")}
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert [name for name in own | alerts if f"`{name}`" not in docs] == []


def test_ids_and_titles_of_dashboards_are_used_once() -> None:
    boards = [json.loads(file.read_text()) for file in (FILES / "dashboards").glob("*.json")]
    assert len({board["uid"] for board in boards}) == len(boards)
    for board in boards:
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool to ask")
def test_promtool_finds_that_alerts_fire_when_they_should() -> None:
    command = ["promtool", "test", "rules", str(ROOT / "tests/ansible/rules_test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
