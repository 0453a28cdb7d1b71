"""Jobs stream, stop, fail politely, and outlive whoever started them."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

import numpy as np
import pytest

from relaxdesign.io.fields import FieldError
from relaxdesign.library import Store, UnknownRun
from relaxdesign.library.recording import RunRecorder
from relaxdesign.server import JobLimit, JobManager, Limits
from relaxdesign.server.worker import OutOfMemory, WorkerDied
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import DEFAULT_PRIORS, RequestError
from tests.scripted_study import scripted_design, scripted_step, scripted_study

REQUEST = DesignRequest(target_bulk=100.0, count=3, steps=5)


@pytest.fixture
def store(database_url) -> Store:
    return Store(database_url)


@pytest.fixture
def manage(store):
    managers = []

    def start(study, **limits) -> JobManager:
        managers.append(JobManager(store, study, Limits(**limits)))
        return managers[-1]

    yield start
    for manager in managers:
        manager.close()


class Gate:
    """Wraps a study so that the test lets its events through one by one."""

    def __init__(self, study):
        self._study = study
        self._pass = threading.Semaphore(0)
        self._arrived = threading.Semaphore(0)

    def __call__(self, request, **arguments):
        for event in self._study(request, **arguments):
            yield event
            self._arrived.release()
            self._pass.acquire(timeout=10)

    def next(self) -> None:
        """Waits until one more event was taken by the job."""
        assert self._arrived.acquire(timeout=10)
        self._pass.release()

    def open(self) -> None:
        for _ in range(1000):
            self._pass.release()


def test_snapshot_is_the_latest_step(manage):
    gate = Gate(scripted_study())
    manager = manage(gate)
    run_id = manager.submit(REQUEST)
    gate._arrived.acquire(timeout=10)  # holds the study after its first step
    gate._arrived.release()
    first = manager.snapshot(run_id)
    assert first.live and first.frame.step == 1 and first.curves.step == [1]
    assert first.remaining is None  # one step says nothing about the pace
    gate.next()
    gate._arrived.acquire(timeout=10)
    second = manager.snapshot(run_id)
    assert second.frame.step == 2 and second.curves.step == [1, 2]
    assert [frame.step for frame in second.since(0)] == [1, 2]
    assert [frame.step for frame in second.since(1)] == [frame.step for frame in second.since(9)] == [2]
    assert second.remaining == pytest.approx(0.03)
    assert first.curves.step == [1], "a snapshot must not change afterwards"
    gate.open()
    assert manager.wait(run_id, 10)


def test_finished_run_is_read_from_the_library(manage, store):
    manager = manage(scripted_study())
    run_id = manager.submit(REQUEST)
    assert manager.wait(run_id, 10)
    snapshot = manager.snapshot(run_id)
    assert snapshot.state == "finished" and len(snapshot.designs) == 3
    assert snapshot.curves.step == [1, 2, 3, 4, 5]
    assert store.result(run_id).prior == "scripted"


def test_what_is_shown_has_been_stored_before(manage, store, monkeypatch):
    shown = []
    manager = manage(scripted_study())
    save = store.save_design

    def observed(run_id, design):
        shown.append([known.index for known in manager.snapshot(run_id).designs])
        save(run_id, design)

    monkeypatch.setattr(store, "save_design", observed)
    assert manager.wait(manager.submit(REQUEST), 10)
    assert shown == [[], [0], [0, 1]], "a server killed while it stores a design must not have shown it"


def test_cancel_while_running_keeps_what_there_is(manage, store):
    gate = Gate(scripted_study())
    manager = manage(gate)
    run_id = manager.submit(REQUEST)
    gate._arrived.acquire(timeout=10)
    manager.cancel(run_id)
    assert manager.snapshot(run_id).stopping
    gate.open()
    assert manager.wait(run_id, 10)
    assert store.run(run_id).status == "cancelled"
    assert store.curves(run_id).step == [1]


def test_runs_of_another_process_are_watched_and_stopped_in_the_library(manage, store):
    manager = manage(scripted_study())
    run_id = store.create_run(REQUEST)
    recorder = RunRecorder(store, run_id)
    for step in (1, 2):
        recorder.keep_step(scripted_step(REQUEST, step), seconds=1.0)
    recorder.keep_design(scripted_design(0), seconds=2.0)
    snapshot = manager.snapshot(run_id)
    assert snapshot.live and snapshot.elsewhere and snapshot.state == "running"
    assert [frame.step for frame in snapshot.recent] == [1, 2] and len(snapshot.designs) == 1
    assert recorder.wanted()
    manager.pause(run_id)
    assert manager.snapshot(run_id).state == "running", "only its own process can hold it"
    manager.cancel(run_id)
    assert not recorder.wanted() and not manager.snapshot(run_id).live
    recorder.stop("interrupted", 3.0)
    ended = manager.snapshot(run_id)
    assert ended.state == "interrupted" and ended.curves.step == [1, 2] and not ended.recent
    manager.cancel(run_id)
    assert store.run(run_id).status == "interrupted", "what has ended stays as it is"
    manager.cancel("deleted")


def test_queue_is_first_come_first_served(manage, store):
    gate = Gate(scripted_study())
    manager = manage(gate)
    first = manager.submit(REQUEST)
    gate._arrived.acquire(timeout=10)
    second, third = manager.submit(REQUEST), manager.submit(REQUEST)
    assert [manager.snapshot(run).ahead for run in (first, second, third)] == [0, 1, 2]
    assert manager.snapshot(third).state == "queued"
    manager.cancel(second)
    assert store.run(second).status == "cancelled"
    assert manager.snapshot(third).ahead == 1
    gate.open()
    assert manager.wait(first, 10) and manager.wait(third, 10)
    assert store.run(third).status == "finished"


def test_failure_has_an_id_in_the_log_and_the_worker_goes_on(manage, store, caplog):
    failing = scripted_study(fail_at=3)
    healthy = scripted_study()
    studies = iter([failing, healthy])
    manager = manage(lambda request, **arguments: next(studies)(request, **arguments))
    with caplog.at_level(logging.ERROR):
        first = manager.submit(REQUEST)
        second = manager.submit(REQUEST)
        assert manager.wait(first, 10) and manager.wait(second, 10)
    record = store.run(first)
    assert record.status == "failed" and len(record.error_id) == 6
    assert "scripted" not in record.error, "the text of an internal error is for the log"
    assert record.error_id in caplog.text and "ZeroDivisionError" in caplog.text
    assert store.curves(first).step == [1, 2]
    assert store.run(second).status == "finished"


@pytest.mark.parametrize(
    "refusal",
    [
        RequestError("K = 100 GPa cannot be reached; reachable are 1 to 9 GPa"),
        FieldError("cell.npz: there is no such file"),
        OutOfMemory("The run needed more memory than it may take."),
    ],
)
def test_refused_request_is_told_as_it_is(manage, store, refusal):
    manager = manage(scripted_study(fail_at=1, error=refusal))
    run_id = manager.submit(REQUEST)
    assert manager.wait(run_id, 10)
    record = store.run(run_id)
    assert (record.status, record.error, record.error_id) == ("failed", str(refusal), "")


def test_a_process_that_died_names_the_likely_cause(manage, store):
    manager = manage(scripted_study(fail_at=1, error=WorkerDied("exit code -9")))
    run_id = manager.submit(REQUEST)
    assert manager.wait(run_id, 10)
    record = store.run(run_id)
    assert "lack of memory" in record.error and "-9" not in record.error and record.error_id


@pytest.mark.parametrize(
    "named",
    [
        {"start": "/etc/passwd"},
        {"start": "cell.npz"},
        {"prior": "/srv/own.safetensors"},
        {"prior": "own.safetensors"},
        {"prior": f"../models/{DEFAULT_PRIORS[2]}"},
    ],
)
def test_requests_that_name_files_are_refused(manage, store, named):
    manager = manage(scripted_study())
    request = REQUEST.model_copy(update=named)
    (path,) = named.values()
    with pytest.raises(JobLimit, match="This request") as refused:
        manager.submit(request)
    assert path not in str(refused.value)
    assert store.count_runs() == 0
    run_id = store.create_run(request)  # of the command line, which may name files
    store.stop(run_id, "cancelled")
    with pytest.raises(JobLimit, match="relaxdesign design"):
        manager.resume(run_id)
    assert store.run(run_id).status == "cancelled"
    shipped = REQUEST.model_copy(update={"prior": DEFAULT_PRIORS[2]})
    assert manager.wait(manager.submit(shipped), 10)


def test_study_without_an_end_is_a_failure(manage, store):
    manager = manage(lambda request, **_: iter([scripted_step(request, 1)]))
    run_id = manager.submit(REQUEST)
    assert manager.wait(run_id, 10)
    assert store.run(run_id).status == "failed"


def test_one_process_serves_one_run_after_the_other(manage, monkeypatch):
    started = []

    class Process:
        def __init__(self):
            started.append(self)
            self.left = False

        def __call__(self, request, **arguments):
            try:
                yield from scripted_study()(request, **arguments)
            except GeneratorExit:
                self.left = True
                raise

        def close(self):
            pass

    monkeypatch.setattr("relaxdesign.server.manager.StudyProcess", Process)
    manager = manage(None)
    for _ in range(2):
        assert manager.wait(manager.submit(REQUEST), 10)
    assert len(started) == 1 and not started[0].left, "starting one takes seconds"


def test_run_deleted_while_computed_ends_quietly(manage, store):
    gate = Gate(scripted_study())
    manager = manage(gate)
    run_id = manager.submit(REQUEST)
    gate._arrived.acquire(timeout=10)
    store.delete(run_id)
    gate.open()
    assert manager.wait(run_id, 10)
    with pytest.raises(UnknownRun):
        manager.snapshot(run_id)


def test_new_server_marks_what_the_old_one_left(manage, database_url):
    before = Store(database_url, owner="host:1:a", clock=lambda: datetime(2026, 1, 1))
    run_id = before.create_run(REQUEST)
    before.mark_running(run_id)
    manager = manage(scripted_study())
    assert manager.snapshot(run_id).state == "interrupted"


def test_users_take_turns(manage):
    gate = Gate(scripted_study())
    manager = manage(gate)
    greedy = [manager.submit(REQUEST, user="greedy") for _ in range(3)]
    modest = manager.submit(REQUEST, user="modest")
    assert [manager.snapshot(run).ahead for run in (greedy[0], modest, *greedy[1:])] == [0, 1, 2, 3]
    other = manager.submit(REQUEST, user="other")
    assert [manager.snapshot(run).ahead for run in (modest, other, *greedy[1:])] == [1, 2, 3, 4]
    gate.open()
    assert manager.wait(greedy[2], 10)


def test_queue_of_a_user_is_limited(manage):
    manager = manage(Gate(scripted_study()), queued=2)
    for _ in range(3):
        manager.submit(REQUEST, user="greedy")
    with pytest.raises(JobLimit, match="2 runs"):
        manager.submit(REQUEST, user="greedy")
    assert manager.snapshot(manager.submit(REQUEST, user="modest")).state == "queued"


def test_queue_of_a_server_is_limited_over_all_users(manage):
    manager = manage(Gate(scripted_study()), queued_total=2)
    for number in range(3):
        manager.submit(REQUEST, user=f"tab-{number}")
    with pytest.raises(JobLimit, match="2 runs wait on this server"):
        manager.submit(REQUEST, user="tab-3")


def test_paused_run_waits_and_gives_its_place_away(manage, store):
    manager = manage(scripted_study(pause=0.02), paused=1)
    first = manager.submit(REQUEST.model_copy(update={"steps": 200}))
    second = manager.submit(REQUEST)
    while manager.snapshot(first).frame is None:
        pass
    manager.pause(first)
    assert manager.wait(second, 10), "the next run starts although the first has not ended"
    held = manager.snapshot(first)
    assert held.state == "paused" and held.live and store.run(first).status == "running"
    assert manager.snapshot(first).frame is held.frame and held.frame.step < 200
    manager.resume(first)
    assert manager.snapshot(first).state == "running"
    while manager.snapshot(first).frame is held.frame:
        pass
    manager.pause(first)
    third = manager.submit(REQUEST)
    while manager.snapshot(third).state != "running":
        pass
    with pytest.raises(JobLimit, match="1 paused"):
        manager.pause(third)
    manager.cancel(first)
    assert manager.wait(first, 10) and store.run(first).status == "cancelled", "a paused run can be stopped"


def test_interrupted_run_is_computed_again_and_keeps_its_designs(manage, store):
    run_id = store.create_run(REQUEST)
    store.save_design(run_id, scripted_design(0, REQUEST.target_bulk))
    store.stop(run_id, "interrupted")
    given = []

    def study(request, *, finished, **arguments):
        given.extend(finished)
        return scripted_study()(request, **arguments)

    gate = Gate(study)
    manager = manage(gate)
    manager.resume(run_id)
    gate._arrived.acquire(timeout=10)
    snapshot = manager.snapshot(run_id)
    assert snapshot.state == "running" and [design.index for design in snapshot.designs] == [0]
    assert [design.index for design in given] == [0], "the study need not make it again"
    gate.open()
    assert manager.wait(run_id, 10)
    assert store.run(run_id).status == "finished" and len(store.designs(run_id)) == REQUEST.count
    manager.resume(run_id)
    assert manager.snapshot(run_id).state == "finished", "there is nothing to resume"


def test_every_step_can_be_replayed(manage):
    manager = manage(scripted_study())
    run_id = manager.submit(REQUEST)
    assert manager.wait(run_id, 10)
    replay = manager.replay(run_id)
    assert [frame.step for frame in replay] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(replay[0].low, scripted_step(REQUEST, 1).young.min((1, 2, 3)))


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("RELAXDESIGN_QUEUED", "5")
    monkeypatch.setenv("RELAXDESIGN_QUEUED_TOTAL", "50")
    assert Limits.from_environment() == Limits(queued=5, queued_total=50)
    monkeypatch.setenv("RELAXDESIGN_QUEUED", "many")
    with pytest.raises(ValueError, match="whole numbers"):
        Limits.from_environment()
