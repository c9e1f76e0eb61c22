"""Topics are defined once: their names, and what stands in the documentation."""

from __future__ import annotations

from pathlib import Path

import yaml
from jinja2.nativetypes import NativeEnvironment

from chexnet import topics
from chexnet.inputs.base import Limits

ROOT = Path(__file__).parents[2]


def test_every_topic_has_a_name_of_its_own() -> None:
    names = [t.name for t in topics.EVERY]
    assert len(names) == len(set(names))


def test_a_pipeline_prefixes_its_topics() -> None:
    assert topics.UPLOADS.full_name("xray") == "xray.uploads"
    assert topics.UPLOADS.dlq.full_name("xray") == "xray.uploads.dlq"


def test_control_is_compacted_and_the_audit_is_kept_for_ever_in_one_order() -> None:
    assert topics.CONTROL.compacted
    assert topics.AUDIT.retention is None
    assert topics.AUDIT.partitions == topics.CONTROL.partitions == 1


def test_dead_letters_outlive_what_they_were_made_of() -> None:
    for topic in topics.WITH_DLQ:
        if topic.retention and topic is not topics.FEEDBACK:
            assert (topic.dlq.retention or 0) > topic.retention


def test_the_broker_takes_what_the_largest_image_becomes() -> None:
    role = yaml.safe_load((ROOT / "roles/kafka/defaults/main.yml").read_text())
    message = NativeEnvironment().from_string(role["kafka_message_bytes"])
    for encoded in (2**20 + 1, 32 * 2**20):
        room = message.render(kafka_encoded_bytes=encoded)
        assert room > Limits(encoded_bytes=encoded).cleaned_bytes + 64 * 2**10
