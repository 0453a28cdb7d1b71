"""The state of a live run, and its control: start, pause and cancel."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from relaxdesign.library import LIVE_STATES, Curves
from relaxdesign.library.replay import Frame
from relaxdesign.study.events import StepEvent
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design

RECENT = 16
"""Steps that a page may catch up on when several were made since it last looked."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What can be shown of a run at one moment.

    state: queued, running, paused, finished, cancelled, failed or interrupted. ahead: jobs that come first while it
    waits. recent: the latest denoising steps; empty before the first and for runs that have ended. elsewhere: computed
    by another process, as the command line: it can be watched and stopped.
    message: why it failed or what is the matter, for the user. error_id: to be found in the log.
    """

    run_id: str
    request: DesignRequest
    state: str
    curves: Curves
    designs: tuple[Design, ...] = ()
    recent: tuple[Frame, ...] = ()
    dropped: dict[int, str] | None = None  # per candidate, why
    ahead: int = 0
    seconds: float = 0.0
    seconds_per_step: float | None = None
    finishing: float = 0.0  # seconds since the last denoising step
    finished: int = 0  # designs since then
    stopping: bool = False
    elsewhere: bool = False
    message: str = ""
    error_id: str = ""

    @property
    def frame(self) -> Frame | None:
        """The latest denoising step."""
        return self.recent[-1] if self.recent else None

    def since(self, step: int) -> tuple[Frame, ...]:
        """The buffered steps after this one; the latest step if there are none."""
        return tuple(frame for frame in self.recent if frame.step > step) or self.recent[-1:]

    @property
    def live(self) -> bool:
        """Whether it still changes."""
        return self.state == "paused" or self.state in LIVE_STATES

    @property
    def denoised(self) -> bool:
        """Whether the last denoising step is done."""
        return self.frame is not None and self.frame.step >= self.frame.steps

    @property
    def remaining(self) -> float | None:
        """Estimated seconds until the last denoising step; None while unknown or past it."""
        if self.frame is None or self.seconds_per_step is None or not self.live:
            return None
        return self.seconds_per_step * (self.frame.steps - self.frame.step)


class Job:
    """One run in the server's hands: the newest event wins, under a lock.

    user: whose turn it takes, see `turns`. kept: designs of an earlier attempt, which are not made again.
    """

    def __init__(self, run_id: str, request: DesignRequest, user: str, kept: Iterable[Design] = ()):
        self.run_id = run_id
        self.request = request
        self.user = user
        self.kept = tuple(kept)
        self.state = "queued"  # changed by the manager only, under its lock
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._leave = threading.Event()
        self._turn = threading.Event()
        self._step: StepEvent | None = None
        self._recent: deque[Frame] = deque(maxlen=RECENT)
        self._first_step: StepEvent | None = None
        self._curves = Curves()
        self._designs = {design.index: design for design in self.kept}
        self._clock = _Clock()
        self._denoised: float | None = None

    def cancel(self) -> None:
        """Asks the study to stop after its current step; what it has is kept."""
        self._cancel.set()
        self._turn.set()

    def interrupt(self) -> None:
        """Asks the study to stop after its current step, as the server ends."""
        self._leave.set()
        self._turn.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    @property
    def interrupted(self) -> bool:
        """Whether the end of the server stops it, and not somebody before."""
        return self._leave.is_set() and not self.cancelled

    @property
    def stopping(self) -> bool:
        return self._cancel.is_set() or self._leave.is_set()

    @property
    def started(self) -> bool:
        """Whether a thread serves the run, computing or waiting for its turn."""
        return self._clock.started

    def go(self) -> None:
        """Lets it compute, for the first time or again."""
        with self._lock:
            self._first_step = None  # the pause is not part of the pace
            self._clock.start()
        self._turn.set()

    def hold(self) -> None:
        """Lets it wait before its next event."""
        self._turn.clear()
        self._clock.stop()

    def await_turn(self) -> None:
        """Blocks while it is held."""
        self._turn.wait()

    def show_step(self, event: StepEvent, frame: Frame) -> None:
        """Takes the newest step, with its fields in the form in which they are stored."""
        with self._lock:
            self._step = event
            self._recent.append(frame)
            self._first_step = self._first_step or event
            self._denoised = self.seconds if event.step >= event.steps else None
            self._curves.append(event)

    def show_design(self, design: Design) -> None:
        """Takes one more finished candidate."""
        with self._lock:
            self._designs[design.index] = design

    @property
    def curves(self) -> Curves:
        with self._lock:
            return self._curves.copy()

    @property
    def seconds(self) -> float:
        return self._clock.seconds

    def _seconds_per_step(self) -> float | None:
        """Pace since the first step, which also pays for loading the prior."""
        first, last = self._first_step, self._step
        if first is None or last is None or last.step == first.step:
            return None
        return (last.seconds - first.seconds) / (last.step - first.step)

    def snapshot(self, ahead: int = 0) -> Snapshot:
        """A copy of the present state."""
        with self._lock:
            return Snapshot(
                run_id=self.run_id,
                request=self.request,
                state=self.state,
                curves=self._curves.copy(),
                designs=tuple(self._designs[index] for index in sorted(self._designs)),
                recent=tuple(self._recent),
                dropped=dict(self._step.messages) if self._step else None,
                ahead=ahead,
                seconds=self.seconds,
                seconds_per_step=self._seconds_per_step(),
                finishing=0.0 if self._denoised is None else self.seconds - self._denoised,
                finished=len(self._designs) - len(self.kept),
                stopping=self.stopping,
            )


class _Clock:
    """Seconds that something was running, without its pauses."""

    def __init__(self) -> None:
        self.started = False
        self._since: float | None = None
        self._before = 0.0

    def start(self) -> None:
        self.started, self._since = True, time.monotonic()

    def stop(self) -> None:
        self._before, self._since = self.seconds, None

    @property
    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else time.monotonic() - self._since)
