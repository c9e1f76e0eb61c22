"""Every role says its variables in three places, and they agree."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
import yaml

from tests.playbooks import ROOT

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def load(role: str, path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "roles" / role / path).read_text())
    return loaded


@pytest.mark.parametrize("role", ROLES)
def test_every_argument_has_a_default_and_every_default_an_argument(role: str) -> None:
    arguments = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert set(arguments) == set(load(role, "defaults/main.yml"))


@pytest.mark.parametrize("role", ROLES)
def test_every_default_has_a_comment_above_it(role: str) -> None:
    lines = (ROOT / "roles" / role / "defaults/main.yml").read_text().splitlines()
    bare = [
        line.split(":")[0]
        for above, line in pairwise(lines)
        if re.match(r"\w+:", line) and not above.startswith("# ")
    ]
    assert bare == []


@pytest.mark.parametrize("role", ROLES)
def test_every_argument_is_in_the_readme_of_its_role(role: str) -> None:
    arguments = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    readme = (ROOT / "roles" / role / "README.md").read_text()
    assert [name for name in arguments if f"`{name}`" not in readme] == []


def test_every_playbook_is_in_their_readme() -> None:
    readme = (ROOT / "playbooks/README.md").read_text()
    names = [path.name for path in (ROOT / "playbooks").glob("*.yml")]
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_the_jars_are_locked_with_their_binding_for_logs() -> None:
    lock = load("kafka", "vars/main/jars.lock.yml")
    assert f"org.apache.kafka:kafka_2.13:{lock['kafka_version']}" in lock["kafka_jars"]
    assert any(":log4j-slf4j-impl:" in name for name in lock["kafka_jars"])
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in lock["kafka_jars"].values())
