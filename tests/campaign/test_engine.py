"""Real worker processes: they die, raise and are cancelled, and the other tasks do not notice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from dask import config
from distributed import Client, KilledWorker, Security

from relaxdesign.campaign import run_tasks, workers
from tests.ports import listening


@pytest.fixture(scope="module")
def client():
    with workers(count=2) as client:
        yield client


def square(number: int) -> int:
    return number * number


def variable(name: str) -> str | None:
    return os.environ.get(name)


def fail_on_seven(task: tuple[int, str]) -> int:
    number, folder = task
    with (Path(folder) / f"tried-{number}").open("a") as log:
        log.write("x")
    if number == 7:
        raise ArithmeticError("seven")
    return number


def die(task: tuple[int, str, int]) -> int:
    """The task with number 3 takes its worker along, the first so many times."""
    number, folder, times = task
    log = Path(folder) / "deaths"
    if number == 3 and (log.stat().st_size if log.exists() else 0) < times:
        with log.open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def slow(number: int) -> int:
    time.sleep(0.05)
    return number


@pytest.mark.parametrize("protocol", ["tls", "tcp"])
def test_nobody_else_on_the_machine_gets_to_the_scheduler(client, protocol):
    address = client.scheduler.address
    assert address.startswith("tls://127.0.0.1:"), "no other machine, and nobody listens in"
    assert all(worker.startswith("tls://127.0.0.1:") for worker in client.scheduler_info()["workers"])
    own = Security.temporary() if protocol == "tls" else Security()
    with pytest.raises((OSError, TimeoutError)):
        Client(address.replace("tls", protocol), security=own, timeout=3, set_as_default=False)


def test_other_machines_find_no_port_of_scheduler_workers_and_dashboard(client):
    assert client.dashboard_link.startswith("http://127.0.0.1:")
    assert listening(os.getpid()) == set()


def test_every_task_ends_once(client):
    ended = [item for item in run_tasks(client, square, range(50)) if item]
    assert sorted(ended) == [(number, number**2) for number in range(50)]


def test_workers_share_the_cores(client):
    from dask.system import CPU_COUNT

    ((_, count),) = [item for item in run_tasks(client, variable, ["OMP_NUM_THREADS"]) if item]
    assert int(count) == max(1, CPU_COUNT // 2)


def test_workers_return_freed_memory_to_the_system(client):
    name = "MALLOC_TRIM_THRESHOLD_"  # Dask's own setting for workers
    ((_, threshold),) = [item for item in run_tasks(client, variable, [name]) if item]
    assert threshold == str(config.get(f"distributed.nanny.pre-spawn-environ.{name}"))


def test_the_share_of_one_cluster_is_not_passed_on_to_the_next(monkeypatch):
    from dask.system import CPU_COUNT

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for count in (CPU_COUNT, 1):
        with workers(count=count) as client:
            ((_, given),) = [item for item in run_tasks(client, variable, ["OMP_NUM_THREADS"]) if item]
        assert int(given) == CPU_COUNT // count
        assert "OMP_NUM_THREADS" not in os.environ


def test_an_error_is_tried_three_times_and_the_rest_goes_on(client, tmp_path):
    tasks = [(number, str(tmp_path)) for number in range(10)]
    ended = {task[0]: result for task, result in filter(None, run_tasks(client, fail_on_seven, tasks))}
    assert isinstance(ended.pop(7), ArithmeticError)
    assert ended == {number: number for number in range(10) if number != 7}
    assert (tmp_path / "tried-7").read_text() == "xxx" and (tmp_path / "tried-6").read_text() == "x"


def test_a_worker_that_dies_is_replaced_and_its_task_done(client, tmp_path):
    tasks = [(number, str(tmp_path), 1) for number in range(8)]
    ended = {task[0]: result for task, result in filter(None, run_tasks(client, die, tasks, ahead=1))}
    assert (tmp_path / "deaths").read_text() == "x"
    assert ended == {number: number for number in range(8)}


@pytest.mark.slow  # 15 s is what Dask grants a lost worker
def test_a_worker_that_dies_again_and_again_keeps_its_place():
    def end_worker() -> float:
        (number,) = client.run(os.getpid).values()
        os.kill(number, signal.SIGKILL)
        return time.monotonic()

    with workers(count=1) as client:
        first = end_worker()
        while time.monotonic() < first + 14.5:
            time.sleep(0.1)
        end_worker()
        while time.monotonic() < first + 16:
            time.sleep(0.1)
        client.wait_for_workers(1, timeout=60)
        assert [item for item in run_tasks(client, square, [4]) if item] == [(4, 16)]


def test_a_task_that_kills_three_workers_is_given_up(client, tmp_path):
    tasks = [(number, str(tmp_path), 99) for number in (3, 4, 5)]
    ended = {task[0]: result for task, result in filter(None, run_tasks(client, die, tasks, ahead=1))}
    assert isinstance(ended[3], KilledWorker)
    assert (tmp_path / "deaths").read_text() == "xxx"
    assert [number for number, result in ended.items() if result == number]


def test_cancelled_tasks_are_not_begun(client):
    ended = []
    for item in run_tasks(client, slow, range(1000), cancel=lambda: len(ended) >= 3):
        if item:
            ended.append(item)
    assert 3 <= len(ended) < 20
    assert [item for item in run_tasks(client, square, [4]) if item] == [(4, 16)], "workers are free again"


def test_no_scheduler_is_a_clear_error():
    with (
        pytest.raises(ValueError, match="no Dask scheduler answers at 'nonsense://x'"),
        workers(scheduler="nonsense://x"),
    ):
        pass
