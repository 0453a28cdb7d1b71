"""Runs of the command line in the library, beside those of the app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape

from relaxdesign.cli.console import messages
from relaxdesign.cli.library import LibraryError, library_errors
from relaxdesign.files import NoSpace

if TYPE_CHECKING:
    from relaxdesign.library import Heartbeat
    from relaxdesign.library.recording import RunRecorder
    from relaxdesign.study.events import Event
    from relaxdesign.study.request import DesignRequest
    from relaxdesign.study.result import DesignResult


class Recording:
    """Keeps a run in the library, where that is wanted. A library that fails is told once; the run goes on without.

    It begins with the first event, so that a refused request leaves nothing behind, and gives signs of life from then
    on. resumed: the run that goes on; None makes a new one.
    """

    def __init__(self, request: DesignRequest, *, wanted: bool = True, resumed: str | None = None):
        self._request = request
        self._wanted = wanted
        self._resumed = resumed
        self._entry: RunRecorder | None = None
        self._given_up: tuple[RunRecorder, str] | None = None
        self._heartbeat: Heartbeat | None = None
        self._seconds = 0.0

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
        from relaxdesign.study.events import DesignEvent, FinishedEvent

        with self._not_needed():
            if not self._wanted:
                return
            self._entry = self._entry or self._begin()
            self._seconds = event.result.seconds if isinstance(event, FinishedEvent) else event.seconds
            if isinstance(event, FinishedEvent):
                self._entry.finish(event.result)
            elif isinstance(event, DesignEvent):
                self._entry.keep_design(event.design, self._seconds)
            else:
                self._entry.keep_step(event, self._seconds)

    def stopped(self) -> bool:
        """Whether the run was stopped in the library, by the app."""
        with self._not_needed():
            return self._entry is not None and not self._entry.wanted()
        return False

    def fail(self, error: BaseException) -> None:
        """Notes what ended the run early."""
        with self._not_needed():
            if self._entry is not None:
                status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
                told = str(error) if isinstance(error, ValueError | OSError) else ""
                self._entry.stop(status, self._seconds, error=told)
                if isinstance(error, NoSpace):
                    run_id = self._entry.run_id
                    messages.print(
                        f"Run {run_id} of the library keeps what there was: relaxdesign resume {run_id}, then "
                        f"relaxdesign export {run_id} --out DIR",
                        soft_wrap=True,
                    )

    def close(self) -> None:
        """Ends the signs of life, and an entry that could not be ended before."""
        if self._heartbeat is not None:
            self._heartbeat.close()
        if self._given_up is None:
            return
        run_id = self._given_up[0].run_id
        self._end(*self._given_up)
        if self._given_up is not None:
            messages.print(
                f"[yellow]Run {run_id} of the library could not be ended there:[/] it is told as interrupted within "
                f"a minute; when the library can be written again: relaxdesign resume {run_id}",
                soft_wrap=True,
            )

    def _begin(self) -> RunRecorder:
        from relaxdesign.library import Heartbeat, Store
        from relaxdesign.library.recording import RunRecorder, check_room

        store = Store()
        check_room(store)
        if self._resumed is None:
            run_id = store.create_run(self._request)
        else:
            store.requeue(run_id := self._resumed)
        recorder = RunRecorder(store, run_id)
        self._heartbeat = Heartbeat(store, run_id)
        return recorder

    def _end(self, entry: RunRecorder, why: str) -> None:
        """Ends an entry that takes no more; what cannot be stored is tried again when the command ends."""
        from sqlalchemy.exc import SQLAlchemyError

        from relaxdesign.library import LostRun, UnknownRun

        self._given_up = None
        try:
            entry.stop("failed", self._seconds, error=why)
        except (LostRun, UnknownRun):
            pass
        except (SQLAlchemyError, OSError):
            self._given_up = entry, why

    @contextmanager
    def _not_needed(self) -> Iterator[None]:
        try:
            with library_errors():
                yield
        except (LibraryError, OSError) as error:
            messages.print(f"[yellow]Not kept in the library:[/] {escape(str(error))}", soft_wrap=True)
            entry, self._wanted, self._entry = self._entry, False, None
            if self._heartbeat is not None:
                self._heartbeat.close()
            if entry is not None:
                self._end(entry, f"The library took no more of this run: {error}")


@contextmanager
def recording(request: DesignRequest, *, wanted: bool = True, resumed: str | None = None) -> Iterator[Recording]:
    """A `Recording` that also hears of errors."""
    record = Recording(request, wanted=wanted, resumed=resumed)
    try:
        yield record
    except BaseException as error:
        record.fail(error)
        raise
    finally:
        record.close()
