"""The server: one folder, which it locks, behind one port."""

from __future__ import annotations

import fcntl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from chexnet.adapters import tls
from chexnet.errors import ConfigError
from services.version_store import branches, cluster_api, cron, erasing, jobs, pfs_api, pps_api
from services.version_store.rpc import MESSAGE, Services
from services.version_store.store import Change, Store

THREADS = 256  # Threads are made as calls come; one that waits for a commit holds one.


class Server:
    """Answers Pachyderm's API from a folder.

    Args:
        folder: database and contents; made if need be.
        listen: host:port. `port` then says which one it is.
        own: its certificate; None: no TLS.
    """

    def __init__(self, folder: Path, listen: str, own: tls.Own | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            rule = "CHEXNET_VERSION_STORE__FOLDER must be in use by one server at a time."
            raise ConfigError(f"{rule} Received: {folder}. Stop the other one.") from error
        self.store = Store(folder, _propagate)
        options = [
            ("grpc.max_receive_message_length", MESSAGE),
            ("grpc.max_send_message_length", MESSAGE),
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # Of clients that wait.
            ("grpc.so_reuseport", 0),  # Else two servers could share a port, unnoticed.
        ]
        self._server = grpc.server(ThreadPoolExecutor(THREADS, "call"), options=options)
        methods = {
            **pfs_api.methods(self.store),
            **pps_api.methods(self.store),
            **cluster_api.methods(self.store),
            **erasing.methods(self.store),
        }
        self._server.add_generic_rpc_handlers((Services(methods, self.store.database),))
        try:
            self.port = tls.bind(self._server, listen, own)
        except RuntimeError as error:
            rule = "CHEXNET_VERSION_STORE__LISTEN must be a free address of this machine."
            raise ConfigError(f"{rule} Received: {listen}. Choose another port.") from error
        self._server.start()
        self._ticker = cron.Ticker(self.store)
        self._ticker.start()

    def stop(self, grace: float = 5.0) -> None:
        """Let calls end for `grace` seconds, and release the folder."""
        self._server.stop(grace).wait()
        self._ticker.stop()
        self.store.close()
        self._lock.close()


def _propagate(change: Change) -> None:
    """Start what follows from a change: commits downstream, and the jobs of pipelines' commits."""
    branches.propagate(change)
    jobs.propagate(change)
