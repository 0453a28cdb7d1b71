"""What a soak found: pieces in a file, and the table of all of them."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

from _soak.users import Log
from relaxdesign.files import write_whole
from relaxdesign.library import END_STATES, RunSearch, Store, UnknownRun

LARGEST_GROWTH_MB_PER_HOUR = 100.0  # a fit to half an hour is not sharper
LARGEST_GROWTH_FILES_PER_HOUR = 60.0
SHORTEST_FIT_MIN = 15


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

    return Counter(map(state, list(log.runs)))


def piece(log: Log, store: Store, code: int | None = None, *, over: bool = False) -> dict:
    """What was found since the beginning of this piece. code: with which the server ended; over: that all has ended."""
    found = states(log, store)
    # While users are at work there are live runs; what is stuck shows at the end.
    stuck = [run.id for run in store.list_runs(10_000) if over and run.status not in END_STATES]
    failed = {run.id: run.error for run in store.list_runs(10_000, search=RunSearch(status=("failed",)))}
    memory, fitted = growth(log.samples, "MB")
    files, _ = growth(log.samples, "files")
    waits = sum("TimeoutError" in problem for problem in log.problems)
    long_enough = fitted >= SHORTEST_FIT_MIN
    lines = log.stage.log.read_text(errors="replace").splitlines()
    return {
        "minutes": round((min(time.monotonic(), log.until) - log.begin) / 60, 1),
        "over": over,
        "machine": {"cores": os.cpu_count(), "memory_GB": round(psutil.virtual_memory().total / 1e9)},
        "load_average": round(os.getloadavg()[2], 1),
        "did": dict(log.counts),
        "kinds_of_runs": len(set(list(log.runs.values()))),
        "runs": dict(found),
        "lost": found["lost"],
        "stuck": len(stuck),
        "error_pages": len(log.problems) - waits,
        "waits_in_vain": waits,  # of a browser, for minutes
        "failed": failed,
        "exit_code_of_the_server": code,
        "minutes_of_the_longest_life": fitted,
        "MB_per_hour": round(memory, 1) if long_enough else None,
        "files_per_hour": round(files, 1) if long_enough else None,
        "verdict": {
            "no run lost": not found["lost"],
            "no run stuck": not stuck if over else None,
            "no error page in peace": len(log.problems) == waits,
            "no wait in vain in peace": not waits,
            "no growth of memory": memory < LARGEST_GROWTH_MB_PER_HOUR if long_enough else None,
            "no growth of open files": files < LARGEST_GROWTH_FILES_PER_HOUR if long_enough else None,
        },
        "problems": log.problems[:20],
        "troubles": log.troubles[:40],
        "tracebacks_in_the_log": sum("Traceback" in line for line in lines),
        "raised": dict(Counter(line[:160] for line in lines if re.match(r"\S+(Error|Exception|Expired)\b", line))),
        "samples": log.samples,
    }


class Pieces:
    """The pieces of a soak in a file, each written anew every minute, so that a soak that was cut is not lost."""

    def __init__(self, path: Path, *, resume: bool):
        self.path = path
        self.earlier: list[dict] = json.loads(path.read_text())["pieces"] if resume and path.exists() else []

    @property
    def minutes(self) -> float:
        """How long earlier pieces took."""
        return sum(each["minutes"] for each in self.earlier)

    def write(self, last: dict, names: dict[Path, str]) -> None:
        """Puts the last piece behind the earlier ones. names: what stands in the file for folders of this machine."""
        text = json.dumps({"pieces": [*self.earlier, last]}, indent=1)
        for folder, name in names.items():
            text = text.replace(str(folder), name)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, f"{text}\n".encode())


def table(pieces: list[dict]) -> str:
    """The pieces as lines of Markdown, and what they are together."""
    columns = (
        "minutes",
        "runs",
        "failed",
        "lost",
        "stuck",
        "error_pages",
        "waits_in_vain",
        "MB_per_hour",
        "files_per_hour",
    )
    rows = [
        [each["minutes"], sum(each["runs"].values()), len(each["failed"]), *(each[name] for name in columns[3:7])]
        for each in pieces
    ]
    lines = [[*row, *(each[name] for name in columns[7:])] for row, each in zip(rows, pieces, strict=True)]
    if len(pieces) > 1:
        lines.append([*(round(sum(column), 1) for column in zip(*rows, strict=True)), None, None])
    head = [" | ".join(name.replace("_", " ") for name in columns), " | ".join("---" for _ in columns)]
    return "\n".join(
        f"| {line} |"
        for line in (*head, *(" | ".join("–" if value is None else str(value) for value in line) for line in lines))
    )
