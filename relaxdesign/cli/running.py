"""A study on the terminal: with its progress, ended by Ctrl-C, kept in the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from relaxdesign.cli.console import stop_on_interrupt
from relaxdesign.cli.recording import Recording, recording
from relaxdesign.cli.showing import study_progress

if TYPE_CHECKING:
    from relaxdesign.study.events import Event
    from relaxdesign.study.request import DesignRequest
    from relaxdesign.study.result import Design, DesignResult


def run_study(
    request: DesignRequest,
    *,
    library: bool = True,
    resumed: str | None = None,
    finished: Sequence[Design] = (),
    prepare: Callable[[], None] = lambda: None,
    heed: Callable[[Event], None] = lambda event: None,
) -> tuple[DesignResult, Recording]:
    """The result of a request, whole or what there was at Ctrl-C or a stop by the app, and its entry in the library.

    library: whether to make an entry. resumed: the run that goes on. finished: designs that are kept. prepare: called
    once the request was found feasible, before anything is kept. heed: takes every event. Raises what `study.run` does.
    """
    from relaxdesign.study import run as study
    from relaxdesign.study.events import FinishedEvent

    with (
        stop_on_interrupt() as stopped,
        study_progress(request) as show,
        recording(request, wanted=library, resumed=resumed) as record,
    ):

        def cancelled() -> bool:
            return stopped() or record.stopped()

        for number, event in enumerate(study.run(request, cancel=cancelled, finished=finished)):
            if number == 0:
                prepare()
            show(event)
            record.take(event)
            heed(event)
            if isinstance(event, FinishedEvent):
                return event.result, record
    raise RuntimeError("the study ended without a result")
