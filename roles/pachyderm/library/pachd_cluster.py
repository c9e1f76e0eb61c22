"""Ansible module: ask Pachyderm, or what stands in for it, for what it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import grpc
from ansible.module_utils.basic import AnsibleModule
from pachyderm_sdk import Client

from chexnet.adapters import tls

DOCUMENTATION = r"""
module: pachd_cluster
short_description: Ask pachd for its cluster, its version and its projects
description: With the unmodified SDK, so that what answers is what every client will meet.
options:
  address: {type: str, required: true, description: "host:port of pachd."}
  ca_file: {type: path, description: "The authority of its certificate; none: no TLS."}
  timeout: {type: int, default: 60, description: Seconds to wait for it.}
"""
EXAMPLES = r"""
- name: Ask it for its cluster
  pachd_cluster:
    address: 127.0.0.1:30650
"""
RETURN = r"""
cluster: {type: str, returned: success, description: The cluster's id.}
version: {type: str, returned: success, description: The version that it claims.}
projects: {type: list, elements: str, returned: success, description: The projects' names.}
"""


def ask(address: str, ca_file: str | None) -> dict[str, Any]:
    """Return what pachd says of itself."""
    client = Client.from_pachd_address(
        address, root_certs=tls.authority(Path(ca_file) if ca_file else None)
    )
    version = client.get_version()
    return {
        "cluster": client.admin.inspect_cluster().id,
        "version": f"{version.major}.{version.minor}.{version.micro}",
        "projects": sorted(info.project.name for info in client.pfs.list_project()),
    }


def main() -> None:
    """Run as an Ansible module."""
    options: dict[str, Any] = {
        "address": {"type": "str", "required": True},
        "ca_file": {"type": "path"},
        "timeout": {"type": "int", "default": 60},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    address = module.params["address"]
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        try:
            module.exit_json(changed=False, **ask(address, module.params["ca_file"]))
        except (grpc.RpcError, OSError) as error:
            if time.monotonic() > deadline:
                why = error.details() if isinstance(error, grpc.Call) else error
                module.fail_json(msg=f"pachd must answer at {address}. Received: {why}.")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
