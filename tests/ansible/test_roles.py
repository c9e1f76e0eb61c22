"""Every role says its variables in three places, and they agree; the compose stacks render."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.playbooks import ROOT, Site

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
STACKS = sorted(path.parts[-3] for path in (ROOT / "roles").glob("*/templates/docker-compose*"))


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


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compose stacks of inventory/docker, as files."""
    state = tmp_path_factory.mktemp("compose") / "state"
    outcome = Site(state).play("site", "-i", "inventory/docker", stack_start=False)
    assert outcome.code == 0, outcome.output
    return state


@pytest.mark.slow
@pytest.mark.parametrize("role", STACKS)
def test_a_compose_stack_gives_its_containers_no_privilege(rendered: Path, role: str) -> None:
    stack = yaml.safe_load((rendered / role / "docker-compose.yml").read_text())
    for name, service in stack["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert not service["image"].endswith(":latest"), name
        assert ":" in service["image"], name
        published = [port for port in service.get("ports", []) if "127.0.0.1" not in port]
        assert not published, name


@pytest.mark.slow
@pytest.mark.parametrize("role", STACKS)
def test_docker_compose_takes_the_rendered_stack(rendered: Path, role: str) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], check=False).returncode:
        pytest.skip("no docker compose here: install it to have the stacks checked by it")
    command = [docker, "compose", "-f", str(rendered / role / "docker-compose.yml"), "config", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
