"""inventory/cluster's shape on one engine: its hosts are folders, ports and containers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.playbooks import PORTS, ROOT, Site, free_ports

BROKERS = ("bus-1", "bus-2", "bus-3")
SERVERS = ("serving-1", "serving-2")
WORK = "work-1"
GROUPS = {
    "kafka": BROKERS,
    "pachyderm": (WORK,),
    "tf_serving": SERVERS,
    "services": (WORK,),
}
NETWORK = "chexnet-cluster"
INSIDE = 19092


def _write(folder: Path, first: int) -> dict[str, dict[str, int]]:
    """Write the inventory; return the ports of each host."""
    names = (*BROKERS, *SERVERS, WORK)
    ports = {
        host: {name: first + len(PORTS) * n + k for k, name in enumerate(PORTS)}
        for n, host in enumerate(names)
    }
    hosts: dict[str, Any] = {
        host: {
            **ports[host],
            "state_dir": str(folder / host),
            "stack_project": f"{NETWORK}-{host}",
            "kafka_alias": host,
            "kafka_controller_host": host,
            "tf_serving_alias": host,
        }
        for host in names
    }
    everybody = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "listen": "127.0.0.1",
        "kafka_host": "127.0.0.1",
        "kafka_inside_port": INSIDE,
        "image_source": "build",
        "stack_network": NETWORK,
        "stack_site_secrets": str(folder / "secrets"),
        "tf_serving_models_folder": str(folder / "models"),
        "services_kafka": ",".join(f"127.0.0.1:{ports[h]['kafka_port']}" for h in BROKERS),
        "services_store": f"127.0.0.1:{ports[WORK]['pachyderm_port']}",
        "services_serving": ",".join(
            f"127.0.0.1:{ports[h]['tf_serving_grpc_port']}" for h in SERVERS
        ),
        "services_inside": {
            "kafka": ",".join(f"{h}:{INSIDE}" for h in BROKERS),
            "store": "pachd:1650",
            "serving": ",".join(f"{h}:8500" for h in SERVERS),
        },
        "pipelines": [
            {"name": "xray", "input": "chest_xray", "port": first + len(PORTS) * len(names)}
        ],
    }
    groups = {group: {"hosts": {host: {} for host in members}} for group, members in GROUPS.items()}
    # As variables of hosts: those beat the group_vars of inventory/cluster.
    hosts = {host: {**everybody, **own} for host, own in hosts.items()}
    inventory = {"all": {"hosts": hosts, "children": groups}}
    (folder / "inventory").mkdir()
    (folder / "inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
    (folder / "inventory/group_vars").symlink_to(ROOT / "inventory/cluster/group_vars")
    return ports


@contextmanager
def cluster() -> Iterator[Site]:
    """Yield the cluster's site, whose state is that of the host that works; not up yet."""
    count = len(PORTS) * (len(BROKERS) + len(SERVERS) + 1) + 10
    folder = Path(tempfile.mkdtemp(prefix="chexnet-"))
    _write(folder, free_ports(count))
    site = Site(folder / WORK, {"state_dir": None}, str(folder / "inventory"))
    try:
        yield site
    finally:
        site.play("destroy", purge=True)
        shutil.rmtree(folder, ignore_errors=True)
