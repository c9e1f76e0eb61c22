"""The table of rights: what DESIGN.md promises of it, whatever topics there are."""

from __future__ import annotations

from chexnet import topics
from chexnet.rights import ROLES, rights


def who(operation: str, topic: topics.Topic) -> set[str]:
    """Return the users that may do it on the bus of one pipeline."""
    name = topic.full_name("xray")
    return {r.user for r in rights(["xray"]) if r.operation == operation and r.name == name}


def test_only_an_operator_writes_control_and_audit() -> None:
    assert who("write", topics.CONTROL) == who("write", topics.AUDIT) == {"operator"}


def test_the_transactions_of_controls_writer_are_the_operators_alone() -> None:
    taken = [r for r in rights(["xray"]) if r.kind == "transactional_id"]
    fits = {
        r.user
        for r in taken
        if r.name == "xray.control" or (r.prefix and "xray.control".startswith(r.name))
    }
    assert fits == {"operator"}


def test_a_reader_writes_feedback_alone() -> None:
    assert ROLES["reader"].writes == (topics.FEEDBACK,)


def test_every_topic_has_a_writer_and_a_reader() -> None:
    for topic in topics.EVERY:
        assert who("write", topic)
        assert who("read", topic)


def test_what_a_user_writes_on_one_pipeline_gives_no_right_on_another() -> None:
    names = {r.name for r in rights(["knee"])}
    assert all(name.startswith("knee.") for name in names)


def test_a_pipeline_whose_name_begins_another_has_no_right_on_it() -> None:
    prefixes = {r.name for r in rights(["xray"]) if r.prefix}
    assert not [p for p in prefixes if "xray2.router.0".startswith(p)]


def test_each_receiver_of_notices_has_offsets_of_its_own_and_no_other_groups() -> None:
    """A group's offsets move in a transaction of its name, and the instance's."""
    ours = [r for r in rights(["xray"]) if r.prefix and "notifier.0123" in f"{r.name}0123"]
    assert {(r.user, r.kind, r.operation) for r in ours} == {
        ("service", "group", "read"),
        ("service", "transactional_id", "write"),
    }
    assert {r.name for r in ours} == {"xray.notifier."}
