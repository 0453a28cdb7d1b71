"""The queue of a server, and a thread for each run that it computes."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator

from relaxdesign.library import LIVE_STATES, Store, UnknownRun
from relaxdesign.library.recording import RunRecorder
from relaxdesign.library.replay import Replay, Replays
from relaxdesign.server.job import RECENT, Job, Snapshot
from relaxdesign.server.limits import JobLimit, Limits, check_names_no_file
from relaxdesign.server.worker import OutOfMemory, StudyProcess, WorkerDied
from relaxdesign.study.events import DesignEvent, Event, FinishedEvent
from relaxdesign.study.request import DesignRequest

logger = logging.getLogger(__name__)

Study = Callable[..., Iterator[Event]]


class JobManager:
    """The queue of a server and the threads that work through it.

    study: in place of ``relaxdesign.study.run.run`` in processes of its own. limits: None: those of the environment.
    """

    def __init__(self, store: Store, study: Study | None = None, limits: Limits | None = None):
        self.store = store
        self.replays = Replays.beside(store.engine.url)
        self.limits = limits or Limits.from_environment()
        self._study = study
        self._idle: list[StudyProcess] = []
        if study is None:
            self._idle = [StudyProcess() for _ in range(self.limits.running)]  # they load while the first page is read
        self._changed = threading.Condition()
        self._jobs: dict[str, Job] = {}  # all live ones by submission; ended ones are read from the store
        self._served: dict[str, int] = {}  # the turn in which a session's job last started
        self._closed = False
        orphans = store.interrupt_orphans()
        if orphans:
            logger.warning("%d run(s) of an earlier server were interrupted", orphans)
        self.replays.prune(self._is_known)

    def submit(self, request: DesignRequest, name: str = "", *, session: str = "") -> str:
        """Queues a run and returns its id. session: whose turn it takes.

        Raises JobLimit for a full queue, and for a request that names a file.
        """
        self._admit(request, session)
        run_id = self.store.create_run(request, name)
        self._enqueue(Job(run_id, request, session))
        return run_id

    def resume(self, run_id: str, *, session: str = "") -> None:
        """Lets a paused run go on, or computes an ended one again with the same seed, keeping its designs.

        Raises UnknownRun and JobLimit. No-op for a run that is queued, running or finished.
        """
        with self._changed:
            job = self._jobs.get(run_id)
            if job is not None:
                if job.state == "paused":
                    job.state = "queued"
                    self._start_next()
                return
        record = self.store.run(run_id)
        if record.status == "finished":
            return
        self._admit(record.request, session)
        self.store.requeue(run_id)
        self._enqueue(Job(run_id, record.request, session, kept=self.store.designs(run_id)))

    def pause(self, run_id: str) -> None:
        """Holds a running run after its current step and lets the next one start. Raises JobLimit."""
        with self._changed:
            job = self._jobs.get(run_id)
            if job is None or job.state != "running" or job.cancelled:
                logger.info("run %s was not paused: it is not running (any more)", run_id)
                return
            if self._count("paused") >= self.limits.paused:
                raise JobLimit(f"This server holds {self.limits.paused} paused runs at most. Stop or resume another.")
            job.hold()
            job.state = "paused"
            self._start_next()

    def cancel(self, run_id: str) -> None:
        """Stops a run: at once while queued, else after its current step. No-op for one that has ended or is unknown.

        One that the command line computes is stopped in the library, where it looks.
        """
        with self._changed:
            job = self._jobs.get(run_id)
            if job is not None:
                job.cancel()
                if job.started:
                    return
                del self._jobs[run_id]
                self._changed.notify_all()
        with contextlib.suppress(UnknownRun):
            if job is not None or self.store.run(run_id).status in LIVE_STATES:
                self.store.stop(run_id, "cancelled")

    def snapshot(self, run_id: str) -> Snapshot:
        """The state of a live run, or from the library of one that has ended or is another process's.

        Raises UnknownRun.
        """
        with self._changed:
            job = self._jobs.get(run_id)
            if job is not None:
                ahead = self._queue().index(job) + self._count("running") if job.state == "queued" else 0
                return job.snapshot(ahead)
        record = self.store.run(run_id)
        live = record.status in LIVE_STATES
        replay = self.replays.open(run_id) if live else None
        return Snapshot(
            run_id=run_id,
            request=record.request,
            state=record.status,
            curves=self.store.curves(run_id),
            designs=tuple(self.store.designs(run_id)),
            recent=() if replay is None else replay.latest(RECENT),
            elsewhere=live,
            seconds=record.seconds or 0.0,
            message=record.error,
            error_id=record.error_id,
        )

    def replay(self, run_id: str) -> Replay | None:
        """What was kept of the denoising; None for runs without."""
        return self.replays.open(run_id)

    def wait(self, run_id: str, timeout: float | None = None) -> bool:
        """Blocks until the run has ended; False when the time was over first."""
        with self._changed:
            return self._changed.wait_for(lambda: run_id not in self._jobs, timeout)

    def close(self) -> None:
        """Cancels everything and ends the processes."""
        with self._changed:
            self._closed = True
            live = list(self._jobs)
        for run_id in live:
            self.cancel(run_id)
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs, timeout=10)
        for process in self._idle:
            process.close()

    # -- whose turn it is; all under the lock ----------------------------------------------------

    def _admit(self, request: DesignRequest, session: str) -> None:
        """Raises JobLimit for a run that is not taken on."""
        check_names_no_file(request)
        with self._changed:
            waiting = [job.session for job in self._jobs.values() if job.state == "queued"]
        own = waiting.count(session)
        if own >= self.limits.queued:
            raise JobLimit(f"{own} runs of yours wait already. Stop one of them, or wait for the next to start.")
        if len(waiting) >= self.limits.queued_total:
            raise JobLimit(f"{len(waiting)} runs wait on this server already. Try again when some have started.")

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            self._jobs[job.run_id] = job
            self._start_next()

    def _count(self, state: str) -> int:
        return sum(job.state == state for job in self._jobs.values())

    def _queue(self) -> list[Job]:
        """Waiting jobs in the order in which they will start: the session served longest ago first."""
        waiting = [job for job in self._jobs.values() if job.state == "queued"]
        served, turn = dict(self._served), max(self._served.values(), default=0)
        order = []
        while waiting:
            job = min(waiting, key=lambda job: served.get(job.session, 0))  # the first of its session
            waiting.remove(job)
            order.append(job)
            served[job.session] = turn = turn + 1
        return order

    def _start_next(self) -> None:
        for job in self._queue():
            if self._closed or self._count("running") >= self.limits.running:
                break
            self._served[job.session] = max(self._served.values(), default=0) + 1
            job.state = "running"
            if not job.started:
                threading.Thread(target=self._work, args=(job,), name=f"relaxdesign-{job.run_id}", daemon=True).start()
            job.go()

    # -- a thread per run ------------------------------------------------------------------------

    def _work(self, job: Job) -> None:
        study = self._study or self._take_process()
        try:
            self._run(job, study)
        except UnknownRun:
            logger.info("run %s was deleted while it was computed", job.run_id)
        except Exception as error:  # whatever a run does, the next one must find its place
            self._fail(job, error)
        finally:
            with self._changed:
                if isinstance(study, StudyProcess):
                    self._put_back(study)
                self._jobs.pop(job.run_id, None)
                self._start_next()
                self._changed.notify_all()

    def _run(self, job: Job, study: Study) -> None:
        result = None
        with contextlib.closing(RunRecorder(self.store, job.run_id)) as recorder:
            # To its end, also after the result: a study that is left earlier takes its process with it.
            for event in study(job.request, cancel=lambda: job.cancelled, finished=job.kept):
                job.await_turn()  # while it is held nobody takes the next event, and the study goes no further
                # Kept before it is shown: a server killed in between loses nothing that was seen.
                if isinstance(event, FinishedEvent):
                    result = event.result
                elif isinstance(event, DesignEvent):
                    recorder.keep_design(event.design, job.seconds)
                    job.show_design(event.design)
                else:
                    job.show_step(event, recorder.keep_step(event, job.seconds))
            if result is None:
                raise RuntimeError("the study ended without a result")
            recorder.finish(result)

    def _take_process(self) -> StudyProcess:
        with self._changed:
            if self._idle:
                return self._idle.pop()
        return StudyProcess()

    def _put_back(self, process: StudyProcess) -> None:
        if self._closed or len(self._idle) >= self.limits.running:
            process.close()
        else:
            self._idle.append(process)

    def _fail(self, job: Job, error: Exception) -> None:
        if _is_for_users(error):
            error_id, message = "", str(error)
            logger.info("run %s was refused: %s", job.run_id, error)
        else:
            error_id = new_error_id()
            why = "because of an internal error"
            if isinstance(error, WorkerDied):
                why = "with its process, most often for lack of memory: ask for fewer candidates"
            message = f"The computation stopped {why}. What was finished before is kept."
            logger.error("run %s failed, error %s", job.run_id, error_id, exc_info=error)
        try:
            self.store.save_curves(job.run_id, job.curves, job.seconds)
            self.store.stop(job.run_id, "failed", error=message, error_id=error_id, seconds=job.seconds)
        except Exception:
            logger.exception("run %s: its failure could not be stored", job.run_id)

    def _is_known(self, run_id: str) -> bool:
        try:
            self.store.run(run_id)
        except UnknownRun:
            return False
        return True


def new_error_id() -> str:
    """A short id that ties a message on the page to a traceback in the log."""
    return secrets.token_hex(3).upper()


def _is_for_users(error: Exception) -> bool:
    """Whether the error's text was written for users: a request that cannot be used, or a lack of memory."""
    from relaxdesign.io.fields import FieldError
    from relaxdesign.materials.catalogue import CatalogueError
    from relaxdesign.prior.model import PriorError
    from relaxdesign.study.run import RequestError

    return isinstance(error, RequestError | CatalogueError | PriorError | FieldError | OutOfMemory)
