"""Runs of the command line in the library, beside those of the app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from relaxdesign.cli.console import messages
from relaxdesign.cli.library import LibraryError, library_errors

if TYPE_CHECKING:
    from relaxdesign.events import Event
    from relaxdesign.request import DesignRequest
    from relaxdesign.result import DesignResult
    from relaxdesign.store import Store


class Entry:
    """A run in the library while it is computed: every step is kept for the replay, every design when it comes."""

    def __init__(self, store: Store, run_id: str):
        from relaxdesign.replay import Replays
        from relaxdesign.store import Curves

        self.run_id = run_id
        self._store = store
        self._replay = Replays.beside(store.engine.url).record(run_id)
        self._curves = Curves()
        store.mark_running(run_id)

    def take(self, event: Event) -> None:
        """Keeps what an event brings."""
        from relaxdesign.events import DesignEvent, FinishedEvent, StepEvent
        from relaxdesign.replay import Frame

        if isinstance(event, StepEvent):
            self._curves.append(event)
            self._replay.add(Frame.of(event))
        elif isinstance(event, DesignEvent):
            self._store.save_design(self.run_id, event.design)
            self._store.save_curves(self.run_id, self._curves, event.seconds)
        elif isinstance(event, FinishedEvent):
            self._replay.close()
            self._store.finish(self.run_id, event.result, self._curves)

    def fail(self, error: BaseException) -> None:
        """Ends a run that an error ended."""
        self._replay.close()
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        self._store.stop(self.run_id, status, error=str(error) if isinstance(error, ValueError | OSError) else "")


class Recording:
    """Keeps a run in the library, where that is wanted. A library that fails is told once; the run goes on without.

    It begins with the first event, so that a refused request leaves nothing behind. resumed: the run that goes on; None
    makes a new one.
    """

    def __init__(self, request: DesignRequest, *, wanted: bool = True, resumed: str | None = None):
        self._request = request
        self._wanted = wanted
        self._resumed = resumed
        self._entry: Entry | None = None

    @property
    def run_id(self) -> str | None:
        """The run in the library; None if it is not kept there."""
        return None if self._entry is None else self._entry.run_id

    def remarks(self, result: DesignResult) -> list[str]:
        """Where the run is found again, and what can be done with it."""
        command = "resume" if result.status == "cancelled" else "export"
        return [f"Run {self.run_id} of the library: relaxdesign {command} {self.run_id}"] if self.run_id else []

    def take(self, event: Event) -> None:
        """Keeps what an event brings."""
        with self._not_needed():
            if self._wanted:
                self._entry = self._entry or self._begin()
                self._entry.take(event)

    def fail(self, error: BaseException) -> None:
        """Notes what ended the run early."""
        with self._not_needed():
            if self._entry is not None:
                self._entry.fail(error)

    def _begin(self) -> Entry:
        from relaxdesign.store import Store

        store = Store()
        if self._resumed is None:
            return Entry(store, store.create_run(self._request))
        store.requeue(self._resumed)
        return Entry(store, self._resumed)

    @contextmanager
    def _not_needed(self) -> Iterator[None]:
        try:
            with library_errors():
                yield
        except (LibraryError, OSError) as error:
            messages.print(f"[yellow]Not kept in the library:[/] {escape(str(error))}", soft_wrap=True)
            self._wanted, self._entry = False, None


@contextmanager
def recording(request: DesignRequest, *, wanted: bool = True, resumed: str | None = None) -> Iterator[Recording]:
    """A `Recording` that also hears of errors."""
    record = Recording(request, wanted=wanted, resumed=resumed)
    try:
        yield record
    except BaseException as error:
        record.fail(error)
        raise
