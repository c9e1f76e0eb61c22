"""Write jars.lock.yml anew from pom.xml: for whoever upgrades Kafka. Needs Maven; users don't.

.venv/bin/python roles/kafka/files/lock_jars.py
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
LOCK = HERE.parent / "vars/main/jars.lock.yml"
BROKER = "org.apache.kafka:kafka_2.13"
HEAD = "---\n# Made by lock_jars.py from pom.xml. Don't edit: change pom.xml and run it again.\n"
# groupId:artifactId:jar:version:scope:path
LINE = re.compile(r"([\w.-]+):([\w.-]+):jar:([\w.-]+):\w+:(/[^\s\x1b]+\.jar)")


def main() -> None:
    """Resolve the run-time dependencies, and write each jar's coordinates and SHA-256."""
    goals = ["dependency:list", "-DincludeScope=runtime", "-DoutputAbsoluteArtifactFilename=true"]
    maven = ["mvn", "-B", "-f", str(HERE / "pom.xml"), *goals]
    listed = subprocess.run(maven, check=True, capture_output=True, text=True).stdout  # noqa: S603
    locked = {
        f"{group}:{artifact}:{version}": hashlib.sha256(Path(path).read_bytes()).hexdigest()
        for group, artifact, version, path in LINE.findall(listed)
    }
    version = next(name.rpartition(":")[2] for name in locked if name.startswith(f"{BROKER}:"))
    jars = "".join(f"  {name}: {digest}\n" for name, digest in sorted(locked.items()))
    LOCK.write_text(f"{HEAD}kafka_version: {version}\nkafka_jars:\n{jars}")
    print(f"Locked {len(locked)} jars of Kafka {version}.")


if __name__ == "__main__":
    main()
