"""Campaigns, measured: one worker against two, what the scheduler costs, and memory of a worker that goes on and on.

Parts: overhead (10,000 trivial tasks), efficiency (the same designs on 1 and on 2 workers), memory (many designs on
one worker), cost (seconds and bytes of a design in 2D and 3D). Each writes its entry to
``benchmarks/results/campaign.json``. Every worker has one thread, so that one and two of them differ in number only.
Efficiency says something on a machine with nothing else to do only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from relaxdesign.campaign import CampaignSpec, Folder, run, run_tasks, workers
from relaxdesign.campaign.tasks import Task, compute
from relaxdesign.library import Store

RESULTS = Path(__file__).parent / "results" / "campaign.json"
TARGETS = {"from": 5, "to": 250, "scale": "log"}


def same(number: int) -> int:
    """A task that does nothing."""
    return number


def watched(task: Task) -> tuple[float, float, int]:
    """Computes a task on a worker; returns (CPU seconds, memory in MB, open files) of the worker afterwards."""
    import psutil

    begin = time.process_time()
    compute(task)
    process = psutil.Process()
    return time.process_time() - begin, process.memory_info().rss / 1e6, process.num_fds()


def spec(requests: int, dim: int = 2, count: int = 4, steps: int = 30, name: str = "benchmark") -> CampaignSpec:
    """Requests with targets from soft to stiff."""
    base = {"dim": dim, "count": count, "steps": steps}
    return CampaignSpec.parse({"name": name, "base": base, "vary": {"K": TARGETS | {"count": max(2, requests)}}})


def overhead(tasks: int) -> dict:
    """Seconds per task that Dask takes, with two workers that have nothing to do."""
    with workers(count=2) as client:
        list(run_tasks(client, same, range(100)))  # all imported
        begin = time.perf_counter()
        done = sum(item is not None for item in run_tasks(client, same, range(tasks)))
        seconds = time.perf_counter() - begin
    return {"tasks": done, "seconds": round(seconds, 2), "milliseconds_per_task": round(1000 * seconds / done, 3)}


def efficiency(designs: int) -> dict:
    """Wall time of the same campaign on 1 and on 2 workers; ideal is half. The workers' start is timed apart.

    efficiency: of the whole campaigns, starts and ends included. steady: once every worker has ended a request.
    """
    _campaign(designs=8, count=1)  # so that none has to read PyTorch from the disk
    measured = {count: _campaign(designs, count) for count in (1, 2)}
    whole = {count: seconds for count, (seconds, _) in measured.items()}
    rates = {count: (designs // 4 - count) / (seconds - start) for count, (seconds, start) in measured.items()}
    return {
        "designs": designs,
        "seconds": {str(count): round(seconds, 1) for count, seconds in whole.items()},
        "seconds_to_start": {str(count): round(start, 1) for count, (_, start) in measured.items()},
        "efficiency": round(whole[1] / (2 * whole[2]), 3),
        "steady": round(rates[2] / (2 * rates[1]), 3),
    }


def _campaign(designs: int, count: int) -> tuple[float, float]:
    """Seconds of a campaign, and those until it had ended as many requests as it has workers."""
    with tempfile.TemporaryDirectory() as folder:
        begin, start = time.perf_counter(), 0.0
        store = Store(f"sqlite:///{folder}/l.db")
        for progress in run(spec(designs // 4), Path(folder) / "c", store=store, count=count):
            if progress.done >= count and not start:
                start = time.perf_counter() - begin
        return time.perf_counter() - begin, start


def memory(designs: int, dim: int, steps: int) -> dict:
    """Memory and open files of one worker after every request; the slope after the first quarter should be nil."""
    plan = spec(designs // 4, dim=dim, steps=steps).plan()
    samples: list[float] = []
    files: list[int] = []
    with tempfile.TemporaryDirectory() as path, workers(count=1) as client:
        Folder(path).prepare()
        tasks = [Task(p.hash, p.request.model_dump(mode="json"), path) for p in plan]
        for item in run_tasks(client, watched, tasks):
            if item is not None:
                _, rss, open_files = item[1]
                samples.append(rss)
                files.append(open_files)
    settled = samples[len(samples) // 4 :]
    slope = float(np.polyfit(4 * np.arange(len(settled)), settled, 1)[0])
    return {
        "dim": dim,
        "steps": steps,
        "designs": 4 * len(samples),
        "MB": {"first": round(samples[0]), "median": round(float(np.median(samples))), "last": round(samples[-1])},
        "kB_per_design_after_a_quarter": round(1000 * slope, 1),
        "open_files": {"first": files[0], "last": files[-1]},
    }


def cost(requests: int, count: int, steps: int) -> dict:
    """CPU seconds and bytes of a design, by dimension; CPU time hardly feels other programs on the machine."""
    report = {}
    for dim in (2, 3):
        plan = spec(requests, dim=dim, count=count, steps=steps).plan()
        with tempfile.TemporaryDirectory() as path, workers(count=1) as client:
            folder = Folder(path)
            folder.prepare()
            tasks = [Task(p.hash, p.request.model_dump(mode="json"), path) for p in plan]
            found = [item[1] for item in run_tasks(client, watched, tasks) if item is not None]
            designs = sum(len(folder.read(p.hash).designs) for p in plan if folder.has(p.hash))
            size = sum(file.stat().st_size for file in folder.tasks.iterdir())
        seconds = [item[0] for item in found[1:]] or [found[0][0]]  # the first also imports and compiles
        report[f"{dim}D"] = {
            "designs": designs,
            "steps": steps,
            "count": count,
            "cpu_seconds_per_design": round(float(np.median(seconds)) / count, 2),
            "parquet_bytes_per_design": round(size / max(1, designs)),
            "worker_MB": round(max(item[1] for item in found)),
        }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["overhead", "cost", "memory", "efficiency"])
    parser.add_argument("--tasks", type=int, default=10_000, help="of the part overhead")
    parser.add_argument("--designs", type=int, default=64, help="of the part efficiency")
    parser.add_argument("--memory-designs", type=int, default=200)
    parser.add_argument("--memory-dim", type=int, default=2)
    parser.add_argument("--memory-steps", type=int, default=20)
    parser.add_argument("--cost-requests", type=int, default=4)
    parser.add_argument("--cost-count", type=int, default=4)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()

    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))
    report = json.loads(options.out.read_text()) if options.out.exists() else {}
    measures = {
        "overhead": lambda: overhead(options.tasks),
        "efficiency": lambda: efficiency(options.designs),
        "memory": lambda: memory(options.memory_designs, options.memory_dim, options.memory_steps),
        "cost": lambda: cost(options.cost_requests, options.cost_count, 30),
    }
    for part in options.parts:
        entry = measures[part]()
        load = os.getloadavg()[0]
        machine = {"cores": os.cpu_count(), "processor": platform.machine(), "load_average": round(load, 1)}
        report[part] = entry | {"machine": machine}
        print(f"{part}: {json.dumps(entry)}", flush=True)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
