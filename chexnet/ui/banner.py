"""The head of a workspace: whose it is, whether it is connected, what must always be seen."""

from __future__ import annotations

import traitlets

from chexnet.ui import parts
from chexnet.ui.alive import Answering


class Banner(Answering):
    """Says how the workspace stands; that its kernel is gone only the page can tell."""

    _esm = parts.module("banner.js")
    _css = parts.STYLE
    title = traitlets.Unicode("").tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)  # Why nothing comes at the moment.
    experiment = traitlets.Bool(default_value=False).tag(sync=True)  # Whether one is running.
