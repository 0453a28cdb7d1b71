"""Runs end in a state that is true, whatever happens to the disk, to the server, or on another server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from relaxdesign.library import END_STATES, Store
from relaxdesign.server import JobLimit, JobManager, Limits
from relaxdesign.server.worker import WorkerDied
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_study
from tests.server.test_jobs import Gate

REQUEST = DesignRequest(target_bulk=100.0, count=3, steps=5)
LONG = REQUEST.model_copy(update={"steps": 1000})


@pytest.fixture
def serve():
    """``serve(url, study, owner)``: a server of its own."""
    managers: list[JobManager] = []

    def start(url: str, study, owner: str = "host:1:a", **limits) -> JobManager:
        managers.append(JobManager(Store(url, owner=owner), study, Limits(**limits)))
        return managers[-1]

    yield start
    for manager in managers:
        manager.close(grace=0)


def a_minute_later() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=60)


def after_a_step(manager: JobManager, request: DesignRequest = REQUEST) -> str:
    run_id = manager.submit(request)
    while manager.snapshot(run_id).frame is None:
        pass
    return run_id


# -- a full disk ---------------------------------------------------------------------------------


def test_a_disk_that_fills_up_ends_the_run_in_time(serve, small_disk, monkeypatch):
    disk, fill = small_disk
    monkeypatch.setenv("RELAXDESIGN_FREE_MB", "1")
    gate = Gate(scripted_study())
    manager = serve(f"sqlite:///{disk / 'library.db'}", gate)
    run_id = after_a_step(manager)
    fill(left=200_000)
    gate.open()
    assert manager.wait(run_id, 10)
    ended = manager.snapshot(run_id)
    assert ended.state == "failed" and ended.curves.step == [1]
    assert str(disk) in ended.message and "make room" in ended.message and not ended.error_id
    assert manager.store.run(run_id).status == "failed", "there was room enough to store that"
    with pytest.raises(JobLimit, match=r"make room there, or name other places in RELAXDESIGN_DB"):
        manager.submit(REQUEST)
    with pytest.raises(JobLimit, match="make room"):
        manager.resume(run_id)
    (disk / "ballast").unlink()
    manager.resume(run_id)
    assert manager.wait(run_id, 10) and manager.snapshot(run_id).state == "finished"


def test_a_disk_without_a_byte_leaves_no_run_that_seems_to_be_computed(serve, small_disk, monkeypatch):
    disk, fill = small_disk
    monkeypatch.setenv("RELAXDESIGN_FREE_MB", "0")
    url = f"sqlite:///{disk / 'library.db'}"
    gate = Gate(scripted_study())
    manager = serve(url, gate)
    run_id = after_a_step(manager)
    fill()
    gate.open()
    assert manager.wait(run_id, 10)
    ended = manager.snapshot(run_id)
    assert ended.state == "failed" and "No space left" in ended.message and "make room" in ended.message
    manager.close()
    assert Store(url, clock=a_minute_later).run(run_id).status in END_STATES
    replay = manager.replay(run_id)
    assert replay is not None and [frame.step for frame in replay] == [1, 2, 3, 4, 5][: len(replay)]


@pytest.mark.parametrize(
    ("method", "study", "state"),
    [("end", scripted_study(fail_at=3), "failed"), ("finish", scripted_study(), "finished")],
)
def test_an_end_that_cannot_be_stored_is_shown_and_stored_later(serve, database_url, monkeypatch, method, study, state):
    def full(*_, **__):
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    manager = serve(database_url, study)
    with monkeypatch.context() as patch:
        patch.setattr(manager.store, method, full)
        run_id = manager.submit(REQUEST)
        assert manager.wait(run_id, 10)
        manager.tend()
        shown = manager.snapshot(run_id)
        assert (shown.state, shown.live) == (state, False)
        assert "could not be stored" in shown.message and "make room" in shown.message
        assert manager.store.run(run_id).status == "running"
        later = Store(database_url, clock=a_minute_later)
        assert later.run(run_id).status == "interrupted", "it seems to be computed nowhere"
    manager.tend()
    assert manager.store.run(run_id).status == state
    assert "could not be stored" not in manager.snapshot(run_id).message


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_run_outlives_a_restart_of_the_database(serve, database_url, postgresql_server, monkeypatch):
    monkeypatch.setattr("relaxdesign.library.recording.RETRY_S", 0.05)
    gate = Gate(scripted_study())
    manager = serve(database_url, gate)
    run_id = after_a_step(manager)
    postgresql_server.stop()
    gate.open()  # designs come while there is no database
    assert not manager.wait(run_id, 0.5)
    postgresql_server.start()
    assert manager.wait(run_id, 20)
    ended = manager.snapshot(run_id)
    manager.tend()
    assert ended.state == "finished" and manager.store.run(run_id).status == "finished"
    assert len(manager.store.designs(run_id)) == REQUEST.count


# -- other servers -------------------------------------------------------------------------------


def test_servers_leave_each_others_runs_alone_and_a_stop_reaches_the_other(serve, database_url):
    gate = Gate(scripted_study())
    one = serve(database_url, gate, "host:1:a")
    two = serve(database_url, scripted_study(), "host:1:b")
    running = after_a_step(one)
    waiting, next_one = one.submit(REQUEST), one.submit(REQUEST)
    two.tend()
    two.resume(running)
    assert two.snapshot(running).elsewhere and two.snapshot(running).state == "running"
    assert two.snapshot(waiting).state == "queued"
    two.cancel(running)
    two.cancel(waiting)
    one.tend()
    assert one.snapshot(running).stopping and one.snapshot(waiting).state == "cancelled"
    gate.open()
    assert one.wait(running, 10) and one.wait(next_one, 10)
    assert two.snapshot(running).state == "cancelled" and two.snapshot(running).curves.step == [1]
    assert two.snapshot(next_one).state == "finished"


def test_a_run_that_another_server_took_over_is_left(serve, database_url):
    gate = Gate(scripted_study())
    one = serve(database_url, gate, "host:1:a")
    run_id = after_a_step(one)
    other = Store(database_url, owner="host:1:b", clock=a_minute_later)
    other.requeue(run_id)
    other.mark_running(run_id)
    one.tend()
    gate.open()
    assert one.wait(run_id, 10)
    assert other.run(run_id).status == "running" and other.designs(run_id) == []


# -- the end of a server -------------------------------------------------------------------------


def test_a_server_that_ends_hands_its_queue_to_the_next(serve, database_url):
    one = serve(database_url, scripted_study(pause=0.05), "host:1:a")
    running = after_a_step(one, LONG)
    held = after_a_step_beside(one, running)
    waiting = [one.submit(REQUEST.model_copy(update={"seed": seed})) for seed in (1, 2)]
    one.close(grace=10)
    assert {one.store.run(run_id).status for run_id in (running, held)} == {"interrupted"}
    assert one.store.curves(running).step, "what there was is kept"
    assert {one.store.run(run_id).status for run_id in waiting} == {"queued"}
    two = serve(database_url, scripted_study(), "host:1:b")
    for run_id in waiting:
        assert two.wait(run_id, 10) and two.snapshot(run_id).state == "finished"
    assert two.snapshot(running).state == "interrupted"
    late = one.submit(REQUEST)
    assert one.store.run(late).status == "queued"
    two.tend()
    assert two.wait(late, 10) and two.snapshot(late).state == "finished"


def after_a_step_beside(manager: JobManager, running: str) -> str:
    """A run that is computed in the place of one that is held, and is held itself after its first step."""
    manager.pause(running)
    second = after_a_step(manager, LONG)
    manager.pause(second)
    manager.resume(running)
    return second


def test_a_step_that_takes_too_long_does_not_hold_up_the_end(serve, database_url):
    gate = Gate(scripted_study())
    manager = serve(database_url, gate)
    run_id = after_a_step(manager)
    manager.close(grace=0)
    assert manager.store.run(run_id).status == "interrupted"
    gate.open()
    assert manager.wait(run_id, 10)
    assert manager.store.run(run_id).status == "interrupted", "what comes later is too late"


def test_a_process_that_is_killed_at_the_end_is_no_failure(serve, database_url, monkeypatch):
    class Process:
        def __init__(self):
            self.killed = threading.Event()

        def __call__(self, request, **arguments):
            yield next(scripted_study()(request, **arguments))
            assert self.killed.wait(10)
            raise WorkerDied("exit code -9")

        def close(self):
            self.killed.set()

    monkeypatch.setattr("relaxdesign.server.manager.StudyProcess", Process)
    manager = serve(database_url, None)
    run_id = after_a_step(manager)
    manager.close(grace=0.1)
    record = manager.store.run(run_id)
    assert (record.status, record.error) == ("interrupted", "")


SERVER = """
import signal, sys, threading
from relaxdesign.library import Store
from relaxdesign.server import JobManager, Limits, close_with_process
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_study

over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())  # as Streamlit: the main thread leaves its loop
manager = JobManager(Store(sys.argv[1]), scripted_study(pause=0.05), Limits())
close_with_process(manager)
running, waiting = (manager.submit(DesignRequest(target_bulk=100.0, count=1, steps=1000)) for _ in range(2))
while manager.snapshot(running).frame is None:
    pass
print(running, waiting, flush=True)
while not over.wait(0.1):
    pass
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_interrupts_what_runs_and_leaves_the_queue(database_url):
    command = [sys.executable, "-c", SERVER, database_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        running, waiting = process.stdout.readline().split()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
    store = Store(database_url)
    assert (store.run(running).status, store.run(waiting).status) == ("interrupted", "queued")
    assert store.curves(running).step
