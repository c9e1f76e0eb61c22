"""What people meet in Jupyter: `from chexnet.ui import Workspace`, and pages beside it.

Each is imported when it is asked for: a workspace that somebody waits for needs neither Matplotlib
nor SciPy, which the pages do.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chexnet.ui.lineage import Lineage
    from chexnet.ui.operations import Operations
    from chexnet.ui.shared import Shared
    from chexnet.ui.training import Training
    from chexnet.ui.workspace import Workspace

__all__ = ["Lineage", "Operations", "Shared", "Training", "Workspace"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.{name.lower()}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
