"""Ansible module: fetch locked jars from a Maven repository, without Maven."""

from __future__ import annotations

import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

DOCUMENTATION = r"""
module: maven_jars
short_description: Fetch locked jars from a Maven repository, several at a time
description:
  - A jar comes to a temporary name and gets its own once its SHA-256 is the locked one.
  - community.general.maven_artifact checks the repository's own hash, not a locked one.
options:
  jars: {type: dict, required: true, description: "group:artifact:version to SHA-256."}
  folder: {type: path, required: true, description: Where they go. It is made when missing.}
  repository: {type: str, required: true, description: The repository's base URL.}
  parallel: {type: int, default: 8, description: Downloads at a time.}
"""
EXAMPLES = r"""
- name: Fetch the broker's jars
  maven_jars:
    jars: "{{ kafka_jars }}"
    folder: /srv/kafka/jars
    repository: https://repo.maven.apache.org/maven2
"""
RETURN = r"""
fetched: {type: list, elements: str, returned: always, description: Coordinates that were missing.}
"""

ATTEMPTS = 3
TIMEOUT = 60


class Mismatch(Exception):
    """The repository gave other bytes than were locked."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def split(coordinates: str) -> tuple[str, str]:
    """Return the path of a jar in the repository's layout, and the name of its file."""
    group, artifact, version = coordinates.split(":")
    name = f"{artifact}-{version}.jar"
    return f"{group.replace('.', '/')}/{artifact}/{version}/{name}", name


def fetch(url: str, to: Path, digest: str) -> None:
    """Download `url` to `to`, which appears whole and verified or not at all."""
    with tempfile.NamedTemporaryFile(dir=to.parent, prefix=".part-", delete=False) as part:
        try:
            part.write(open_url(url, timeout=TIMEOUT).read())
            part.flush()
            if (received := sha256(Path(part.name))) != digest:
                raise Mismatch(f"{url} must have SHA-256 {digest}. Received: {received}.")
            Path(part.name).chmod(0o644)
            os.replace(part.name, to)
        finally:
            Path(part.name).unlink(missing_ok=True)


def fetch_patiently(url: str, to: Path, digest: str) -> str | None:
    """Fetch with a few attempts; return what went wrong, in a sentence, or None."""
    problem = None
    for _ in range(ATTEMPTS):
        try:
            return fetch(url, to, digest)
        except Mismatch as error:
            return f"{error} Don't use it; see who changed the repository."
        except OSError as error:  # urllib's errors are too.
            problem = (
                f"{url} could not be fetched: {error}. Set kafka_maven_repository to a mirror."
            )
    return problem


def main() -> None:
    """Run as an Ansible module."""
    options: dict[str, Any] = {
        "jars": {"type": "dict", "required": True},
        "folder": {"type": "path", "required": True},
        "repository": {"type": "str", "required": True},
        "parallel": {"type": "int", "default": 8},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    folder = Path(module.params["folder"])
    base = module.params["repository"].rstrip("/")
    missing: dict[str, tuple[str, Path, str]] = {}
    for coordinates, digest in module.params["jars"].items():
        path, name = split(coordinates)
        if not (folder / name).is_file() or sha256(folder / name) != digest:
            missing[coordinates] = (f"{base}/{path}", folder / name, digest)
    if missing and not module.check_mode:
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(module.params["parallel"]) as pool:
            problems = [
                p for p in pool.map(lambda job: fetch_patiently(*job), missing.values()) if p
            ]
        if problems:
            module.fail_json(msg=problems[0], problems=problems)
    module.exit_json(changed=bool(missing), fetched=sorted(missing))


if __name__ == "__main__":
    main()
