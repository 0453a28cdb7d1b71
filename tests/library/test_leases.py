"""Runs belong to the process that gives signs of life; nobody steals those of another, and the dead lose theirs."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from relaxdesign.library import Leases, LostRun, RunSearch, Store, UnknownRun
from relaxdesign.library.records import Curves
from relaxdesign.study.events import FinishedEvent
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_design, scripted_study

REQUEST = DesignRequest(target_bulk=100.0, count=3, steps=5)
BEAT, MINUTE = timedelta(seconds=5), timedelta(seconds=60)


class Clock:
    """A clock that the test turns."""

    def __init__(self):
        self.time = datetime(2026, 1, 1)

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_as(database_url, clock):
    """``open_as(owner)``: the library as a process of this name sees it. Hosts and numbers do not matter."""
    return lambda owner: Store(database_url, owner=owner, clock=clock)


@pytest.fixture
def here(open_as) -> Store:
    return open_as("host:1:a")


@pytest.fixture
def there(open_as) -> Store:
    """Another container: the same host's name, the same number of the process."""
    return open_as("host:1:b")


@pytest.fixture
def running(here) -> str:
    """A run that is computed here."""
    run_id = here.create_run(REQUEST)
    here.mark_running(run_id)
    return run_id


def result():
    *_, last = scripted_study()(REQUEST)
    assert isinstance(last, FinishedEvent)
    return last.result


def test_who_gives_signs_of_life_keeps_its_runs(here, there, running, clock):
    for _ in range(30):
        clock.time += BEAT
        assert Leases(here).beat({running: "running"}) == set()
        assert there.interrupt_orphans() == 0 and there.run(running).status == "running"
    with pytest.raises(LostRun, match="another process"):
        there.requeue(running)
    with pytest.raises(LostRun):
        there.save_design(running, scripted_design(0))
    here.finish(running, result(), Curves())
    assert there.run(running).status == "finished"


def test_a_dead_owner_is_found_within_a_minute(there, running, clock):
    clock.time += MINUTE / 2
    assert there.interrupt_orphans() == 0, "it may be busy"
    clock.time += MINUTE / 2
    assert there.run(running).status == "interrupted", "readers know it before anybody has written it"
    assert [run.id for run in there.list_runs(search=RunSearch(status=("interrupted",)))] == [running]
    assert there.count_runs(RunSearch(status=("running",))) == 0
    assert there.interrupt_orphans() == 1 and there.interrupt_orphans() == 0


def test_whoever_was_held_up_takes_back_what_nobody_resumed(here, there, running, clock):
    clock.time += MINUTE
    there.interrupt_orphans()
    assert here.wanted(running)
    assert Leases(here).beat({running: "running"}) == set()
    assert there.run(running).status == "running"


def test_whoever_was_held_up_leaves_what_another_resumed(here, there, running, clock):
    clock.time += MINUTE
    there.requeue(running)
    there.mark_running(running)
    assert not here.wanted(running)
    assert Leases(here).beat({running: "running"}) == {running}
    for write in (
        lambda: here.save_design(running, scripted_design(0)),
        lambda: here.save_curves(running, Curves(), 1.0),
        lambda: here.finish(running, result(), Curves()),
        lambda: here.end(running, "failed", error="", error_id="", seconds=1.0),
        lambda: here.mark_running(running),
    ):
        with pytest.raises(LostRun):
            write()
    assert there.run(running).status == "running" and there.designs(running) == []


def test_two_resume_a_run_and_one_computes_it(here, there):
    run_id = here.create_run(REQUEST)
    here.stop(run_id, "interrupted")
    there.requeue(run_id)
    with pytest.raises(LostRun):
        here.requeue(run_id)
    with pytest.raises(UnknownRun):
        here.requeue("nothing")


def test_a_stop_reaches_the_process_that_computes(here, there, running):
    waiting = here.create_run(REQUEST)
    there.cancel(running)
    there.cancel(waiting)
    assert Leases(here).beat({running: "running", waiting: "queued"}) == {running, waiting}
    with pytest.raises(LostRun):
        here.mark_running(waiting)
    here.finish(running, result(), Curves())
    there.cancel(running)
    assert there.run(running).status == "finished", "what has ended stays as it is"


def test_what_ended_is_not_brought_back_by_a_late_sign_of_life(here, running):
    here.end(running, "interrupted", error="", error_id="", seconds=1.0)
    assert Leases(here).beat({running: "running"}) == {running}
    assert here.run(running).status == "interrupted"


def test_queued_runs_that_are_given_back_go_to_one_other_server(here, there, running, clock):
    waiting = [here.create_run(REQUEST) for _ in range(3)]
    Leases(here).release([running, *waiting])
    clock.time += 10 * MINUTE
    assert there.interrupt_orphans() == 1, "the running one was not given back"
    assert {there.run(run_id).status for run_id in waiting} == {"queued"}
    there.cancel(waiting[2])
    assert len(Leases(there).adopt(1)) == 1
    assert len(Leases(here).adopt(9)) == 1
    assert Leases(there).adopt(9) == [] and Leases(here).beat({}) == set()
    assert there.run(waiting[2]).status == "cancelled"
