"""A working day in pieces: six users at once, work of all families, and things that go wrong at random meanwhile.

Passes if no run is lost, none is stuck, no page shows an error but while something is going wrong or has just gone
wrong, and the server's memory and open files do not grow. The library lies on a PostgreSQL server that shares a small
disk with the replays. Server, workers, connections and database are killed, and the disk is full for a minute, in
turns. ``python benchmarks/soak.py --minutes 120`` writes what it has found into ``benchmarks/results/soak-faults.json``
every minute, and prints a table at the end. Ctrl-C or SIGTERM ends it early, with its report; ``--resume`` adds another
piece to those in the file, with a library of its own, until they are so many minutes together.

Needs Linux, root (a disk is mounted), Debian's postgresql, Chromium and the dev packages. Memory is that of the server
and its processes, what they share counted once; memory that stays is the least of each minute, of the longest time
between two deaths of the server: forks that draw a scene come and go.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
from sqlalchemy.exc import SQLAlchemyError

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the browsers are driven as in the tests

from _soak.faults import disturb  # noqa: E402
from _soak.report import Pieces, piece, table  # noqa: E402
from _soak.stage import AFTERMATH_S, Stage, staged  # noqa: E402
from _soak.users import Log, send  # noqa: E402

from relaxdesign.library import END_STATES, Store  # noqa: E402

SAMPLE_S = 10.0
WRITE_S = 60.0
PATIENCE_S = 600.0  # in which the queue is worked off at the end


def watch(log: Log, store: Store, pieces: Pieces) -> None:
    """Memory, files and threads of the server and its children every ten seconds; what is known, every minute."""
    begin = written = time.monotonic()
    while not log.over:
        sample(log, round(time.monotonic() - begin))
        if time.monotonic() - written > WRITE_S:
            written = time.monotonic()
            with suppress(SQLAlchemyError):  # the database is down: the next time
                pieces.write(piece(log, store), names(log.stage))
        time.sleep(SAMPLE_S)


def sample(log: Log, seconds: int) -> None:
    """One sample. seconds: since the beginning."""
    memory = files = threads = 0
    processes = log.stage.processes
    for process in processes:
        try:
            info = process.memory_full_info()
            memory += getattr(info, "pss", info.uss)  # forks that draw a scene share almost all of theirs
            files += process.num_fds()
            threads += process.num_threads()
        except psutil.Error:  # it has just ended
            continue
    if processes:
        entry = {"seconds": seconds, "server": processes[0].pid, "MB": round(memory / 1e6)}
        log.samples.append(entry | {"files": files, "threads": threads})


def names(stage: Stage) -> dict[Path, str]:
    """What stands in results for folders of this machine, whose own names say nothing to others."""
    return {stage.disk.parent: "SOAK", ROOT: "REPOSITORY", Path(sys.prefix).resolve(): "PYTHON"}


def run(minutes: float, every: float, pieces: Pieces) -> dict:
    """One piece of the soak."""
    with staged() as stage:
        store = Store(stage.url)
        log = Log(stage, time.monotonic(), time.monotonic() + 60 * minutes)
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, lambda *_: log.end())
        threads = [threading.Thread(target=watch, args=(log, store, pieces)), *send(log)]
        threads[0].start()
        disturb(stage, log, every)
        for thread in threads:
            thread.join()
        patience = time.monotonic() + PATIENCE_S
        time.sleep(AFTERMATH_S / 2)  # until then a killed server's runs may be believed to be computed
        while time.monotonic() < patience and any(run.status not in END_STATES for run in store.list_runs(10_000)):
            time.sleep(2)  # runs that nobody waits for come to their end
        last = piece(log, store, stage.close(), over=True)
        pieces.write(last, names(stage))
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of all pieces together")
    parser.add_argument("--every", type=float, default=180.0, help="seconds between two faults, on average")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "soak-faults.json")
    parser.add_argument("--resume", action="store_true", help="adds a piece to those in the file")
    options = parser.parse_args()

    pieces = Pieces(options.out, resume=options.resume)
    last = None
    if (minutes := options.minutes - pieces.minutes) > 0:
        last = run(minutes, options.every, pieces)
        print("| minute | MB | open files | threads |\n|---|---|---|---|")
        for entry in last["samples"][:: max(1, len(last["samples"]) // 10)]:
            print(f"| {entry['seconds'] / 60:.1f} | {entry['MB']} | {entry['files']} | {entry['threads']} |")
        print(json.dumps({key: value for key, value in last.items() if key != "samples"}, indent=1))
    found = [*pieces.earlier, *([last] if last else [])]
    print(table(found))
    sys.exit(any(value is False for each in found for value in each["verdict"].values()))


if __name__ == "__main__":
    main()
