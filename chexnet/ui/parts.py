"""The browser's half of a widget: plain files beside this one, no build step and no CDN."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
STYLE = (HERE / "workspace.css").read_text()
PAGE_STYLE = STYLE + (HERE / "pages.css").read_text()


def module(*files: str) -> str:
    """Return the ES module of a view: what all views share, then its own files in order."""
    return "".join((HERE / name).read_text() for name in ("dom.js", *files))
