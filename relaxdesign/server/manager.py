"""The queue of a server, and a thread for each run that it computes."""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from sqlalchemy.exc import SQLAlchemyError

from relaxdesign.library import LIVE_STATES, Leases, LostRun, Store, UnknownRun
from relaxdesign.library.leases import BEAT_S
from relaxdesign.library.recording import RunRecorder, check_room, end_run
from relaxdesign.library.replay import Replay, Replays
from relaxdesign.server.endings import Endings
from relaxdesign.server.failures import explained, refusing
from relaxdesign.server.job import RECENT, Job, Snapshot
from relaxdesign.server.limits import JobLimit, Limits, check_names_no_file
from relaxdesign.server.turns import Turns, count
from relaxdesign.server.worker import StudyProcess
from relaxdesign.study.events import DesignEvent, Event, FinishedEvent
from relaxdesign.study.request import DesignRequest

logger = logging.getLogger(__name__)

GRACE_S = 4.0
"""How long the end of a server waits for runs to end their step; systems kill after about ten seconds."""

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
        self._leases = Leases(store)
        self._endings = Endings()
        self._busy: set[StudyProcess] = set()
        self._idle: list[StudyProcess] = []
        if study is None:
            self._idle = [StudyProcess() for _ in range(self.limits.running)]  # they load while the first page is read
        self._changed = threading.Condition()
        self._jobs: dict[str, Job] = {}  # all live ones by submission; ended ones are read from the store
        self._turns = Turns(self.limits)
        self._closed = False
        self._ended = threading.Event()
        self._interrupt_orphans()
        self.replays.prune(self._is_known)
        with contextlib.suppress(SQLAlchemyError):  # a library that can be read only
            self._adopt()
        tending = threading.Thread(target=_tend, args=(weakref.ref(self), self._ended), daemon=True)
        tending.start()

    def submit(
        self, request: DesignRequest, name: str = "", *, user: str = "", author: str = "", private: bool = False
    ) -> str:
        """Queues a run and returns its id. user: whose turn it takes. author, private: as the library keeps them.

        Raises JobLimit for a full queue, and for a request that names a file.
        """
        self._admit(request, user)
        with refusing():
            run_id = self.store.create_run(request, name, author=author, private=private)
        self._enqueue(Job(run_id, request, user))
        return run_id

    def resume(self, run_id: str, *, user: str = "") -> None:
        """Lets a paused run go on, or computes an ended one again with the same seed, keeping its designs.

        Raises UnknownRun and JobLimit. No-op for a run that is queued, running or finished, wherever.
        """
        with self._changed:
            job = self._jobs.get(run_id)
            if job is not None:
                if job.state == "paused":
                    job.state = "queued"
                    self._start_next()
                return
        record, unstored = self.store.run(run_id), self._endings.shown(run_id)
        state = record.status if unstored is None else unstored.state
        if state == "finished" or state in LIVE_STATES:
            return
        self._admit(record.request, user)
        try:
            with refusing():
                self.store.requeue(run_id)
        except LostRun:  # somebody else was faster
            return
        self._endings.forget(run_id)
        self._enqueue(Job(run_id, record.request, user, kept=self.store.designs(run_id)))

    def pause(self, run_id: str) -> None:
        """Holds a running run after its current step and lets the next one start. Raises JobLimit."""
        with self._changed:
            job = self._jobs.get(run_id)
            if job is None or job.state != "running" or job.cancelled:
                logger.info("run %s was not paused: it is not running (any more)", run_id)
                return
            if count(self._jobs.values(), "paused") >= self.limits.paused:
                raise JobLimit(f"This server holds {self.limits.paused} paused runs at most. Stop or resume another.")
            job.hold()
            job.state = "paused"
            self._start_next()

    def cancel(self, run_id: str) -> None:
        """Stops a run: at once while queued, else after its current step. No-op for one that has ended or is unknown.

        One that another process computes is stopped in the library, where that looks.
        """
        with self._changed:
            job = self._jobs.get(run_id)
            if job is not None:
                job.cancel()
                if job.started:
                    return
                ended = replace(job.snapshot(), state="cancelled")
                del self._jobs[run_id]
                self._changed.notify_all()
        if job is None:
            self.store.cancel(run_id)
        else:
            self._endings.settle(ended, lambda: self.store.cancel(run_id))

    def snapshot(self, run_id: str) -> Snapshot:
        """The state of a live run, or from the library of one that has ended or is another process's.

        Of one whose end the library could not take, how it ended. Raises UnknownRun.
        """
        with self._changed:
            job = self._jobs.get(run_id)
            if job is not None:
                ahead = self._turns.ahead(self._jobs.values(), job) if job.state == "queued" else 0
                return job.snapshot(ahead)
        if (ended := self._endings.shown(run_id)) is not None:
            return ended
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

    def close(self, grace: float = GRACE_S) -> None:
        """Ends the server's work: queued runs wait for the next server, others are interrupted and can be resumed.

        grace: seconds for runs to come to the end of their step; after it their processes are killed. A second call
        returns when the first is done.
        """
        with self._changed:
            first, self._closed = not self._closed, True
        if not first:
            self._ended.wait()
            return
        try:
            self._give_back([job.run_id for job in self._leaving()])
            self._await_end(grace)
            self._endings.retry()
            for process in self._idle:
                process.close()
        finally:
            self._ended.set()

    def tend(self) -> None:
        """What is done every few seconds: signs of life, and a look at what other processes did, or left behind."""
        with self._changed:
            jobs = dict(self._jobs)
        left = self._leases.beat({run_id: "running" if job.started else "queued" for run_id, job in jobs.items()})
        for run_id in left:
            self._leave(jobs[run_id])
        self._endings.retry()
        self._interrupt_orphans()
        self._adopt()

    # -- whose turn it is; all under the lock ----------------------------------------------------

    def _admit(self, request: DesignRequest, user: str) -> None:
        """Raises JobLimit for a run that is not taken on."""
        check_names_no_file(request)
        with refusing():
            check_room(self.store)
        with self._changed:
            self._turns.admit(self._jobs.values(), user)

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            if not self._closed:
                self._jobs[job.run_id] = job
                self._start_next()
                return
        self._give_back([job.run_id])

    def _start_next(self) -> None:
        while not self._closed and (job := self._turns.next(self._jobs.values())) is not None:
            self._turns.served(job)
            job.state = "running"
            if not job.started:
                threading.Thread(target=self._work, args=(job,), name=f"relaxdesign-{job.run_id}", daemon=True).start()
            job.go()

    # -- in agreement with other processes -------------------------------------------------------

    def _leave(self, job: Job) -> None:
        """Stops a run that somebody stopped or took over elsewhere."""
        with self._changed:
            if self._jobs.get(job.run_id) is job:  # it has not ended meanwhile
                job.cancel()
                if not job.started:
                    del self._jobs[job.run_id]
                    self._changed.notify_all()

    def _interrupt_orphans(self) -> None:
        if orphans := self.store.interrupt_orphans():
            logger.warning("%d run(s) of an earlier server were interrupted", orphans)

    def _adopt(self) -> None:
        """Queues runs that other servers gave back when they ended."""
        with self._changed:
            room = self._turns.room(self._jobs.values())
            if self._closed:
                return
        for record in self._leases.adopt(room):
            try:
                check_names_no_file(record.request)
            except JobLimit as refusal:
                self.store.stop(record.id, "failed", error=str(refusal))
            else:
                self._enqueue(Job(record.id, record.request, record.author, kept=self.store.designs(record.id)))

    def _give_back(self, run_ids: Iterable[str]) -> None:
        try:
            self._leases.release(run_ids)
        except SQLAlchemyError:
            logger.exception("queued runs could not be given back; they will be interrupted")

    def _leaving(self) -> list[Job]:
        """Interrupts the runs that are computed; takes the others out of the queue."""
        with self._changed:
            waiting = [job for job in self._jobs.values() if not job.started]
            self._jobs = {run_id: job for run_id, job in self._jobs.items() if job.started}
            for job in self._jobs.values():
                job.interrupt()
        return waiting

    def _await_end(self, grace: float) -> None:
        """Waits for the runs to end; ends those that do not by themselves."""
        with self._changed:
            if self._changed.wait_for(lambda: not self._jobs, grace):
                return
            busy = set(self._busy)
        for process in busy:
            process.close()
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs, grace if busy else 0)
            left = list(self._jobs.values())
        for job in left:
            self._end(job, "interrupted")

    # -- a thread per run ------------------------------------------------------------------------

    def _work(self, job: Job) -> None:
        study = self._study or self._take_process()
        try:
            self._run(job, study)
        except UnknownRun:
            logger.info("run %s was deleted while it was computed", job.run_id)
        except LostRun as lost:
            logger.info("%s", lost)
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
            for event in study(job.request, cancel=lambda: job.stopping, finished=job.kept):
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
            if job.interrupted and result.status == "cancelled":
                self._end(job, "interrupted")
                return
            whole = result
            self._endings.settle(replace(job.snapshot(), state=whole.status), lambda: recorder.finish(whole))

    def _take_process(self) -> StudyProcess:
        with self._changed:
            process = self._idle.pop() if self._idle else StudyProcess()
            self._busy.add(process)
        return process

    def _put_back(self, process: StudyProcess) -> None:
        self._busy.discard(process)
        if self._closed or len(self._idle) >= self.limits.running:
            process.close()
        else:
            self._idle.append(process)

    def _fail(self, job: Job, error: Exception) -> None:
        if job.interrupted:
            self._end(job, "interrupted")
            return
        self._end(job, "failed", *explained(job.run_id, error))

    def _end(self, job: Job, state: str, message: str = "", error_id: str = "") -> None:
        """Stores that a run ended without a result."""
        ended = replace(job.snapshot(), state=state, message=message, error_id=error_id)
        curves, seconds = job.curves, job.seconds

        def write() -> None:
            end_run(self.store, job.run_id, state, curves, seconds, error=message, error_id=error_id)

        self._endings.settle(ended, write)

    def _is_known(self, run_id: str) -> bool:
        try:
            self.store.run(run_id)
        except UnknownRun:
            return False
        return True


def _tend(reference: weakref.ref[JobManager], ended: threading.Event) -> None:
    """Tends a queue until it ends, or nobody has it any more."""
    while not ended.wait(BEAT_S):
        manager = reference()
        if manager is None:
            return
        try:
            manager.tend()
        except Exception as error:  # a full disk, a database that restarts: the next time may go well
            logger.warning("the library could not be told what this server computes: %s", error)
        del manager
