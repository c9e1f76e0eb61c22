"""Ansible module: wait until every service of a stack says that it is healthy."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

DOCUMENTATION = r"""
module: healthy
short_description: Wait until each of several URLs answers 200
description:
  - ansible.builtin.uri asks one after the other, and writes a line of failure for every attempt.
  - What a service says while it is not healthy is its reason; the error quotes it.
options:
  services: {type: list, elements: dict, required: true, description: "Each with name and url."}
  timeout: {type: int, default: 60, description: Seconds to wait for all of them.}
  logs: {type: path, required: true, description: Where to look when it takes too long.}
  required: {type: bool, default: true, description: False looks once, and does not fail.}
"""
EXAMPLES = r"""
- name: Wait for TensorBoard
  healthy:
    services: [{name: tensorboard, url: "http://127.0.0.1:6006/data/environment"}]
    logs: /srv/state/logs
"""
RETURN = r"""
seconds: {type: float, returned: success, description: How long it took.}
complaints: {type: dict, returned: success, description: What each that is not healthy says.}
"""


def complaint(url: str) -> str | None:
    """Return what is wrong at `url` now; None where it answers 200."""
    try:
        open_url(url, timeout=5, use_proxy=False).close()
    except HTTPError as error:
        said = error.read(500).decode(errors="replace").strip()
        return f"{error.code} {said}" if said else str(error.code)
    except OSError as error:
        return str(getattr(error, "reason", error))
    return None


def main() -> None:
    """Run as an Ansible module."""
    options: dict[str, Any] = {
        "services": {"type": "list", "elements": "dict", "required": True},
        "timeout": {"type": "int", "default": 60},
        "logs": {"type": "path", "required": True},
        "required": {"type": "bool", "default": True},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=False)
    began = time.monotonic()
    waiting = list(module.params["services"])
    timeout, logs = module.params["timeout"], module.params["logs"]
    with ThreadPoolExecutor(8) as pool:
        while waiting:
            answers = list(pool.map(lambda service: complaint(service["url"]), waiting))
            wrong = [(s, said) for s, said in zip(waiting, answers, strict=True) if said]
            if not module.params["required"]:
                complaints = {service["name"]: said for service, said in wrong}
                module.exit_json(changed=False, seconds=0.0, complaints=complaints)
            if wrong and time.monotonic() > began + timeout:
                service, said = wrong[0]
                others = "" if len(wrong) == 1 else f" So wait {len(wrong) - 1} others."
                rule = f"{service['name']} must be healthy within {timeout} s. Received: {said}."
                module.fail_json(msg=f"{rule}{others} See {logs}/{service['name']}.log.")
            waiting = [service for service, _ in wrong]
            time.sleep(0.1 if waiting else 0)
    module.exit_json(changed=False, seconds=round(time.monotonic() - began, 1), complaints={})


if __name__ == "__main__":
    main()
