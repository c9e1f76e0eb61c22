"""Ansible module: what users may do on the broker is what chexnet/rights.py says."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import KafkaError

from chexnet.adapters.kafka.connection import Connection
from chexnet.errors import ChexnetError
from chexnet.rights import ROLES, Right, rights
from chexnet.settings import KafkaSettings

DOCUMENTATION = r"""
module: kafka_acls
short_description: Allow the users what they may do, and nothing else
description:
  - Who may do what stands in chexnet/rights.py.
  - What a user of that table has beyond it is taken away.
  - Rights of other users are left alone.
options:
  connection: {type: dict, required: true, description: "As CHEXNET_KAFKA__; of a super user."}
  pipelines: {type: list, elements: str, required: true, description: The pipelines' names.}
  timeout: {type: int, default: 60, description: Seconds to wait for the broker.}
"""
EXAMPLES = r"""
- name: Say who may do what
  kafka_acls:
    connection: "{{ kafka_connection }}"
    pipelines: [xray]
"""
RETURN = r"""
allowed: {type: list, elements: str, returned: always, description: Rights that were missing.}
revoked: {type: list, elements: str, returned: always, description: Rights that were too many.}
"""


def acl(right: Right) -> ACL:
    """Return `right` as the broker keeps it."""
    pattern = ACLResourcePatternType.PREFIXED if right.prefix else ACLResourcePatternType.LITERAL
    return ACL(
        principal=f"User:{right.user}",
        host="*",
        operation=ACLOperation[right.operation.upper()],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(ResourceType[right.kind.upper()], right.name, pattern),
    )


def found(admin: KafkaAdminClient, user: str) -> set[ACL]:
    """Return what the broker lists of one user."""
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    wanted = ACLFilter(f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
    listed, _ = admin.describe_acls(wanted)
    return set(listed)


def say(entry: ACL) -> str:
    """Return an entry in words."""
    pattern = entry.resource_pattern
    star = "*" if pattern.pattern_type == ACLResourcePatternType.PREFIXED else ""
    kind, verb = pattern.resource_type.name.lower(), entry.operation.name.lower()
    user = entry.principal.removeprefix("User:")
    return f"{user} {verb} {kind} {pattern.resource_name}{star}"


def run(module: AnsibleModule, admin: KafkaAdminClient) -> dict[str, Any]:
    """Make it so, and return what was done."""
    want = {acl(right) for right in rights(module.params["pipelines"])}
    have = set().union(*(found(admin, user) for user in ROLES))
    missing, extra = want - have, have - want
    if missing and not module.check_mode:
        told = admin.create_acls(list(missing))
        if told["failed"]:
            raise ChexnetError(f"The broker must take rights. Received: {told['failed'][0]}.")
    if extra and not module.check_mode:
        admin.delete_acls(list(extra))
    return {
        "changed": bool(missing or extra),
        "allowed": sorted(map(say, missing)),
        "revoked": sorted(map(say, extra)),
    }


def main() -> None:
    """Run as an Ansible module."""
    options: dict[str, Any] = {
        "connection": {"type": "dict", "required": True},
        "pipelines": {"type": "list", "elements": "str", "required": True},
        "timeout": {"type": "int", "default": 60},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    own = module.params["connection"]
    patience = 2 if module.check_mode else module.params["timeout"]
    try:
        admin = Connection(KafkaSettings(**own), 0).admin(bootstrap_timeout_ms=patience * 1000)
    except (ChexnetError, KafkaError) as error:
        if module.check_mode:  # A fresh machine: nothing is there yet.
            allowed = sorted(say(acl(r)) for r in rights(module.params["pipelines"]))
            module.exit_json(changed=True, allowed=allowed, revoked=[])
        rule = f"The broker must answer its own user at {own['bootstrap']}."
        module.fail_json(msg=f"{rule} Received: {error}. Look at the end of logs/kafka.log.")
    try:
        module.exit_json(**run(module, admin))
    except (ChexnetError, KafkaError) as error:
        module.fail_json(msg=f"The broker at {own['bootstrap']} refused: {error}.")
    finally:
        admin.close()


if __name__ == "__main__":
    main()
