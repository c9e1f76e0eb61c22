"""Ansible module: ask the broker for what it is there for."""

from __future__ import annotations

import time
import uuid
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from kafka import TopicPartition
from kafka.errors import KafkaError

from chexnet.adapters.kafka.connection import Connection
from chexnet.errors import ChexnetError
from chexnet.settings import KafkaSettings

DOCUMENTATION = r"""
module: kafka_echo
short_description: Write a record and read it back
description: A broker that opens its port, but does not store and give back records, fails here.
options:
  connection: {type: dict, required: true, description: "As CHEXNET_KAFKA__."}
  topic: {type: str, default: platform.check, description: "One partition, short retention."}
  timeout: {type: int, default: 30, description: Seconds to wait for the record.}
"""
EXAMPLES = r"""
- name: Write a record and read it back
  kafka_echo:
    connection: {bootstrap: "127.0.0.1:9092"}
"""
RETURN = r"""
milliseconds: {type: float, returned: success, description: From the write to the read.}
"""


def echo(connection: Connection, topic: str, timeout: float) -> float | None:
    """Return the milliseconds that a record took there and back; None if it did not come back."""
    sent = uuid.uuid4().bytes
    producer = connection.producer()
    consumer = connection.consumer(group_id=None, fetch_max_wait_ms=50)
    try:
        began = time.monotonic()
        at = producer.send(topic, sent).get(timeout).offset
        place = TopicPartition(topic, 0)
        consumer.assign([place])
        consumer.seek(place, at)
        while time.monotonic() < began + timeout:
            for record in consumer.poll(timeout_ms=500).get(place, []):
                if record.value == sent:
                    return (time.monotonic() - began) * 1000
    finally:
        consumer.close()
        producer.close()
    return None


def main() -> None:
    """Run as an Ansible module."""
    options: dict[str, Any] = {
        "connection": {"type": "dict", "required": True},
        "topic": {"type": "str", "default": "platform.check"},
        "timeout": {"type": "int", "default": 30},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=False)
    own, timeout = module.params["connection"], module.params["timeout"]
    address = own["bootstrap"]
    try:
        connection = Connection(KafkaSettings(**own), 0)
        milliseconds = echo(connection, module.params["topic"], timeout)
    except (ChexnetError, KafkaError) as error:
        module.fail_json(msg=f"{address} must take a record. Received: {error}.")
    if milliseconds is None:
        rule = f"{address} must give a record back within {timeout} s."
        module.fail_json(msg=f"{rule} Received: nothing. Look at the end of logs/kafka.log.")
    module.exit_json(changed=False, milliseconds=round(milliseconds, 1))


if __name__ == "__main__":
    main()
