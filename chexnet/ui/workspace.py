"""The workspace: upload, read blinded, see the output. `Workspace()` is all that a notebook needs.

It is composed of parts that work alone, too: Uploads and CaseView over Cases and Readings.
"""

from __future__ import annotations

import getpass
from datetime import timedelta

import ipywidgets

from chexnet.messages import now
from chexnet.settings import Settings
from chexnet.ui.banner import Banner
from chexnet.ui.cards import Cards
from chexnet.ui.cases import Cases
from chexnet.ui.caseview import CaseView
from chexnet.ui.follow import Following
from chexnet.ui.reading import Readings
from chexnet.ui.transfer import Inbox
from chexnet.ui.uploads import Uploads
from chexnet.ui.wiring import Wiring
from chexnet.ui.worklist import Worklist

# By pipeline, of this kernel: a cell that is run again replaces what it made, threads and all.
_open: dict[str, Workspace] = {}


class Workspace(ipywidgets.VBox):  # type: ignore[misc]
    """Uploads on the left, the chosen case beside it.

    Args:
        settings: of the pipeline; from the environment where it is left out.
        reader: the name in the readings; the operating system's user where it is left out.
        recent: cases of this time are shown at once, whoever uploaded them.
        alone: close this kernel's earlier workspace of the pipeline. Set it to False to keep both,
            say of two readers.
        wiring: bus, gateway and the like, instead of those that the settings name.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        reader: str | None = None,
        recent: timedelta = timedelta(hours=12),
        alone: bool = True,
        wiring: Wiring | None = None,
    ) -> None:
        made = wiring or Wiring.of(settings or Settings())
        if alone and (before := _open.pop(made.model, None)):
            before.close()
        source = made.source
        self.cases = Cases(source, lambda case: self.readings.phase(case) != "blinded")
        self._cards = Cards(made.card)
        self._worklist = Worklist(made.model, self._cards)
        self.readings = Readings(
            made.bus,
            reader or getpass.getuser(),
            source.labels,
            propensity=self._worklist.propensity,
        )
        self._inbox = Inbox(made.gateway, self.cases, made.limits)
        self._banner = Banner(title=f"{made.model} workspace")
        self.uploads = Uploads(
            self.cases,
            self.readings,
            self._worklist,
            inbox=self._inbox,
            source=source,
            choose=self._take,
            arrive=self._arrive,
        )
        self.case = CaseView(
            self.cases,
            self.readings,
            gateway=made.gateway,
            source=source,
            cards=self._cards,
            worklist=self._worklist,
            began=self._began,
            changed=self.uploads.redraw,
            onward=self._onward,
        )
        self._model = made.model
        self._held = ""  # The case that the reader chose, or began to read.
        self._following = Following(
            made.bus,
            made.model,
            self.cases,
            self.readings,
            self._cards,
            since=now() - recent,
            prepare=self.readings.recall,
            redraw=self._redraw,
        )
        columns = ipywidgets.HBox([self.uploads, self.case])
        columns.add_class("cx-columns")
        super().__init__([self._banner, columns])
        self.add_class("cx-workspace")
        self._following.start()
        if alone:
            _open[made.model] = self

    def choose(self, case_id: str) -> None:
        """Show a case, by its id in the list."""
        self.cases.keep(case_id)
        self.uploads.chosen = case_id
        self.case.choose(case_id)

    def close(self) -> None:
        """Stop following the bus, and release what is held."""
        if _open.get(self._model) is self:
            del _open[self._model]
        self._following.close()
        self._cards.close()
        self._inbox.close()
        self.case.close()
        self.readings.close()
        super().close()

    def _take(self, case_id: str) -> None:
        """Show the case that the reader chose."""
        self._held = case_id
        self.choose(case_id)

    def _began(self, case_id: str) -> None:
        """Stay with a case that the reader has begun to read."""
        self._held = case_id

    def _arrive(self, case_id: str) -> None:
        """Go on to a new file, unless the reader is in the middle of another case."""
        held = self.cases.get(self._held) if self._held == self.uploads.chosen else None
        if held is None or self.readings.phase(held) == "revealed":
            self.choose(case_id)

    def _onward(self) -> bool:
        """Go on to the oldest case of the worklist that is not read; say whether there is one."""
        cases = sorted(self.cases.all(), key=lambda case: case.added_at)
        if waiting := self._worklist.waiting(cases, self.readings):
            self._take(waiting[0].case_id)
        return bool(waiting)

    def _redraw(self) -> None:
        self._draw_banner()
        self.uploads.redraw()
        if self.cases.get(self.uploads.chosen) is None and (cases := self.cases.all()):
            of_archive = [c for c in cases if c.archive and c.archive == self.uploads.chosen]
            self.choose(of_archive[0].case_id if of_archive else cases[-1].case_id)
        self.case.redraw(self._following.control)

    def _draw_banner(self) -> None:
        self._banner.problem = self._following.problem
        self._banner.experiment = self._following.control.experiment is not None
