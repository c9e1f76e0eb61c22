"""A page of sections: each is looked at alone, so that one that fails says why and others stand.

What a page shows and does runs in a thread of its own: the kernel stays free for the browser.
"""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import traitlets

from chexnet.errors import ChexnetError
from chexnet.messages import now
from chexnet.ui import parts
from chexnet.ui.alive import Answering

log = logging.getLogger(__name__)
Look = Callable[[], Mapping[str, Any]]
Act = Callable[[], str]


class Page(Answering):
    """The kernel's half of a page; the browser asks it to look again now and then.

    A subclass sets `_esm`, and says what its sections are and what a person may do.
    """

    _css = parts.PAGE_STYLE
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, title: str) -> None:
        super().__init__(state={"title": title, "sections": {}, "told": "", "problem": ""})
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="page")
        self._lock = threading.Lock()
        self._waiting = 0
        self.on_msg(self._hear)
        self._do(lambda: "")

    @abstractmethod
    def sections(self) -> Mapping[str, Look]:
        """Return name → what looks at it; a ChexnetError is shown in that section alone."""

    @abstractmethod
    def act(self, message: Mapping[str, Any]) -> Act | None:
        """Return what a message of the browser asks for, and what to tell then; None for none."""

    def settled(self) -> None:
        """Wait until all that was asked for is done."""
        self._worker.submit(lambda: None).result()

    def close(self) -> None:
        """Do no more."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _hear(self, _widget: object, message: dict[str, Any], _buffers: object) -> None:
        if message.get("type") == "refresh":
            if not self._waiting:  # A look that is under way is as new.
                self._do(None)
        elif (wanted := self.act(message)) is not None:
            self._do(wanted)

    def _do(self, wanted: Act | None) -> None:
        with self._lock:
            self._waiting += 1
        forgotten = {} if wanted is None else {"told": "", "problem": ""}  # Of an earlier press.
        self._set(busy=True, **forgotten)
        self._worker.submit(self._work, wanted)

    def _work(self, wanted: Act | None) -> None:
        told: dict[str, str] = {}
        try:
            if wanted is not None:
                told["told"] = wanted()
        except ChexnetError as error:
            told["problem"] = str(error)
        except Exception as error:
            log.exception("a page could not do what was asked")
            told["problem"] = f"This failed: {type(error).__name__}. The kernel's log has more."
        finally:
            looked = {name: self._look(look) for name, look in self.sections().items()}
            with self._lock:
                self._waiting -= 1
            self._set(
                **told,
                sections=looked,
                at=f"{now().astimezone():%H:%M:%S}",
                busy=self._waiting > 0,
            )

    def _look(self, look: Look) -> dict[str, Any]:
        try:
            return {"problem": "", **look()}
        except ChexnetError as error:
            return {"problem": str(error)}
        except Exception as error:
            log.exception("a section of a page could not be looked at")
            return {"problem": f"This failed: {type(error).__name__}. The kernel's log has more."}

    def _set(self, **values: Any) -> None:
        with self._lock:
            self.state = {**self.state, **values}
