"""The Jupyter workspace: `from chexnet.ui import Workspace`."""

from chexnet.ui.workspace import Workspace

__all__ = ["Workspace"]
