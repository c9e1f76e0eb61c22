"""A download site that does what real ones do: ranges, drops, wrong bytes, errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DROP = 1000  # Bytes after which a connection breaks.
ERRORS = {"error": 503, "gone": 404}
PAGE = b"<html>Too many downloads. Come back later.</html>"


class Site:
    """Serves one file. `plan` has a behaviour for each request in turn; then it is well."""

    def __init__(self, data: bytes) -> None:
        self.data, self.plan, self.asked = data, list[str](), list[str | None]()
        self.url = ""

    def handler(site) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                site.asked.append(asked)
                how = site.plan.pop(0) if site.plan else "well"
                if how in ERRORS:
                    self.send_error(ERRORS[how])
                    return
                if how == "page":
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html")
                    self.send_header("Content-Length", str(len(PAGE)))
                    self.end_headers()
                    self.wfile.write(PAGE)
                    return
                start = int(asked[6:-1]) if asked and how != "no ranges" else 0
                data = site.data[start:]
                if how == "corrupt":
                    data = bytes(len(data))
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-/{len(site.data)}")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[:DROP] if how == "drop" else data)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def site(data: bytes) -> Iterator[Site]:
    """Yield a site that serves `data` at its `url`."""
    made = Site(data)
    server = ThreadingHTTPServer(("127.0.0.1", 0), made.handler())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/archive"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
