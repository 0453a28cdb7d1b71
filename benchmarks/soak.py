"""A working day in pieces: six users at once, work of all families, and things that go wrong at random meanwhile.

Passes if no run is lost, none is stuck, no page shows an error but while something is going wrong or has just gone
wrong, and the server's memory and open files do not grow. The library lies on a PostgreSQL server that shares a small
disk with the replays. Server, workers, connections and database are killed, and the disk is full for a minute, in
turns. Writes ``benchmarks/results/soak.json`` and prints its tables: ``python benchmarks/soak.py --minutes 120``.

Needs Linux, root (a disk is mounted), Debian's postgresql, Chromium and the dev packages. Memory is that of the server
and its processes, what they share counted once; memory that stays is the least of each minute, of the longest time
between two deaths of the server: forks that draw a scene come and go.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the browsers are driven as in the tests

from _soak.faults import disturb  # noqa: E402
from _soak.stage import AFTERMATH_S, staged  # noqa: E402
from _soak.users import Log, send  # noqa: E402

from relaxdesign.library import END_STATES, RunSearch, Store, UnknownRun  # noqa: E402

SAMPLE_S = 10.0
LARGEST_GROWTH_MB_PER_HOUR = 100.0  # a fit to half an hour is not sharper
SHORTEST_FIT_MIN = 15
PATIENCE_S = 600.0  # in which the queue is worked off at the end


def sample(log: Log) -> None:
    """Memory, files and threads of the server and its children, every ten seconds."""
    begin = time.monotonic()
    while not log.over:
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
            seconds = round(time.monotonic() - begin)
            entry = {"seconds": seconds, "server": processes[0].pid, "MB": round(memory / 1e6)}
            log.samples.append(entry | {"files": files, "threads": threads})
        time.sleep(SAMPLE_S)


def growth(samples: list[dict], what: str) -> tuple[float, float]:
    """Growth per hour of the longest-lived server, fitted to the least of each of its minutes, and those minutes.

    The first three minutes are left out: it loads what it needs. NaN for too few.
    """
    lives = Counter(entry["server"] for entry in samples)
    longest = [entry for entry in samples if entry["server"] == max(lives, key=lives.__getitem__)][18:]
    least: dict[int, int] = {}
    for entry in longest:
        minute = entry["seconds"] // 60
        least[minute] = min(entry[what], least.get(minute, entry[what]))
    if len(least) < 2:
        return float("nan"), len(least)
    return float(np.polyfit(*np.array(sorted(least.items())).T, 1)[0]) * 60, len(least)


def states(log: Log, store: Store) -> Counter:
    """How the runs of the app's users ended; lost ones are not in the library."""

    def state(run_id: str) -> str:
        try:
            return store.run(run_id).status
        except UnknownRun:
            return "lost"

    return Counter(map(state, log.runs))


def report(log: Log, store: Store, minutes: float, code: int | None) -> dict:
    """The verdict with its numbers."""
    found = states(log, store)
    stuck = [run.id for run in store.list_runs(10_000) if run.status not in END_STATES]
    failed = {run.id: run.error for run in store.list_runs(10_000, search=RunSearch(status=("failed",)))}
    memory, fitted = growth(log.samples, "MB")
    files, _ = growth(log.samples, "files")
    long_enough = fitted >= SHORTEST_FIT_MIN
    lines = log.stage.log.read_text(errors="replace").splitlines()
    return {
        "minutes": minutes,
        "machine": {"cores": os.cpu_count(), "memory_GB": round(psutil.virtual_memory().total / 1e9)},
        "load_average": round(os.getloadavg()[2], 1),
        "did": dict(log.counts),
        "kinds_of_runs": len(set(log.runs.values())),
        "runs": dict(found),
        "lost": found["lost"],
        "stuck": len(stuck),
        "failed": failed,
        "exit_code_of_the_server": code,
        "minutes_of_the_longest_life": fitted,
        "MB_per_hour": round(memory, 1),
        "files_per_hour": round(files, 1),
        "verdict": {
            "no run lost": not found["lost"],
            "no run stuck": not stuck,
            "no error page in peace": not log.problems,
            "no growth of memory": memory < LARGEST_GROWTH_MB_PER_HOUR if long_enough else None,
            "no growth of open files": files < 60 if long_enough else None,
        },
        "problems": log.problems[:20],
        "troubles": log.troubles[:40],
        "tracebacks_in_the_log": sum("Traceback" in line for line in lines),
        "raised": dict(Counter(line[:160] for line in lines if re.match(r"\S+(Error|Exception|Expired)\b", line))),
        "samples": log.samples,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=180.0, help="seconds between two faults, on average")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "soak.json")
    options = parser.parse_args()

    with staged() as stage:
        store = Store(stage.url)
        log = Log(stage, time.monotonic() + 60 * options.minutes)
        threads = [threading.Thread(target=sample, args=(log,)), *send(log)]
        threads[0].start()
        disturb(stage, log.until, options.every, log.count)
        for thread in threads:
            thread.join()
        patience = time.monotonic() + PATIENCE_S
        time.sleep(AFTERMATH_S / 2)  # until then a killed server's runs may be believed to be computed
        while time.monotonic() < patience and any(run.status not in END_STATES for run in store.list_runs(10_000)):
            time.sleep(2)  # runs that nobody waits for come to their end
        result = report(log, store, options.minutes, stage.close())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print("| minute | MB | open files | threads |\n|---|---|---|---|")
    for entry in result["samples"][:: max(1, len(result["samples"]) // 10)]:
        print(f"| {entry['seconds'] / 60:.1f} | {entry['MB']} | {entry['files']} | {entry['threads']} |")
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}, indent=1))
    sys.exit(any(value is False for value in result["verdict"].values()))


if __name__ == "__main__":
    main()
