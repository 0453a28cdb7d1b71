"""How runs ended, kept in memory and shown for as long as the library cannot take it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from relaxdesign.library import LostRun, UnknownRun
from relaxdesign.server.job import Snapshot

logger = logging.getLogger(__name__)

_UNSTORED = (
    "How this run ended could not be stored in the library, most often because its disk is full: make room there. "
    "It is tried again every few seconds; until then other programs see the run as interrupted."
)


class Endings:
    """The ends of runs that a server has still to store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Snapshot, Callable[[], None]]] = {}

    def settle(self, ended: Snapshot, write: Callable[[], None]) -> None:
        """Stores how a run ended; what cannot be stored is kept to be shown, and to be tried again."""
        if self._stored(ended.run_id, write):
            return
        told = replace(ended, message="\n\n".join(text for text in (ended.message, _UNSTORED) if text))
        with self._lock:
            self._open[ended.run_id] = told, write

    def retry(self) -> None:
        """Tries to store what could not be stored before."""
        with self._lock:
            waiting = list(self._open.items())
        for run_id, (_, write) in waiting:
            if self._stored(run_id, write):
                self.forget(run_id)

    def shown(self, run_id: str) -> Snapshot | None:
        """How a run ended that the library does not know of yet."""
        with self._lock:
            found = self._open.get(run_id)
        return None if found is None else found[0]

    def forget(self, run_id: str) -> None:
        """Lets go of an end that is stored, or of no interest any more: the run is computed again."""
        with self._lock:
            self._open.pop(run_id, None)

    def _stored(self, run_id: str, write: Callable[[], None]) -> bool:
        try:
            write()
        except (UnknownRun, LostRun) as error:
            logger.info("the end of run %s is of no interest any more: %s", run_id, error)
        except Exception as error:
            level = logging.DEBUG if self.shown(run_id) else logging.ERROR
            logger.log(level, "run %s: how it ended could not be stored: %s", run_id, error)
            return False
        return True
