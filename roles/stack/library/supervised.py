"""Ansible module: one supervisord and its programs are as their config files say."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from ansible.module_utils.basic import AnsibleModule
from supervisor.xmlrpc import SupervisorTransport

DOCUMENTATION = r"""
module: supervised
short_description: Start, restart or stop the programs of one supervisord, and the daemon itself
description:
  - community.general.supervisorctl lets a program go on with its old configuration, and fails in
    check mode on a fresh machine. This module applies what changed, restarts nothing else, checks
    the ports of what it starts, and waits until it runs.
options:
  config: {type: path, required: true, description: The supervisord.conf.}
  socket: {type: path, required: true, description: The Unix socket that it names.}
  supervisord: {type: path, required: true, description: The program.}
  logs: {type: path, required: true, description: "The folder of <program>.log, to quote from."}
  state: {type: str, choices: [started, stopped], default: started, description: The aim.}
  programs: {type: list, elements: str, default: [], description: "Which. None: stop the daemon."}
  ports: {type: list, elements: dict, default: [], description: "program, host, port, variable."}
  timeout: {type: int, default: 60, description: Seconds to wait for one thing.}
"""
EXAMPLES = r"""
- name: Run the broker
  supervised:
    config: /srv/state/run/supervisord.conf
    socket: /srv/state/run/supervisor.sock
    supervisord: /srv/venv/bin/supervisord
    programs: [kafka]
    ports: [{program: kafka, host: 127.0.0.1, port: 9092, variable: kafka_port}]
    logs: /srv/state/logs
"""
RETURN = r"""
actions: {type: list, elements: str, returned: always, description: What was or would be done.}
"""

UP = {"RUNNING", "STARTING"}
DOWN = {"STOPPED", "EXITED", "FATAL", "UNKNOWN"}


class Failure(Exception):
    """A sentence for the user."""


def wait(done: Callable[[], bool], timeout: float) -> bool:
    """Return whether `done` came true in time."""
    deadline = time.monotonic() + timeout
    while not (finished := done()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return finished


def complaint(host: str, port: int) -> str | None:
    """Return why nobody can listen on `port`; None when it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return None


def tail(logs: str, program: str, lines: int = 15) -> str:
    """Return the end of a program's log."""
    path = Path(logs) / f"{program}.log"
    if not path.is_file():
        return f"It wrote nothing to {path}."
    return "\n".join(
        [f"The end of {path}:", *path.read_text(errors="replace").splitlines()[-lines:]]
    )


class Daemon:
    """One supervisord, by its socket."""

    def __init__(self, path: str, timeout: float) -> None:
        self.path = path
        self.timeout = timeout

    @property
    def rpc(self) -> Any:
        """Its methods, on a new connection: one that was refused once stays broken."""
        transport = SupervisorTransport(None, None, f"unix://{self.path}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def answers(self) -> bool:
        """Return whether it is there, and not on its way out."""
        try:
            return bool(self.rpc.getState()["statename"] == "RUNNING")
        except (OSError, HTTPException, Fault):
            return False

    def states(self) -> dict[str, str]:
        """Return program → state."""
        return {info["name"]: info["statename"] for info in self.rpc.getAllProcessInfo()}

    def apply(self, *, check_mode: bool) -> list[str]:
        """Let changed files take effect: what changed or left them is stopped. Say what was."""
        added, changed, removed = self.rpc.reloadConfig()[0]
        if not check_mode:
            for name in (*changed, *removed):
                self.rpc.stopProcessGroup(name, True)
                self.rpc.removeProcessGroup(name)
            for name in (*added, *changed):
                self.rpc.addProcessGroup(name)
        return [f"stopped {name}" for name in (*changed, *removed)]

    def start(self, idle: list[str], programs: list[str]) -> dict[str, str]:
        """Start the `idle`; return the states of those of `programs` that don't run in time."""
        for name in idle:
            if self.states()[name] == "BACKOFF":  # Between two attempts: no use in waiting.
                self.rpc.stopProcess(name, True)
            self.rpc.startProcess(name, False)

        def settled() -> bool:
            states = {self.states()[name] for name in programs}
            return states == {"RUNNING"} or "FATAL" in states

        wait(settled, self.timeout)
        return {n: s for n, s in self.states().items() if n in programs and s != "RUNNING"}

    def stop(self, programs: set[str]) -> None:
        """Stop `programs`, in the reverse order of their priorities."""
        waves: dict[int, set[str]] = defaultdict(set)
        for config in self.rpc.getAllConfigInfo():
            waves[config["process_prio"]].add(config["name"])
        for _, names in sorted(waves.items(), reverse=True):
            up = {n for n, s in self.states().items() if n in names & programs and s not in DOWN}
            for name in up:
                self.rpc.stopProcess(name, False)

            def stopped(names: set[str] = up) -> bool:
                return all(s in DOWN for n, s in self.states().items() if n in names)

            if not wait(stopped, self.timeout):
                still = ", ".join(sorted(up))
                raise Failure(f"{still} must stop within {self.timeout:g} s. Received: still up.")


def ancestors() -> set[int]:
    """Return this process and those that it comes from."""
    found, pid = set(), os.getpid()
    while pid > 0:
        found.add(pid)
        stat = Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat.rpartition(")")[2].split()[1])
    return found


def orphans(socket_path: str) -> list[int]:
    """Return what a supervisord of this socket started and, killed itself, left behind."""
    mark = f"SUPERVISOR_SERVER_URL=unix://{socket_path}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            marked = mark in (entry / "environ").read_bytes().split(b"\0")
            if marked and os.getpgid(int(entry.name)) == int(entry.name):
                found.append(int(entry.name))
        except OSError:  # Another user's, or gone.
            continue
    return sorted(set(found) - ancestors())


def end(socket_path: str, timeout: float) -> None:
    """End what was left behind, with its children."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        for leader in orphans(socket_path):
            with suppress(ProcessLookupError):
                os.killpg(leader, how)
        if wait(lambda: not orphans(socket_path), timeout):
            return


def start(module: AnsibleModule, daemon: Daemon) -> list[str]:
    """Make the programs run; return what was done."""
    p = module.params
    fresh = not daemon.answers()
    actions = ["started supervisord"] if fresh else daemon.apply(check_mode=module.check_mode)
    if fresh and not module.check_mode:
        end(p["socket"], daemon.timeout)
    states = {} if fresh else daemon.states()
    idle = [name for name in p["programs"] if states.get(name) not in UP]
    for port in p["ports"]:
        why = complaint(port["host"], int(port["port"])) if port["program"] in idle else None
        if why:
            rule = f"{port['variable']} must be a free port of {port['host']}."
            received = f"Received: {port['port']} ({why})."
            raise Failure(f"{rule} {received} Set another, in the inventory or with -e.")
    actions += [f"started {name}" for name in idle]
    if module.check_mode:
        return actions
    if fresh:
        for name in [n for n in os.environ if n.startswith(("CHEXNET_", "SUPERVISOR_"))]:
            del os.environ[name]  # Of the caller's shell, which must not reach the services.
        module.run_command([p["supervisord"], "-c", p["config"]], check_rc=True)
        if not wait(daemon.answers, daemon.timeout):
            rule = f"supervisord must answer within {daemon.timeout:g} s. Received: nothing."
            raise Failure(f"{rule} {tail(p['logs'], 'supervisord')}")
    for name, state in daemon.start(idle, p["programs"]).items():
        raise Failure(f"{name} must stay up. Received: {state}. {tail(p['logs'], name)}")
    return actions


def stop(module: AnsibleModule, daemon: Daemon) -> list[str]:
    """Stop the programs, or everything with the daemon; return what was done."""
    if not daemon.answers():
        left = orphans(module.params["socket"])
        if not module.check_mode:
            end(module.params["socket"], daemon.timeout)
        return [f"stopped process {pid}" for pid in left]
    named = module.params["programs"]
    states = daemon.states()
    up = {n for n, s in states.items() if s not in DOWN and (n in named or not named)}
    actions = [f"stopped {name}" for name in sorted(up)]
    if not module.check_mode:
        daemon.stop(up)
    if named:
        return actions
    if not module.check_mode:
        pid = daemon.rpc.getPID()
        daemon.rpc.shutdown()
        if not wait(lambda: not Path(f"/proc/{pid}").exists(), daemon.timeout):
            raise Failure(f"supervisord must end within {daemon.timeout:g} s. Received: still up.")
        end(module.params["socket"], daemon.timeout)
    return [*actions, "stopped supervisord"]


def main() -> None:
    """Run as an Ansible module."""
    options: dict[str, Any] = {
        "config": {"type": "path", "required": True},
        "socket": {"type": "path", "required": True},
        "supervisord": {"type": "path", "required": True},
        "logs": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
        "programs": {"type": "list", "elements": "str", "default": []},
        "ports": {"type": "list", "elements": "dict", "default": []},
        "timeout": {"type": "int", "default": 60},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    daemon = Daemon(module.params["socket"], module.params["timeout"])
    try:
        actions = (start if module.params["state"] == "started" else stop)(module, daemon)
    except Failure as error:
        module.fail_json(msg=str(error))
    except Fault as error:
        module.fail_json(msg=f"supervisord refused: {error.faultString}.")
    module.exit_json(changed=bool(actions), actions=actions)


if __name__ == "__main__":
    main()
