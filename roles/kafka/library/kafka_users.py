"""Ansible module: the users that may log in to the broker, by the passwords in their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from kafka import KafkaAdminClient
from kafka.admin import UserScramCredentialUpsertion
from kafka.errors import KafkaError, SaslAuthenticationFailedError

from chexnet.adapters.kafka.connection import Connection
from chexnet.errors import ChexnetError
from chexnet.settings import KafkaSettings

DOCUMENTATION = r"""
module: kafka_users
short_description: Let users log in by the passwords in their files
description:
  - Each user logs in. The password of one who can't is set; so a changed file is found.
  - A password leaves this module only as SCRAM's salted hash, over TLS.
options:
  connection: {type: dict, required: true, description: "As CHEXNET_KAFKA__; of a super user."}
  users: {type: dict, required: true, description: User to the file with the password.}
  mechanism: {type: str, default: SCRAM-SHA-512, description: How they show it.}
  timeout: {type: int, default: 60, description: Seconds to wait for the broker.}
"""
EXAMPLES = r"""
- name: Let the users in
  kafka_users:
    connection:
      bootstrap: 127.0.0.1:9092
      security: sasl_ssl
      mechanism: PLAIN
      user: broker
      password_file: /srv/state/secrets/kafka-broker.password
      ca_file: /srv/state/secrets/tls/ca.crt
    users: {reader: /srv/state/secrets/kafka-reader.password}
"""
RETURN = r"""
altered: {type: list, elements: str, returned: always, description: Whose password was set.}
"""


def can_log_in(settings: KafkaSettings, timeout: int) -> bool:
    """Return whether the broker knows the user by the password."""
    try:
        Connection(settings, 0).admin(bootstrap_timeout_ms=timeout * 1000).close()
    except SaslAuthenticationFailedError:
        return False
    return True


def let_in(admin: KafkaAdminClient, users: dict[str, Path], mechanism: str) -> None:
    """Set their passwords; raise ChexnetError with the broker's words."""
    told = admin.alter_user_scram_credentials(
        [
            UserScramCredentialUpsertion(u, mechanism, f.read_text().strip())
            for u, f in users.items()
        ]
    )
    for user, error in told.items():
        if error is not None:
            raise ChexnetError(f"The broker must take the password of {user}. Received: {error}.")


def main() -> None:
    """Run as an Ansible module."""
    options: dict[str, Any] = {
        "connection": {"type": "dict", "required": True},
        "users": {"type": "dict", "required": True},
        "mechanism": {"type": "str", "default": "SCRAM-SHA-512"},
        "timeout": {"type": "int", "default": 60},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    own, users = module.params["connection"], module.params["users"]
    patience = 2 if module.check_mode else module.params["timeout"]
    try:
        admin = Connection(KafkaSettings(**own), 0).admin(bootstrap_timeout_ms=patience * 1000)
    except (ChexnetError, KafkaError) as error:
        if module.check_mode:  # A fresh machine: nothing is there yet.
            module.exit_json(changed=True, altered=sorted(users))
        rule = f"The broker must answer its own user at {own['bootstrap']}."
        module.fail_json(msg=f"{rule} Received: {error}. Look at the end of logs/kafka.log.")
    try:
        theirs = {
            user: KafkaSettings(
                **{
                    **own,
                    "user": user,
                    "password_file": file,
                    "mechanism": module.params["mechanism"],
                }
            )
            for user, file in users.items()
        }
        new = {u: Path(users[u]) for u, s in sorted(theirs.items()) if not can_log_in(s, patience)}
        if new and not module.check_mode:
            let_in(admin, new, module.params["mechanism"])
        module.exit_json(changed=bool(new), altered=list(new))
    except (ChexnetError, KafkaError, OSError) as error:
        module.fail_json(msg=str(error))
    finally:
        admin.close()


if __name__ == "__main__":
    main()
