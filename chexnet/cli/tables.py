"""Tables in a terminal of any width: no name, id or time is cut, only prose is wrapped."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

PROSE = 24  # Columns that prose needs at least.


def show(table: Table, *prose: str) -> None:
    """Print a table; where its cells don't fit side by side, each row as lines of its own.

    Args:
        table: whose headers are strings.
        prose: the columns that may be wrapped.
    """
    console = Console(highlight=False)
    needed = 1
    for column in table.columns:
        cells = [console.render_str(str(cell)) for cell in (column.header, *column.cells)]
        most = max(cell.cell_len for cell in cells)
        wraps = column.header in prose
        column.no_wrap = not wraps
        needed += 3 + (min(PROSE, most) if wraps else most)
    if needed <= console.width:
        console.print(table)
        return
    for row in zip(*(column.cells for column in table.columns), strict=True):
        lines = Table.grid(padding=(0, 2))
        lines.add_column(style="dim", no_wrap=True)
        lines.add_column(overflow="fold")
        for column, cell in zip(table.columns, row, strict=True):
            if cell:
                lines.add_row(str(column.header), cell)
        console.print(lines, "")
