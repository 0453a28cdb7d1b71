"""A run as the library keeps it while it is computed: by the server's jobs and by the command line alike."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from relaxdesign.files import TO_GO_ON, check_space
from relaxdesign.library import Curves, Store
from relaxdesign.library.replay import Frame, Replays
from relaxdesign.study.events import StepEvent
from relaxdesign.study.result import Design, DesignResult

logger = logging.getLogger(__name__)

PATIENCE_S, RETRY_S = 40.0, 1.0
"""How long a run waits for a database that cannot be reached: less than the silence after which it counts as dead."""
# Curves are rewritten as a whole, so not at every step.
CURVES_INTERVAL_S = 2.0


class RunRecorder:
    """Keeps every step for the replay, every design as it comes, and the curves now and then.

    Its methods raise UnknownRun once the run was deleted, LostRun once another process computes it, and NoSpace when
    the disk is nearly full, while how the run ended can still be stored.
    """

    def __init__(self, store: Store, run_id: str):
        check_room(store)
        _patiently(lambda: store.mark_running(run_id))
        self.run_id = run_id
        self._store = store
        self._replay = Replays.beside(store.engine.url).record(run_id)
        self._curves = Curves()
        self._saved = time.monotonic()

    def keep_step(self, event: StepEvent, seconds: float) -> Frame:
        """Keeps a step; returns its fields as they are kept. seconds: that the run was computed."""
        check_room(self._store, TO_GO_ON)
        frame = Frame.of(event)
        self._curves.append(event)
        self._replay.add(frame)
        self._keep_curves(seconds)
        return frame

    def keep_design(self, design: Design, seconds: float) -> None:
        check_room(self._store, TO_GO_ON)
        _patiently(lambda: self._store.save_design(self.run_id, design))
        self._keep_curves(seconds)

    def finish(self, result: DesignResult) -> None:
        """Ends the run with its result."""
        self.close()
        self._store.finish(self.run_id, result, self._curves)

    def stop(self, status: str, seconds: float, *, error: str = "", error_id: str = "") -> None:
        """Ends the run without a result: failed or interrupted. error: for the user."""
        self.close()
        end_run(self._store, self.run_id, status, self._curves, seconds, error=error, error_id=error_id)

    def close(self) -> None:
        """Ends the replay."""
        self._replay.close()

    def wanted(self) -> bool:
        """Whether nobody has stopped the run in the library, as the app does with runs of other processes."""
        return self._store.wanted(self.run_id)

    def _keep_curves(self, seconds: float) -> None:
        if time.monotonic() - self._saved > CURVES_INTERVAL_S:
            _patiently(lambda: self._store.save_curves(self.run_id, self._curves, seconds))
            self._saved = time.monotonic()


def end_run(
    store: Store, run_id: str, status: str, curves: Curves, seconds: float, *, error: str = "", error_id: str = ""
) -> None:
    """Ends a run without a result; where there is no room for its curves, without the latest of them."""
    values = {"error": error, "error_id": error_id, "seconds": seconds}
    try:
        store.end(run_id, status, **values, curves=curves)
    except SQLAlchemyError:
        store.end(run_id, status, **values)


def _patiently(write: Callable[[], None]) -> None:
    """Writes, again and again while the database cannot be reached: it may be restarting. What it refuses is raised.

    A write that came through although its answer did not is repeated; it says the same twice.
    """
    patience = time.monotonic() + PATIENCE_S
    while True:
        try:
            return write()
        except DBAPIError as error:
            if not _is_unreachable(error) or time.monotonic() > patience:
                raise
            logger.info("the library cannot be reached, which is tried again: %s", error.orig)
            time.sleep(RETRY_S)


def _is_unreachable(error: DBAPIError) -> bool:
    """Whether a database server is gone or going, or has cut the connection: no answer, or one of SQLSTATE 57P."""
    if error.connection_invalidated:
        return True
    unanswered = isinstance(error, OperationalError) and hasattr(error.orig, "sqlstate")  # of PostgreSQL's driver
    state = getattr(error.orig, "sqlstate", "")
    return unanswered and (state is None or state.startswith("57P"))


def check_room(store: Store, share: float = 1.0) -> None:
    """Raises NoSpace where there is too little for a run beside the library. share: see `relaxdesign.files`."""
    folders = {folder for folder in (store.folder, Replays.beside(store.engine.url).folder) if folder is not None}
    check_space(sorted(folders), "name other places in RELAXDESIGN_DB and RELAXDESIGN_REPLAYS", share)
