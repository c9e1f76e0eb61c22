"""Voilà as this app has it: a token always, TLS where there is a certificate, few doors."""

from __future__ import annotations

import hashlib
import logging
import ssl
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader
from jupyter_server.base.handlers import JupyterHandler
from jupyterlab_server.themes_handler import ThemesHandler
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.web import RequestHandler, authenticated
from traitlets.config import Config
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.static_file_handler import AllowListFileHandler
from voila.tornado.contentshandler import VoilaContentsHandler
from voila.tornado.treehandler import TornadoVoilaTreeHandler

from chexnet.errors import ConfigError
from services.app.left import Left
from services.app.pages import linked, pages

log = logging.getLogger("app")
SHARE = Path(__file__).parent / "share"  # Where Voilà looks for the template.
TEMPLATE = "chexnet"
UNUSED = {  # Doors of Voilà that these pages don't go through.
    *(TornadoVoilaTreeHandler, VoilaContentsHandler, AllowListFileHandler),
    *(ThemesHandler, RequestInfoSocketHandler),
}
WIDGETS = [
    "anywidget",
    "@jupyter-widgets/jupyterlab-manager",  # The widgets themselves,
    "@voila-dashboards/widgets-manager8",  # and what holds them in place of JupyterLab.
]
MESSAGE = 128 * 2**20  # Bytes; tornado's 10 MiB would drop larger ones without a word.
LEFT = 900.0  # Seconds; then a kernel that no page is connected to ends.
FAILED = "Reload the page. If it stays so: whoever runs the platform finds why in the app's log."
SHORTEST = 32  # Characters of a token.
OWN = "'self'"
POLICY = {  # Nothing that a page shows is sent to, or comes from, another host.
    "default-src": OWN,
    "script-src": f"{OWN} 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": f"{OWN} 'unsafe-inline'",
    "img-src": f"{OWN} data: blob:",
    "font-src": f"{OWN} data:",
    "connect-src": f"{OWN} data: blob:",
    "frame-ancestors": OWN,
}


class First(JupyterHandler):  # type: ignore[misc]
    """The address without a page."""

    def initialize(self, path: str) -> None:
        """Take the path of the first page."""
        self._path = path

    @authenticated  # type: ignore[untyped-decorator]
    def get(self) -> None:
        """Go on to the first page, without the token in the address."""
        self.redirect(self.base_url + self._path)


class Healthz(RequestHandler):  # type: ignore[misc]
    """Whether the server answers; for whoever watches it."""

    def get(self) -> None:
        """Answer 200."""
        self.write("ok")


class App(Voila):  # type: ignore[misc]
    """Voilà over one folder of notebooks. `open_to` says where; `start` serves until SIGTERM."""

    certificate: ssl.SSLContext | None = None

    @classmethod
    def of(cls, folder: Path, *, token: str, model: str, scratch: Path, heated: bool = True) -> App:
        """Return it, ready to start.

        Args:
            folder: the notebooks.
            token: without which nobody gets further than the login page.
            model: what the pages say they are of.
            scratch: a folder for its files.
            heated: whether a kernel of the first page waits for the next reader.

        Raises:
            ConfigError: no token, or no notebook.
        """
        if len(token) < SHORTEST:  # Voilà would let everybody in where there is none.
            rule = f"The app's token must have {SHORTEST} characters or more."
            raise ConfigError(f"{rule} Received: {len(token)}. make up generates one.")
        first = pages(folder)[0]
        config = Config()
        config.Voila = Config(
            {
                "root_dir": str(folder),
                "token": token,
                # Of the token, so that who is in stays in when the app starts again.
                "cookie_secret": hashlib.sha256(b"cookie" + token.encode()).digest(),
                "config_file_paths": [],
                "connection_dir_root": str(scratch),
                "open_browser": False,
                "tornado_settings": {
                    "websocket_max_message_size": MESSAGE,
                    "log_function": lambda _: None,  # An address may have the token in it.
                    "headers": {
                        "Content-Security-Policy": "; ".join(f"{k} {v}" for k, v in POLICY.items()),
                        "Referrer-Policy": "same-origin",
                    },
                },
            }
        )
        config.VoilaConfiguration = Config(
            {
                "template": TEMPLATE,
                "theme": "light",  # Dark comes from the template, where the browser prefers it.
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "show_tracebacks": False,
                "extension_allowlist": WIDGETS,
                "page_config_hook": linked(folder, model),
                "preheat_kernel": heated,
            }
        )
        config.VoilaExecutor = Config({"cell_error_instruction": FAILED})
        pools = {first.name: {"pool_size": 1}}
        pools["default"] = {"pool_size": 0}
        config.VoilaKernelManager = Config({"kernel_pools_config": pools})
        made = cls(config=config)
        made.initialize([])
        return made

    def init_settings(self) -> dict[str, Any]:
        """Put our login page before Jupyter's."""
        settings: dict[str, Any] = super().init_settings()
        environment = settings["jinja2_env"]
        environment.loader = ChoiceLoader([FileSystemLoader(SHARE / "login"), environment.loader])
        return settings

    def init_handlers(self) -> list[Any]:
        """Leave out the doors that no page needs."""
        kept = [handler for handler in super().init_handlers() if handler[1] not in UNUSED]
        first = pages(Path(self.root_dir))[0]
        return [("/", First, {"path": first.path}), ("/healthz", Healthz), *kept]

    def listen(self) -> None:
        """Serve until SIGTERM."""
        self.app.listen(self.port, self.ip, ssl_options=self.certificate)
        left = Left(self.kernel_manager, LEFT)
        PeriodicCallback(left.look, LEFT * 100).start()  # Ten looks in that time.
        log.info("serving", extra={"fields": {"port": self.port, "tls": bool(self.certificate)}})
        self.ioloop = IOLoop.current()
        try:
            self.ioloop.start()
        finally:
            self.stop()
