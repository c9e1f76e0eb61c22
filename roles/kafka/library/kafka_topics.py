"""Ansible module: the topics of every pipeline are as chexnet/topics.py defines them."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from chexnet.adapters.kafka.connection import Connection
from chexnet.errors import ChexnetError
from chexnet.inputs.base import Limits
from chexnet.settings import KafkaSettings
from chexnet.topics import DAY, EVERY, RECORD_BYTES, Topic

DOCUMENTATION = r"""
module: kafka_topics
short_description: Create the topics of every pipeline, and set what differs
description:
  - What topics there are stands in chexnet/topics.py, for code and broker alike.
  - The number of partitions is not changed, since that would move patients between them.
options:
  connection: {type: dict, required: true, description: "As CHEXNET_KAFKA__."}
  pipelines: {type: list, elements: str, required: true, description: The pipelines' names.}
  encoded_bytes: {type: int, required: true, description: The largest encoded image.}
  replication: {type: int, default: 1, description: Copies of each partition.}
  timeout: {type: int, default: 30, description: Seconds to wait for the broker.}
"""
EXAMPLES = r"""
- name: Make the topics
  kafka_topics:
    connection: {bootstrap: "127.0.0.1:9092"}
    pipelines: [xray]
    encoded_bytes: 33554432
"""
RETURN = r"""
created: {type: list, elements: str, returned: always, description: Topics that were missing.}
altered: {type: dict, returned: always, description: "Topic to the settings that differed."}
"""

ENVELOPE = 64 * 2**10  # Key, headers and the batch around one value.
CHECK = "platform.check"  # Where kafka_echo writes.


class Failure(Exception):
    """A sentence for the user."""


def settings(topic: Topic, encoded_bytes: int) -> dict[str, str]:
    """Return the broker's settings of a topic; values are text, as the broker gives them back."""
    cleaned = Limits(encoded_bytes=encoded_bytes).cleaned_bytes
    largest = cleaned if topic.carries == "upload" else RECORD_BYTES
    return {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "max.message.bytes": str(largest + ENVELOPE),
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(-1 if topic.retention is None else topic.retention * 1000),
        # Only closed segments are deleted: a day each, or records would stay a week longer.
        "segment.ms": str(DAY * 1000),
    }


def wanted(pipelines: list[str], encoded_bytes: int) -> dict[str, tuple[int, dict[str, str]]]:
    """Return each topic's full name, its partitions and its settings."""
    check = Topic(name=CHECK, schemas=(), partitions=1, retention=3600)
    topics = {
        topic.full_name(pipeline): (topic.partitions, settings(topic, encoded_bytes))
        for pipeline in pipelines
        for topic in EVERY
    }
    return {**topics, CHECK: (1, settings(check, encoded_bytes))}


def differences(
    admin: KafkaAdminClient, topics: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """Return topic → the settings that the broker has otherwise."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, n, list(s)) for n, s in topics.items()]
    found = admin.describe_configs(resources, config_filter="all").get("topic", {})
    different = {
        name: {k: v for k, v in want.items() if str(found[name][k]["value"]) != v}
        for name, want in topics.items()
    }
    return {name: changes for name, changes in different.items() if changes}


def wait_for(admin: KafkaAdminClient, brokers: int, timeout: float) -> None:
    """Wait until so many brokers have joined the cluster: a topic's copies lie on as many."""
    deadline = time.monotonic() + timeout
    while (there := len(admin.describe_cluster()["brokers"])) < brokers:
        if time.monotonic() > deadline:
            rule = f"{brokers} brokers must join within {timeout:g} s, one for each copy."
            raise Failure(f"{rule} Received: {there}. Look at the logs of those that are missing.")
        time.sleep(0.2)


def run(module: AnsibleModule, admin: KafkaAdminClient) -> dict[str, Any]:
    """Make it so, and return what was done."""
    topics = wanted(module.params["pipelines"], module.params["encoded_bytes"])
    there = {t["name"]: len(t["partitions"]) for t in admin.describe_topics()}
    for name in sorted(topics.keys() & there.keys()):
        if there[name] != topics[name][0]:
            rule = f"{name} must have {topics[name][0]} partitions. Received: {there[name]}."
            raise Failure(f"{rule} Make it anew under another pipeline name: keys would move.")
    missing = sorted(topics.keys() - there.keys())
    old = {name: topics[name][1] for name in sorted(topics.keys() & there.keys())}
    altered = differences(admin, old) if old else {}
    if missing and not module.check_mode:
        copies = module.params["replication"]
        wait_for(admin, copies, module.params["timeout"])
        new = {
            name: {
                "num_partitions": topics[name][0],
                "replication_factor": copies,
                "configs": topics[name][1],
            }
            for name in missing
        }
        admin.create_topics(new, wait_for_metadata=True)
    if altered and not module.check_mode:
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, n, s) for n, s in altered.items()]
        )
    return {"changed": bool(missing or altered), "created": missing, "altered": altered}


def main() -> None:
    """Run as an Ansible module."""
    options: dict[str, Any] = {
        "connection": {"type": "dict", "required": True},
        "pipelines": {"type": "list", "elements": "str", "required": True},
        "encoded_bytes": {"type": "int", "required": True},
        "replication": {"type": "int", "default": 1},
        "timeout": {"type": "int", "default": 30},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    own = module.params["connection"]
    address = own["bootstrap"]
    patience = 2 if module.check_mode else module.params["timeout"]
    try:
        admin = Connection(KafkaSettings(**own), 0).admin(bootstrap_timeout_ms=patience * 1000)
    except (ChexnetError, KafkaError) as error:
        if module.check_mode:  # A fresh machine: nothing is there yet.
            topics = wanted(module.params["pipelines"], module.params["encoded_bytes"])
            module.exit_json(changed=True, created=sorted(topics), altered={})
        module.fail_json(msg=f"A broker must answer at {address}. Received: {error}.")
    try:
        module.exit_json(**run(module, admin))
    except Failure as error:
        module.fail_json(msg=str(error))
    except KafkaError as error:
        module.fail_json(msg=f"The broker at {address} refused: {error}.")
    finally:
        admin.close()


if __name__ == "__main__":
    main()
