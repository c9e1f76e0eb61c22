"""What people meet in Jupyter: `from chexnet.ui import Workspace`, and pages beside it."""

from chexnet.ui.lineage import Lineage
from chexnet.ui.operations import Operations
from chexnet.ui.shared import Shared
from chexnet.ui.training import Training
from chexnet.ui.workspace import Workspace

__all__ = ["Lineage", "Operations", "Shared", "Training", "Workspace"]
