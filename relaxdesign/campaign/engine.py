"""Many tasks on many workers by Dask: bounded in number, retried, cancelled, and none of them stops the others."""

from __future__ import annotations

import itertools
import logging
import math
import os
import queue
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from dask import config
from dask.system import CPU_COUNT
from distributed import Client, Future, LocalCluster, Security

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(2**27), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
"""Memory that was freed goes back to the system, but in large pieces: with Dask's own 64 kB, with which every tensor is
mapped anew, more than half of a worker's time went into that."""

_WATCHING = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.worker.profile.enabled": False,  # a worker keeps its profiles of an hour: hundreds of MB
}
"""How often processes look at themselves: every 20 to 500 ms if not told, each time taking the interpreter from the
computing thread, or the core of a worker."""

_KEEPING = {"distributed.deploy.lost-worker-timeout": "365 days"}
"""A worker that died is begun anew by its nanny. The cluster would give its place up for good if it is away 15 s after
a death, even when it came back in between and died once more."""

_LEAVING = {"distributed.worker.preload": ["import atexit, gc; atexit.register(gc.freeze)"]}
"""The interpreter's last garbage collection would go through all of PyTorch, which takes a second at the end."""

TRIES = 3
"""How often a task is tried, whether it raises or its worker dies."""

TICK_S = 1.0
"""At most this long passes between two answers of ``run_tasks``."""


@contextmanager
def workers(scheduler: str | None = None, count: int | None = None) -> Iterator[Client]:
    """Workers of a running scheduler (``tls://host:8786``), or a local cluster that ends with the block.

    Whoever reaches a scheduler can run code through it. So the local one and its workers talk by TLS with credentials
    that are made for this block and kept in memory, and turn away all others, also on the same machine. The
    credentials for a running scheduler are those of Dask's settings (``distributed.comm.tls``).

    count: local workers, one per core if None; each computes one task at a time with its share of the cores. Scripts
    that start local workers need ``if __name__ == "__main__":``. Raises ValueError when no scheduler answers.
    """
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ValueError(f"no Dask scheduler answers at {scheduler!r}: {error}") from error
        with client:
            yield client
        return
    count = count or CPU_COUNT
    if count < 1:
        raise ValueError(f"the number of workers must be 1 or more, got {count}")
    threads = str(max(1, CPU_COUNT // count))
    settings = {
        "distributed.scheduler.allowed-failures": TRIES - 1,
        **_WATCHING,
        **_KEEPING,
        **_LEAVING,
        **{f"distributed.nanny.pre-spawn-environ.{name}": threads for name in _THREADS},
        **{f"distributed.nanny.pre-spawn-environ.{name}": size for name, size in _ALLOCATOR.items()},
    }
    with (
        _kept_environment((*_THREADS, "PYTHONHASHSEED")),
        config.set(settings),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            security=Security.temporary(),
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _kept_environment(names: Iterable[str]) -> Iterator[None]:
    """Puts variables back: Dask sets those of its workers in this process too, and would give them to later ones."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_tasks(
    client: Client,
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    *,
    cancel: Callable[[], bool] = lambda: False,
    ahead: int = 3,
) -> Iterator[tuple[Any, Any] | None]:
    """Calls the function with every task on the workers; yields (task, result or exception) in the order they end.

    Yields None when nothing ended for a second. A task is tried three times. ahead: tasks handed out per worker
    thread, so that a million of them do not fill the scheduler. After cancel() only what has ended is yielded.
    """
    ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
    waiting, running = iter(tasks), {}
    places = _Places(client)

    def hand_out() -> None:
        room = ahead * places.count() - len(running)
        for task in itertools.islice(waiting, max(0, room)):
            future = client.submit(function, task, retries=TRIES - 1, pure=False)
            running[future.key] = task, future
            future.add_done_callback(ended.put)

    try:
        hand_out()
        while running:
            if cancel():
                return
            try:
                future = ended.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            task, _ = running.pop(future.key)
            result = future.exception() if future.status == "error" else future.result()
            future.release()
            hand_out()
            yield task, result
    finally:
        client.cancel([future for _, future in running.values()], force=True)


class _Places:
    """Threads of all workers; the scheduler is asked once a second, as they come and go."""

    def __init__(self, client: Client):
        self._client = client
        self._known, self._asked = 1, -math.inf

    def count(self) -> int:
        if time.monotonic() - self._asked > TICK_S:
            self._known = max(1, sum(cast(dict[str, int], self._client.nthreads()).values()))
            self._asked = time.monotonic()
        return self._known
