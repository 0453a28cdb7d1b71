"""The study in a child process: same events, same errors, and a crash ends one run only."""

import itertools

import pytest

from relaxdesign.events import DesignEvent, FinishedEvent, StepEvent
from relaxdesign.request import DesignRequest
from relaxdesign.study import RequestError
from relaxdesign.worker import StudyProcess, WorkerError

REQUEST = DesignRequest(target_bulk=100.0, count=2, steps=4)


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def study():
    process = StudyProcess()
    yield process
    process.close()


def test_events_arrive_and_end_with_the_result(study):
    events = list(study(REQUEST, cancel=never))
    kinds = [kind for kind, _ in itertools.groupby(type(event) for event in events)]
    assert kinds == [StepEvent, DesignEvent, FinishedEvent]
    result = events[-1].result
    assert result.status == "finished" and result.request == REQUEST and len(result.designs) == 2


def test_refused_requests_raise_what_the_study_raises(study):
    with pytest.raises(RequestError, match="GPa"):
        list(study(DesignRequest(target_bulk=590.0, count=1, steps=2), cancel=never))
    assert list(study(DesignRequest(target_bulk=100.0, count=1, steps=2), cancel=never))  # it goes on


def test_cancel_reaches_the_child(study):
    long = DesignRequest(target_bulk=100.0, count=1, steps=1000)
    asked = []
    events = []
    for event in study(long, cancel=lambda: bool(asked)):
        events.append(event)
        asked.append(True)
    assert isinstance(events[-1], FinishedEvent) and events[-1].result.status == "cancelled"
    assert len(events) < 500


def test_a_child_that_dies_fails_one_run_and_is_replaced(study):
    run = study(REQUEST, cancel=never)
    next(run)
    study._process.kill()
    with pytest.raises(WorkerError, match="exit code"):
        list(run)
    assert isinstance(list(study(REQUEST, cancel=never))[-1], FinishedEvent)
