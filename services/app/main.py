"""app: the workspace as pages without code, apart from Jupyter's kernels and from all secrets."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from chexnet.adapters import tls
from chexnet.errors import ConfigError
from chexnet.inputs.base import load
from chexnet.runtime import logs
from chexnet.runtime.stopping import run
from chexnet.settings import Settings
from services.app.confined import confine, needed
from services.app.server import SHARE, App

log = logging.getLogger("app")
KEPT = {"PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH"}  # Of the environment, for the kernels.
PLACES = {  # Where Jupyter and its kernels write, below the app's folder.
    "HOME": "home",
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "MPLCONFIGDIR": "home",
    "TMPDIR": "tmp",
}


def main() -> int:
    """Run until SIGTERM."""
    settings = Settings()
    logs.setup("app", settings.log_level)
    own = settings.app
    if own.token_file is None or own.folder is None or own.pages is None:
        rule = "CHEXNET_APP__TOKEN_FILE, _FOLDER and _PAGES must be set for the app."
        raise ConfigError(f"{rule} Received: not all of them. Start it with: make up")
    # What only the server reads, before it can't any more.
    token = own.token_file.read_text().strip() if own.token_file.is_file() else ""
    certificate = context(tls.Own.of(own.certificate_file, own.key_file))
    load(settings.input)  # A wrong name stops it here, not on a page.
    kernels = environment(os.environ, own.folder)
    os.environ.clear()
    os.environ.update(kernels)
    os.chdir(own.folder)
    for place in PLACES.values():
        (own.folder / place).mkdir(mode=0o700, exist_ok=True)
    if confine(needed(settings.state, own.folder, readable(settings, own.pages))):
        log.info("confined by Landlock")
    else:
        log.warning("not confined: without Landlock in this kernel, pages' code may read any file")
    app = App.of(own.pages, token=token, model=settings.model, scratch=own.folder / "tmp")
    app.ip, app.port, app.certificate = own.host, own.port, certificate
    app.start()
    return 0


def environment(given: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment of the kernels: settings, their own places, and little of `given`."""
    kept = {
        name: value
        for name, value in given.items()
        if name in KEPT or (name.startswith("CHEXNET_") and not name.startswith("CHEXNET_APP__"))
    }
    places = {name: str(folder / place) for name, place in PLACES.items()}
    # Whoever decides something here is not known: the audit says so.
    return {**kept, **places, "JUPYTER_PATH": str(SHARE), "LOGNAME": "app"}


def readable(settings: Settings, pages: Path) -> list[Path]:
    """Return what kernels read besides Python: pages, settings, and the secrets that are theirs."""
    asked = (settings.kafka, settings.store, settings.serving, settings.gateway)
    secrets = [settings.gateway.token_file, settings.kafka.password_file]
    secrets += [part.ca_file for part in asked]
    env_file = os.environ.get("CHEXNET_ENV_FILE")
    return [pages, SHARE, *(Path(p) for p in (*secrets, env_file) if p)]


def context(own: tls.Own | None) -> ssl.SSLContext | None:
    """Return a certificate as tornado takes it."""
    if own is None:
        return None
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(own.certificate, own.key)
    return made


if __name__ == "__main__":
    run(main)
