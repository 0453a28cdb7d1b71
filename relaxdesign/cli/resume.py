"""``relaxdesign resume``: goes on with a run that ended early."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from relaxdesign.cli.console import EXIT_NO_RESULT, fail, stop_on_interrupt, user_errors
from relaxdesign.cli.library import find_run, open_library
from relaxdesign.cli.recording import recording
from relaxdesign.cli.showing import exit_by, print_result, study_progress

if TYPE_CHECKING:
    from relaxdesign.result import DesignResult


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or its beginning; see: relaxdesign runs.")],
) -> None:
    """Go on with a run that was interrupted, stopped or failed.

    The steps are computed again with the same seed, so the same fields come out. Finished designs are kept.
    """
    with user_errors():
        from relaxdesign import study
        from relaxdesign.events import FinishedEvent
        from relaxdesign.store import LIVE_STATES

        with open_library() as store:
            found = find_run(store, run)
            if found.status in (*LIVE_STATES, "finished"):
                raise ValueError(f"run {found.id} is {found.status}: there is nothing to resume")
            kept = store.designs(found.id)
        result: DesignResult | None = None
        with (
            stop_on_interrupt() as stopped,
            study_progress(found.request) as show,
            recording(found.request, resumed=found.id) as record,
        ):
            for event in study.run(found.request, cancel=stopped, finished=kept):
                show(event)
                record.take(event)
                if isinstance(event, FinishedEvent):
                    result = event.result
        if result is None:
            raise RuntimeError("the study ended without a result")
    print_result(result, *record.remarks(result))
    if record.run_id is None:
        fail("the library took none of it", EXIT_NO_RESULT)
    exit_by(result)
