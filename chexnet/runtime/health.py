"""Health: /healthz and /metrics of one process, answered by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest

from chexnet.settings import HealthSettings

State = Literal["starting", "ok", "waiting", "stopped"]
HEALTHY = Gauge("chexnet_healthy", "1 when the service does its work.", ["service"])


class Health:
    """What a service says of itself. `waiting` names the dependency, `stopped` the reason."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.state: State = "starting"
        self.reason = ""
        self._since = time.monotonic()
        HEALTHY.labels(service).set(0)

    def set(self, state: State, reason: str = "") -> None:
        """Change the state."""
        if state != self.state:
            self._since = time.monotonic()
        self.state, self.reason = state, reason
        HEALTHY.labels(self.service).set(state == "ok")

    def answer(self) -> tuple[int, bytes]:
        """Return the HTTP status and the JSON body of /healthz."""
        body = {
            "service": self.service,
            "state": self.state,
            "reason": self.reason,
            "seconds": round(time.monotonic() - self._since),  # In this state.
        }
        return 200 if self.state == "ok" else 503, msgspec.json.encode(body)


class Healths:
    """Several parts of one process: the first that is not well answers for all."""

    def __init__(self, parts: Sequence[Health]) -> None:
        self._parts = parts

    def answer(self) -> tuple[int, bytes]:
        """Return the HTTP status and the JSON body of /healthz."""
        return next((p for p in self._parts if p.state != "ok"), self._parts[0]).answer()


def serve(health: Health | Healths, settings: HealthSettings) -> ThreadingHTTPServer:
    """Answer on the settings' address until the process ends; return the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                self._reply(*health.answer(), "application/json")
            elif self.path == "/metrics":
                self._reply(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST)
            else:
                self._reply(404, b"/healthz or /metrics\n", "text/plain")

        def _reply(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be silent: probes come every second."""

    server = ThreadingHTTPServer((settings.host, settings.port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
