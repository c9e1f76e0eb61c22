"""The cards of the versions that answered: thresholds, temperature, what their images were like.

A card is looked for in a thread of its own, until it is there: the store may be away, and nothing
that draws waits for it. Only what was found is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from chexnet.errors import ChexnetError
from chexnet.models.card import Card

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)  # Seconds between attempts.


class Cards:
    """What is known of versions, and why not more.

    Args:
        read: returns a version's card. It may wait, and raises NotFound, BadInput or Unavailable.
    """

    def __init__(self, read: Callable[[int], Card]) -> None:
        self._read = read
        self._found: dict[int, Card] = {}
        self._missing: dict[int, str] = {}  # Version → why its card is not there.
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self.revision = 0  # Grows with every change, so that a view knows when to look again.

    def of(self, version: int) -> Card | None:
        """Return the card of a version; None while it is looked for, and where there is none."""
        with self._changed:
            if version not in self._found and version not in self._missing and not self._closed:
                self._missing[version] = "It is looked for."
                self._changed.notify()
                if self._thread is None:
                    self._thread = threading.Thread(target=self._look, name="cards", daemon=True)
                    self._thread.start()
            return self._found.get(version)

    def why(self, version: int) -> str:
        """Return why there is no card of a version; "" where there is one."""
        return self._missing.get(version, "")

    def close(self) -> None:
        """Look for no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _look(self) -> None:
        attempt = 0
        while True:
            with self._changed:
                if self._missing and attempt:
                    self._changed.wait(PAUSES[min(attempt, len(PAUSES)) - 1])
                self._changed.wait_for(lambda: self._missing or self._closed)
                if self._closed:
                    return
                wanted = list(self._missing)
            found = [self._try(version) for version in wanted]
            attempt = 0 if all(found) else attempt + 1

    def _try(self, version: int) -> bool:
        try:
            card = self._read(version)
        except ChexnetError as error:
            with self._changed:
                if self._missing[version] != str(error):
                    self._missing[version] = str(error)
                    self.revision += 1
            return False
        with self._changed:
            self._found[version] = card
            del self._missing[version]
            self.revision += 1
        return True
