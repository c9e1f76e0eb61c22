"""What site.yml, status.yml and destroy.yml promise, seen on a platform of the test's own."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE
from xmlrpc.client import ServerProxy

import pytest
from supervisor.xmlrpc import SupervisorTransport

from tests.playbooks import Site, temporary_site

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def processes(site: Site) -> dict[str, dict[str, object]]:
    transport = SupervisorTransport(None, None, f"unix://{site.state}/run/supervisor.sock")
    proxy = ServerProxy("http://127.0.0.1", transport=transport)
    return {info["name"]: info for info in proxy.supervisor.getAllProcessInfo()}


def wait(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.1)


def test_a_second_run_changes_nothing_and_shows_no_secret(site: Site) -> None:
    outcome = site.play("site", "-vvv", "--diff")
    assert outcome.code == 0, outcome.output
    assert outcome.changed == []
    secrets = [path.read_text().strip() for path in (site.state / "secrets").iterdir()]
    assert not [secret for secret in secrets if secret in outcome.output]
    logs = "".join(p.read_text(errors="replace") for p in (site.state / "logs").iterdir())
    assert not [secret for secret in secrets if secret in logs]


def test_a_check_of_a_running_platform_finds_nothing_to_change(site: Site) -> None:
    outcome = site.play("site", "--check")
    assert outcome.code == 0, outcome.output
    assert outcome.changed == []


def test_a_check_of_a_fresh_machine_succeeds_and_makes_nothing() -> None:
    with temporary_site("xray") as fresh:
        outcome = fresh.play("site", "--check")
        assert outcome.code == 0, outcome.output
        assert "Run kafka" in " ".join(outcome.changed)
        assert not fresh.state.exists()


def test_a_taken_port_is_an_error_that_names_its_variable() -> None:
    with temporary_site("xray") as fresh, socket.socket() as taker:
        taker.bind(("127.0.0.1", fresh.variables["tf_serving_rest_port"]))
        taker.listen()
        outcome = fresh.play("site", "--tags", "tf_serving")
    assert outcome.code != 0
    assert "tf_serving_rest_port must be a free port" in outcome.output
    assert str(fresh.variables["tf_serving_rest_port"]) in outcome.output


def test_pipelines_that_would_share_a_port_are_refused() -> None:
    with temporary_site("xray") as fresh:
        xray = fresh.variables["pipelines"][0]
        second = {"name": "waveform", "input": "waveform", "port": xray["port"] + 3}
        outcome = fresh.play("site", "--tags", "services", "--check", pipelines=[xray, second])
    assert outcome.code != 0
    assert "Each pipeline must have a port of its own" in outcome.output


def test_a_killed_process_comes_back(site: Site) -> None:
    before = processes(site)["tensorboard"]["pid"]
    assert isinstance(before, int)
    os.kill(before, signal.SIGKILL)
    wait(lambda: processes(site)["tensorboard"]["pid"] not in {before, 0})
    wait(lambda: processes(site)["tensorboard"]["statename"] == "RUNNING")


def test_a_changed_variable_restarts_only_what_reads_it(site: Site) -> None:
    before = {name: info["pid"] for name, info in processes(site).items()}
    try:
        outcome = site.play("site", "--tags", "tensorboard", tensorboard_reload=7)
        assert outcome.code == 0, outcome.output
        after = {name: info["pid"] for name, info in processes(site).items()}
        assert [name for name in before if before[name] != after[name]] == ["tensorboard"]
    finally:
        site.play("site", "--tags", "tensorboard")


def test_what_a_killed_supervisord_leaves_behind_is_taken_over(site: Site) -> None:
    pid = int((site.state / "run/supervisord.pid").read_text())
    before = processes(site)["kafka"]["pid"]
    os.kill(pid, signal.SIGKILL)
    site.up()
    assert not Path(f"/proc/{before}").exists()
    assert {info["statename"] for info in processes(site).values()} == {"RUNNING"}


def test_secrets_are_for_their_owner_alone(site: Site) -> None:
    folder = site.state / "secrets"
    files = sorted(path.name for path in folder.iterdir())
    assert files == [
        *("app-gateway.token", "app.token"),
        *("gateway.token", "identity.key", "jupyter.token"),
    ]
    assert S_IMODE(folder.stat().st_mode) == 0o700
    assert {S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_status_shows_every_program(site: Site) -> None:
    outcome = site.play("status")
    assert outcome.code == 0, outcome.output
    assert not [name for name in processes(site) if name not in outcome.output]
    assert outcome.changed == []


def test_destroy_keeps_data_and_purge_leaves_nothing() -> None:
    with temporary_site("xray") as own:
        outcome = own.play("site", "--tags", "kafka,tensorboard")
        assert outcome.code == 0, outcome.output
        pids = [info["pid"] for info in processes(own).values()]
        identity = (own.state / "kafka/data/meta.properties").read_text()

        assert own.play("destroy").code == 0
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        assert (own.state / "kafka/data/meta.properties").read_text() == identity

        assert own.play("site", "--tags", "kafka").code == 0  # It starts again on what it kept.
        assert (own.state / "kafka/data/meta.properties").read_text() == identity
        assert own.play("destroy", purge=True).code == 0
        assert not own.state.exists()


def test_a_deep_state_folder_finds_a_short_place_for_its_socket(tmp_path: Path) -> None:
    with temporary_site("xray") as shallow:
        deep = Site(tmp_path / ("deep-" + "x" * 100) / "state", shallow.variables)
        try:
            outcome = deep.play("site", "--tags", "tensorboard")
            assert outcome.code == 0, outcome.output
        finally:
            assert deep.play("destroy", purge=True).code == 0
        assert not deep.state.exists()
