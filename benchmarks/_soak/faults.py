"""What goes wrong, one after the other, at random: processes are killed, connections cut, the disk fills up."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

from sqlalchemy import create_engine, text

from _soak.stage import Stage
from _soak.users import Log

FULL_S = 60.0


def kill_server(stage: Stage) -> None:
    """The server dies with all its workers, and is started anew, as a supervisor would."""
    stage.restart()


def kill_worker(stage: Stage) -> None:
    """A process that computes a run dies, as for lack of memory."""
    workers = [process for process in stage.processes[1:] if "relaxdesign.server" in process.cmdline()]
    if workers:
        random.choice(workers).kill()


def cut_connections(stage: Stage) -> None:
    """The database drops all of its clients."""
    engine = create_engine(stage.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    engine.dispose()


def restart_database(stage: Stage) -> None:
    """The database is down for some seconds."""
    stage.database.stop()
    time.sleep(5)
    stage.database.start()


def fill_disk(stage: Stage) -> None:
    """The disk of library and replays has no byte left for a minute; a database that gave up is started anew."""
    ballast = stage.disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while (free := os.statvfs(stage.disk).f_bavail * os.statvfs(stage.disk).f_frsize) > 0:
            file.write(b"x" * min(free, 2**20))
    time.sleep(FULL_S)
    ballast.unlink()
    if not stage.database.answers():
        stage.database.start()


FAULTS: tuple[Callable[[Stage], None], ...] = (kill_worker, kill_server, cut_connections, fill_disk, restart_database)


def disturb(stage: Stage, log: Log, every: float) -> None:
    """All faults in turn, in an order by chance, until the end of a log, about every so many seconds.

    The last of it is left in peace, so that everything can come to its end.
    """
    chance = random.Random(0)
    order: list[Callable[[Stage], None]] = []
    while not log.over:
        pause = time.monotonic() + chance.uniform(0.5, 1.5) * every
        while time.monotonic() < min(pause, log.until):
            time.sleep(1)
        if log.until - time.monotonic() < FULL_S:
            time.sleep(1)
            continue
        order = order or chance.sample(FAULTS, len(FAULTS))
        fault = order.pop()
        with stage.disturbance():
            fault(stage)
        log.count(fault.__name__.replace("_", " "))
