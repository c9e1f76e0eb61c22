"""The workspace: upload, read blinded, see the output. `Workspace()` is all that a notebook needs.

It is composed of parts that work alone, too: Uploads and CaseView over Cases and Readings.
"""

from __future__ import annotations

import getpass
from datetime import timedelta
from html import escape

import ipywidgets

from chexnet.messages import now
from chexnet.settings import Settings
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
RESEARCH_ONLY = "Research use only — not a medical device"


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
        self._banner = ipywidgets.HTML()
        self._banner.add_class("cx-banner")
        self.uploads = Uploads(
            self.cases,
            self.readings,
            self._worklist,
            inbox=self._inbox,
            source=source,
            choose=self.choose,
            arrive=self._arrive,
        )
        self.case = CaseView(
            self.cases,
            self.readings,
            gateway=made.gateway,
            source=source,
            cards=self._cards,
            worklist=self._worklist,
            changed=self.uploads.redraw,
            onward=self._onward,
        )
        self._model = made.model
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
        self._draw_banner()
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

    def _arrive(self, case_id: str) -> None:
        """Go on to a new file, unless the reader is in the middle of another case."""
        now_shown = self.cases.get(self.uploads.chosen)
        if now_shown is None or self.readings.phase(now_shown) == "revealed":
            self.choose(case_id)

    def _onward(self) -> bool:
        """Go on to the oldest case of the worklist that is not read; say whether there is one."""
        cases = sorted(self.cases.all(), key=lambda case: case.added_at)
        if waiting := self._worklist.waiting(cases, self.readings):
            self.choose(waiting[0].case_id)
        return bool(waiting)

    def _redraw(self) -> None:
        self._draw_banner()
        self.uploads.redraw()
        if self.cases.get(self.uploads.chosen) is None and (cases := self.cases.all()):
            of_archive = [c for c in cases if c.archive and c.archive == self.uploads.chosen]
            self.choose(of_archive[0].case_id if of_archive else cases[-1].case_id)
        self.case.redraw(self._following.control)

    def _draw_banner(self) -> None:
        problem, control = self._following.problem, self._following.control
        state = "off" if problem else "on"
        told = problem or "Connected"
        experiment = "An experiment is running" if control.experiment else ""
        self._banner.value = (
            f'<span class="cx-brand">{escape(self._model)} workspace</span>'
            f'<span class="cx-live cx-live-{state}" role="status">{escape(told)}</span>'
            f'<span class="cx-experiment">{experiment}</span>'
            f'<strong class="cx-research">{RESEARCH_ONLY}</strong>'
        )
