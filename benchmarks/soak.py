"""A working day in half an hour: designs, evaluations and page visits by scripted browsers, at once, on one machine.

Passes if no run is lost, no page shows an error, and the server's memory and open files do not grow. Memory that stays
is the least of each minute: forks that draw a scene come and go. Writes
``benchmarks/results/soak.json`` and prints its table: ``python benchmarks/soak.py --minutes 30``. Needs Chromium and
the dev packages. Memory is that of the server and its processes, what they share counted once; the browsers are not
counted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the browsers are driven as in the tests

from playwright.sync_api import Error as BrowserError  # noqa: E402
from playwright.sync_api import Page  # noqa: E402

from relaxdesign.library import END_STATES, Store  # noqa: E402
from tests.e2e.driving import open_browser, running_app, settle, start_design  # noqa: E402

PAGES = ("", "library", "campaigns", "evaluate")
SAMPLE_S = 10.0
LARGEST_GROWTH_MB_PER_HOUR = 100.0  # of the second half; a fit to half an hour is not sharper


@dataclass
class Log:
    """What happened, filled by all threads."""

    until: float
    counts: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    samples: list[dict] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until


def check(page: Page, log: Log, what: str) -> None:
    """Notes an error that the page shows."""
    if page.locator("[data-testid=stException]").count() or page.get_by_text("Error id").count():
        log.problems.append(f"{what}: {page.locator('body').inner_text()[:300]}")


def visit(address: str, log: Log) -> None:
    """Reads one page after the other, in light and in dark."""
    chance = random.Random(1)
    while not log.over:
        with open_browser(dark=chance.random() < 0.5) as page:
            for _ in range(20):
                name = chance.choice(PAGES)
                page.goto(f"{address}/{name}")
                page.locator("h2").first.wait_for()
                settle(page)
                check(page, log, f"page {name or 'design'}")
                log.counts["pages"] += 1
                if log.over:
                    return


def design(address: str, log: Log, seed: int) -> None:
    """Starts small designs and follows each to its end; every fourth is left alone, every fifth stopped."""
    chance = random.Random(seed)
    while not log.over:
        with open_browser() as page:
            for _ in range(8):
                page.goto(address)
                log.runs.add(start_design(page, count=chance.choice((1, 2, 4)), steps=chance.choice((10, 20, 50))))
                log.counts["designs"] += 1
                choice = chance.randrange(20)
                if choice % 5 == 0:
                    page.get_by_role("button", name="Stop").first.click()
                if choice % 4:
                    page.locator("h2").get_by_text("Finished").or_(page.get_by_text("Stopped")).first.wait_for()
                check(page, log, "design page")
                if log.over:
                    return


def evaluate(folder: Path, log: Log) -> None:
    """Homogenises random cells by the command line."""
    generator = np.random.default_rng(0)
    while not log.over:
        file = folder / "cell.npz"
        stiff = generator.random((24, 24, 24)) < 0.3
        np.savez(file, E=np.where(stiff, 200.0, 5.0), nu=np.full(stiff.shape, 0.3))
        command = [sys.executable, "-m", "relaxdesign.cli", "evaluate", str(file), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode or not 5 < json.loads(done.stdout)["E"] < 200:
            log.problems.append(f"evaluate: {done.stderr[-300:]}")
        log.counts["evaluations"] += 1
        time.sleep(5)


def sample(server: psutil.Process, log: Log) -> None:
    """Memory, files and threads of the server and its children, every ten seconds."""
    begin = time.monotonic()
    while not log.over:
        memory = files = threads = 0
        for process in (server, *server.children(recursive=True)):
            try:
                info = process.memory_full_info()
                memory += getattr(info, "pss", info.uss)  # forks that draw a scene share almost all of theirs
                files += process.num_fds()
                threads += process.num_threads()
            except psutil.Error:  # it has just ended
                continue
        seconds = round(time.monotonic() - begin)
        log.samples.append({"seconds": seconds, "MB": round(memory / 1e6), "files": files, "threads": threads})
        time.sleep(SAMPLE_S)


def guarded(what: str, log: Log, function, *arguments) -> threading.Thread:
    """A thread whose failure is a problem of the soak; one that fails starts anew."""

    def run() -> None:
        while not log.over:
            try:
                function(*arguments)
            except (BrowserError, AssertionError, OSError, ValueError) as error:
                log.problems.append(f"{what}: {type(error).__name__} {str(error)[:300]}")

    thread = threading.Thread(target=run, name=what)
    thread.start()
    return thread


def growth_of_memory(samples: list[dict]) -> float:
    """MB per hour in the second half, fitted to the least of each minute; NaN for less than four minutes."""
    least: dict[int, int] = {}
    for entry in samples:
        minute = entry["seconds"] // 60
        least[minute] = min(entry["MB"], least.get(minute, entry["MB"]))
    half = sorted(least.items())[len(least) // 2 :]
    return float(np.polyfit(*np.array(half).T, 1)[0]) * 60 if len(half) > 1 else float("nan")


def report(log: Log, store: Store, minutes: float) -> dict:
    """The verdict with its numbers."""
    states = Counter(store.run(run_id).status for run_id in log.runs)
    half = log.samples[len(log.samples) // 2 :]
    growth = growth_of_memory(log.samples)
    files = [entry["files"] for entry in half]
    verdict = {
        "no run lost": sum(states[state] for state in END_STATES) == len(log.runs) and not states["interrupted"],
        "no error page": not log.problems,
        "no growth of memory": growth < LARGEST_GROWTH_MB_PER_HOUR,
        "no growth of open files": max(files) <= 1.1 * max(entry["files"] for entry in log.samples[: len(half)]) + 20,
    }
    return {
        "minutes": minutes,
        "machine": {"cores": os.cpu_count(), "memory_GB": round(psutil.virtual_memory().total / 1e9)},
        "did": dict(log.counts),
        "runs": dict(states),
        "MB_per_hour_in_the_second_half": round(growth, 1),
        "verdict": verdict,
        "problems": log.problems[:20],
        "samples": log.samples,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--designers", type=int, default=2, help="browsers that design at the same time")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "soak.json")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(f"sqlite:///{folder / 'library.db'}")
        with running_app(folder / "library.db", folder / "server.log") as address:
            port = int(address.rsplit(":", 1)[1])
            server = next(p for p in psutil.Process().children() if f"--server.port={port}" in p.cmdline())
            log = Log(time.monotonic() + 60 * options.minutes)
            threads = [
                guarded("visitor", log, visit, address, log),
                guarded("evaluator", log, evaluate, folder, log),
                guarded("sampler", log, sample, server, log),
                *(guarded(f"designer {n}", log, design, address, log, n) for n in range(options.designers)),
            ]
            for thread in threads:
                thread.join()
            patience = time.monotonic() + 300
            while time.monotonic() < patience and any(store.run(i).status not in END_STATES for i in log.runs):
                time.sleep(1)  # runs that nobody waits for come to their end
            result = report(log, store, options.minutes)
        lines = (folder / "server.log").read_text().splitlines()
        result["tracebacks_in_the_log"] = sum("Traceback" in line for line in lines)
        result["raised"] = [line[:300] for line in lines if re.match(r"\S+(Error|Exception|Expired)\b", line)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print("| minute | MB | open files | threads |\n|---|---|---|---|")
    for entry in result["samples"][:: max(1, len(result["samples"]) // 10)]:
        print(f"| {entry['seconds'] / 60:.1f} | {entry['MB']} | {entry['files']} | {entry['threads']} |")
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}, indent=1))
    sys.exit(not all(result["verdict"].values()))


if __name__ == "__main__":
    main()
