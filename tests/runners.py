"""A services/pipeline_runner of the tests' own, as a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


class Runner:
    """The worker of one project's pipelines; it can be killed, and started again."""

    def __init__(
        self, address: str, project: str, state: Path, *, instance: str = "0", workers: int = 2
    ) -> None:
        self.log = state / f"runner-{instance}.log"
        self._environment = {
            **os.environ,
            "CHEXNET_ENV_FILE": str(state / "none.env"),
            "CHEXNET_PIPELINE": project,
            "CHEXNET_STATE": str(state),
            "CHEXNET_KAFKA__BOOTSTRAP": "127.0.0.1:1",
            "CHEXNET_STORE__ADDRESS": address,
            "CHEXNET_SERVING__REPLICAS": "127.0.0.1:1",
            "CHEXNET_GATEWAY__URL": "http://127.0.0.1:1",
            "CHEXNET_GATEWAY__TOKEN_FILE": str(state / "token"),
            "CHEXNET_INSTANCE": instance,
            "CHEXNET_RUNNER__WORKERS": str(workers),
        }
        self.start()

    def start(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", "services.pipeline_runner.main"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)

    def kill(self) -> None:
        """End it as a power cut of the process would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """End it as supervisor does; return the exit code."""
        self.process.terminate()
        return self.process.wait(40)
