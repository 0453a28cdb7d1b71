"""Visitors use the queue by their rights, and take turns whatever number of tabs they open."""

from __future__ import annotations

import pytest

from relaxdesign.library import NotYours, Store, UnknownRun, Viewer
from relaxdesign.server import JobLimit, JobManager, Limits, Visit
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_study
from tests.server.test_jobs import Gate

REQUEST = DesignRequest(target_bulk=100.0, count=3, steps=5)
ANNA, BEN = Viewer("anna", known=True), Viewer("ben", known=True)
CARL = Viewer("carl", admin=True, known=True)


@pytest.fixture
def gate():
    return Gate(scripted_study())


@pytest.fixture
def manager(database_url, gate):
    manager = JobManager(Store(database_url), gate, Limits(queued=2))
    yield manager
    gate.open()
    manager.close()


def test_a_run_is_of_who_asked_for_it(manager):
    anna, ben = Visit(manager, ANNA, "anna", private=True), Visit(manager, BEN, "ben")
    secret, shared = anna.submit(REQUEST), ben.submit(REQUEST)
    assert (manager.store.run(secret).author, manager.store.run(secret).private) == ("anna", True)
    assert not manager.store.run(shared).private
    assert anna.snapshot(shared).live and not anna.may_change(shared)
    for look in (ben.snapshot, ben.replay, ben.cancel):
        with pytest.raises(UnknownRun):
            look(secret)
    for change in (anna.cancel, anna.pause, anna.resume):
        with pytest.raises(NotYours, match="ben's"):
            change(shared)
    assert manager.snapshot(shared).live
    Visit(manager, CARL, "carl").cancel(shared)
    assert manager.snapshot(shared).state == "cancelled"


def test_without_a_login_nothing_is_private_and_all_is_stopped(manager):
    run_id = Visit(manager, Viewer("~1"), "10.0.0.1", private=True).submit(REQUEST)
    assert not manager.store.run(run_id).private
    other = Visit(manager, Viewer("~2"), "10.0.0.2")
    assert other.is_asked_before(run_id) and other.may_change(run_id)
    other.cancel(run_id)
    assert manager.snapshot(run_id).stopping


def test_a_user_with_many_tabs_does_not_fill_the_queue(manager):
    tabs = [Visit(manager, Viewer(f"~{number}"), "10.0.0.1") for number in range(4)]
    for tab in tabs[:3]:
        tab.submit(REQUEST)
    with pytest.raises(JobLimit, match="2 runs of yours"):
        tabs[3].submit(REQUEST)
    other = Visit(manager, Viewer("~9"), "10.0.0.2").submit(REQUEST)
    assert manager.snapshot(other).ahead == 1, "after the one that is computed"
