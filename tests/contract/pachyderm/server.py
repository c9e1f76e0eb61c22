"""A version_store of the tests' own, as a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


class Server:
    """services/version_store over a folder; it can be killed, and started again on it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self._folder, self._settings = folder, settings
        self.address = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        """Start the process, and return when it listens."""
        environment = {
            **os.environ,
            "CHEXNET_VERSION_STORE__LISTEN": self.address,
            "CHEXNET_VERSION_STORE__FOLDER": str(self._folder),
            **{f"CHEXNET_VERSION_STORE__{k.upper()}": str(v) for k, v in self._settings.items()},
        }
        command = [sys.executable, "-m", "services.version_store.main"]
        with (self._folder.parent / f"{self._folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, stderr=subprocess.PIPE, stdout=log
            )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        self.address = json.loads(line)["address"]

    def kill(self) -> None:
        """End it as a power cut of the process would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """End it as supervisor does; return the exit code."""
        self.process.terminate()
        return self.process.wait(20)
