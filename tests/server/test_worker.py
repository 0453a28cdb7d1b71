"""The study in a child process: same events, same errors, and a crash ends one run only."""

import itertools
import sys
from pathlib import Path

import pytest

from relaxdesign.server.worker import OutOfMemory, StudyProcess, WorkerDied, memory_limit_mb
from relaxdesign.study.events import DesignEvent, FinishedEvent, StepEvent
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import RequestError

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
    with pytest.raises(WorkerDied, match="exit code"):
        list(run)
    assert isinstance(list(study(REQUEST, cancel=never))[-1], FinishedEvent)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory of a process is not limited")
def test_a_run_that_needs_too_much_memory_says_so_and_the_next_one_goes_on(study):
    import resource

    list(study(REQUEST, cancel=never))
    child = study._process.pid
    before = resource.prlimit(child, resource.RLIMIT_DATA)
    assert before[0] == memory_limit_mb() * 2**20
    status = dict(line.split(":", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
    used = int(status["VmData"].split()[0]) * 1024
    resource.prlimit(child, resource.RLIMIT_DATA, (used + 2**26, before[1]))
    with pytest.raises(OutOfMemory, match="fewer candidates"):
        list(study(DesignRequest(target_bulk=100.0, count=64, steps=2), cancel=never))
    resource.prlimit(study._process.pid, resource.RLIMIT_DATA, before)
    assert isinstance(list(study(REQUEST, cancel=never))[-1], FinishedEvent)


def test_the_memory_limit_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("RELAXDESIGN_MEMORY_MB", "3000")
    assert memory_limit_mb() == 3000
    for text in ("lots", "0", "-1"):
        monkeypatch.setenv("RELAXDESIGN_MEMORY_MB", text)
        with pytest.raises(ValueError, match="RELAXDESIGN_MEMORY_MB"):
            memory_limit_mb()
