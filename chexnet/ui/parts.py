"""The browser's half of a widget: plain files beside this one, no build step and no CDN."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
STYLE = (HERE / "workspace.css").read_text()


def module(view: str) -> str:
    """Return the ES module of a view: what all views share, then the view itself."""
    return (HERE / "dom.js").read_text() + (HERE / view).read_text()
