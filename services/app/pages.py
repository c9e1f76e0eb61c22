"""The pages of the app: notebooks of one folder, that link to each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from msgspec import Struct

from chexnet.errors import ConfigError

LAST = 1000  # Where a notebook without `order` stands.


class AppPage(Struct, frozen=True, order=True):
    """One notebook: `title` and `order` of its metadata, else its name and the end."""

    order: int
    title: str
    name: str

    @classmethod
    def of(cls, notebook: Path) -> Self:
        """Read what a notebook says of itself."""
        said = json.loads(notebook.read_text()).get("metadata", {})
        title = said.get("title") or notebook.stem.replace("_", " ").capitalize()
        return cls(int(said.get("order", LAST)), str(title), notebook.name)

    @property
    def path(self) -> str:
        """The page's address, from the app's own on."""
        return f"voila/render/{quote(self.name)}"


def pages(folder: Path) -> list[AppPage]:
    """Return the folder's pages in their order.

    Raises:
        ConfigError: there is none.
    """
    found = sorted(AppPage.of(notebook) for notebook in folder.glob("*.ipynb"))
    if not found:
        rule = "CHEXNET_APP__PAGES must be a folder of notebooks."
        raise ConfigError(f"{rule} Received: {folder}, without one. Start the stack: make up")
    return found


def linked(folder: Path, model: str) -> Any:
    """Return Voilà's hook that tells the template which pages there are."""

    def hook(config: dict[str, Any], *, notebook_path: str, **_: object) -> dict[str, Any]:
        links = [
            {"title": page.title, "path": page.path, "current": page.name == notebook_path}
            for page in pages(folder)
        ]
        return {**config, "pages": links, "model": model}

    return hook
