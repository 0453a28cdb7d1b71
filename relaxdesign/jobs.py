"""Background jobs: the server computes runs one after the other, whoever is looking or not.

A page submits a request and polls ``JobManager.snapshot(run_id)``; the id in its address is all it needs to find
the run again after a reload or in another browser. The worker writes to the store and to the job, and knows
nothing of Streamlit.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from relaxdesign.events import DesignEvent, Event, FinishedEvent, StepEvent
from relaxdesign.request import DesignRequest
from relaxdesign.result import Design
from relaxdesign.store import LIVE_STATES, Curves, Store, UnknownRun
from relaxdesign.worker import StudyProcess

logger = logging.getLogger(__name__)

Study = Callable[..., Iterator[Event]]

# Curves are rewritten as a whole, so not at every step.
CURVES_INTERVAL_S = 2.0


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What can be shown of a run at one moment.

    state: queued, running, finished, cancelled, failed or interrupted. ahead: jobs that come first while queued.
    step: latest denoising step; None before the first and for runs read back from the library.
    message: why it failed or what is the matter, for the user. error_id: to be found in the log.
    """

    run_id: str
    request: DesignRequest
    state: str
    curves: Curves
    designs: tuple[Design, ...] = ()
    step: StepEvent | None = None
    ahead: int = 0
    seconds: float = 0.0
    seconds_per_step: float | None = None
    stopping: bool = False
    message: str = ""
    error_id: str = ""

    @property
    def live(self) -> bool:
        """Whether it still changes."""
        return self.state in LIVE_STATES

    @property
    def remaining(self) -> float | None:
        """Estimated seconds until the last denoising step; None while unknown or past it."""
        if self.step is None or self.seconds_per_step is None or not self.live:
            return None
        return self.seconds_per_step * (self.step.steps - self.step.step)


class Job:
    """One run in the worker's hands: the newest event wins, under a lock."""

    def __init__(self, run_id: str, request: DesignRequest):
        self.run_id = run_id
        self.request = request
        self._lock = threading.Lock()
        self._cancel = threading.Event()
        self._state = "queued"
        self._step: StepEvent | None = None
        self._first_step: StepEvent | None = None
        self._curves = Curves()
        self._designs: list[Design] = []
        self._started: float | None = None

    def cancel(self) -> None:
        """Asks the study to stop after its current step; what it has is kept."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def start(self) -> None:
        with self._lock:
            self._state, self._started = "running", time.monotonic()

    def take(self, event: StepEvent | DesignEvent) -> None:
        with self._lock:
            if isinstance(event, StepEvent):
                self._step = event
                self._first_step = self._first_step or event
                self._curves.append(event)
            else:
                self._designs.append(event.design)

    @property
    def curves(self) -> Curves:
        with self._lock:
            return self._curves.copy()

    @property
    def seconds(self) -> float:
        return 0.0 if self._started is None else time.monotonic() - self._started

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
                state=self._state,
                curves=self._curves.copy(),
                designs=tuple(self._designs),
                step=self._step,
                ahead=ahead,
                seconds=self.seconds,
                seconds_per_step=self._seconds_per_step(),
                stopping=self.cancelled,
            )


class JobManager:
    """The queue of a server, first come first served, and the thread that works through it.

    study: ``relaxdesign.study.run`` in a process of its own unless another is given.
    """

    def __init__(self, store: Store, study: Study | None = None):
        self.store = store
        self._process = StudyProcess() if study is None else None
        self._study: Study = study or cast(Study, self._process)
        self._changed = threading.Condition()
        self._queue: deque[Job] = deque()
        self._jobs: dict[str, Job] = {}  # queued and running; ended ones are read from the store
        self._closed = False
        orphans = store.interrupt_orphans()
        if orphans:
            logger.warning("%d run(s) of an earlier server were interrupted", orphans)
        self._worker = threading.Thread(target=self._work, name="relaxdesign-worker", daemon=True)
        self._worker.start()

    def submit(self, request: DesignRequest, name: str = "") -> str:
        """Queues a run and returns its id."""
        run_id = self.store.create_run(request, name)
        job = Job(run_id, request)
        with self._changed:
            self._jobs[run_id] = job
            self._queue.append(job)
            self._changed.notify_all()
        return run_id

    def cancel(self, run_id: str) -> None:
        """Stops a run: at once while queued, else after its current step. No-op for one that has ended."""
        with self._changed:
            job = self._jobs.get(run_id)
            if job is None:
                return
            job.cancel()
            if job not in self._queue:
                return
            self._queue.remove(job)
        self.store.stop(run_id, "cancelled")
        self._forget(job)

    def snapshot(self, run_id: str) -> Snapshot:
        """The state of a live run, or of an ended one from the library. Raises UnknownRun."""
        with self._changed:
            job = self._jobs.get(run_id)
            if job is not None:
                ahead = self._queue.index(job) + self._busy() if job in self._queue else 0
                return job.snapshot(ahead)
        record = self.store.run(run_id)
        return Snapshot(
            run_id=run_id,
            request=record.request,
            state=record.status,
            curves=self.store.curves(run_id),
            designs=tuple(self.store.designs(run_id)),
            seconds=record.seconds or 0.0,
            message=record.error,
            error_id=record.error_id,
        )

    def wait(self, run_id: str, timeout: float | None = None) -> bool:
        """Blocks until the run has ended; False when the time was over first."""
        with self._changed:
            return self._changed.wait_for(lambda: run_id not in self._jobs, timeout)

    def close(self) -> None:
        """Cancels everything and ends the worker."""
        with self._changed:
            self._closed = True
            queued = [job.run_id for job in self._queue]
            running = [job for job in self._jobs.values() if job not in self._queue]
            self._changed.notify_all()
        for run_id in queued:
            self.cancel(run_id)
        for job in running:
            job.cancel()
        self._worker.join(timeout=10)
        if self._process is not None:
            self._process.close()

    # -- the worker ------------------------------------------------------------------------------

    def _busy(self) -> int:
        return len(self._jobs) - len(self._queue)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                job = self._queue.popleft()
            try:
                self._run(job)
            except UnknownRun:
                logger.info("run %s was deleted while it was computed", job.run_id)
            except Exception as error:  # whatever a run does, the next one must find a worker
                self._fail(job, error)
            finally:
                self._forget(job)

    def _run(self, job: Job) -> None:
        job.start()
        self.store.mark_running(job.run_id)
        saved = time.monotonic()
        for event in self._study(job.request, cancel=lambda: job.cancelled):
            if isinstance(event, FinishedEvent):
                self.store.finish(job.run_id, event.result, job.curves)
                return
            job.take(event)
            if isinstance(event, DesignEvent):
                self.store.save_design(job.run_id, event.design)
            if time.monotonic() - saved > CURVES_INTERVAL_S:
                self.store.save_curves(job.run_id, job.curves, job.seconds)
                saved = time.monotonic()
        raise RuntimeError("the study ended without a result")

    def _fail(self, job: Job, error: Exception) -> None:
        if _is_for_users(error):
            error_id, message = "", str(error)
            logger.info("run %s was refused: %s", job.run_id, error)
        else:
            error_id = new_error_id()
            message = "The computation stopped because of an internal error. What was finished before is kept."
            logger.error("run %s failed, error %s", job.run_id, error_id, exc_info=error)
        try:
            self.store.save_curves(job.run_id, job.curves, job.seconds)
            self.store.stop(job.run_id, "failed", error=message, error_id=error_id, seconds=job.seconds)
        except Exception:
            logger.exception("run %s: its failure could not be stored", job.run_id)

    def _forget(self, job: Job) -> None:
        with self._changed:
            self._jobs.pop(job.run_id, None)
            self._changed.notify_all()


def new_error_id() -> str:
    """A short id that ties a message on the page to a traceback in the log."""
    return secrets.token_hex(3).upper()


def _is_for_users(error: Exception) -> bool:
    """Whether the text was written for users: refused requests, unusable catalogues, missing priors."""
    from relaxdesign.catalogue import CatalogueError
    from relaxdesign.prior.model import PriorError
    from relaxdesign.study import RequestError

    return isinstance(error, RequestError | CatalogueError | PriorError)
