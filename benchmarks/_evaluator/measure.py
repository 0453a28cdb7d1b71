"""One measurement in a process of its own: time, growth of memory, and a common check of the answer.

The child imports, solves a tiny problem (so that nothing is compiled or loaded under the clock), resets the peak of its
resident memory, prepares and runs the case once, which gives the memory, then repeats it for the time.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

MEGABYTE = 1e6
WARM_UP_GRID = 6
LONG_SECONDS = 60.0
"""A first call longer than this is the measurement; shorter ones are repeated."""
MOST_REPEATS = 25

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
RESULT = "RESULT "


# ---- In the child ----------------------------------------------------------------------------------


class PeakMemory:
    """Growth of this process's peak memory since `start`, in MB: resident, and of the GPU if one is used."""

    def __init__(self, device: str):
        self.device = device

    def start(self) -> None:
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)  # what the warm-up freed must not hide what the case takes
        try:
            Path("/proc/self/clear_refs").write_text("5")
            self._baseline = status_kilobytes("VmRSS") or _largest_resident()
        except OSError:  # no reset of the peak here: growth beyond the peak so far
            self._baseline = status_kilobytes("VmHWM") or _largest_resident()
        if self.device != "cpu":
            import torch

            torch.cuda.synchronize()
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self._device_baseline = torch.cuda.memory_allocated()

    def growth(self) -> dict[str, float]:
        peak = status_kilobytes("VmHWM") or _largest_resident()
        resident = round(max(0.0, (peak - self._baseline) * 1024 / MEGABYTE), 1)
        if self.device == "cpu":
            return {"memory_MB": resident}
        import torch

        device = (torch.cuda.max_memory_allocated() - self._device_baseline) / MEGABYTE
        return {"memory_MB": round(device, 1), "host_memory_MB": resident}


def status_kilobytes(key: str, process: int | str = "self") -> int | None:
    """A field of /proc/PID/status in KiB; None where there is no such file."""
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


def _largest_resident() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 1024 if sys.platform == "darwin" else peak


def child(task: dict) -> dict:
    """Measure ``task["case"]`` in this process; returns the fields of a row."""
    import torch

    from .cases import Case
    from .cells import force_residual, moduli
    from .others import LIBRARIES, solver

    case = Case(**task["case"])
    torch.set_num_threads(case.threads)
    prepare = solver(case.solver, case.device)
    warm_up = replace(case, grid=min(case.grid, WARM_UP_GRID), batch=min(case.batch, 2))
    for _ in range(2):
        evaluate, outcome = prepare(warm_up, *moduli(warm_up))
        outcome(evaluate())
    del evaluate, outcome

    def seconds(call) -> tuple[float, Any]:
        _synchronise(case.device)
        start = time.perf_counter()
        result = call()
        _synchronise(case.device)
        return time.perf_counter() - start, result

    K, G = moduli(case)
    memory = PeakMemory(case.device)
    memory.start()
    setup, (evaluate, outcome) = seconds(lambda: prepare(case, K, G))
    first, result = seconds(evaluate)
    growth = memory.growth()
    found = outcome(result)
    del result
    times = [first]
    if first <= LONG_SECONDS:
        times, stop = [], time.perf_counter() + task["repeat_seconds"]
        while not times or (len(times) < MOST_REPEATS and time.perf_counter() < stop):
            times.append(seconds(evaluate)[0])

    row = {
        "status": "ok",
        "seconds_best": min(times),
        "seconds_median": statistics.median(times),
        "repeats": len(times),
        "setup_seconds": setup,
        **growth,
        "iterations": found.iterations,
        "residual_stated": found.residual,
        "residual": None,
        "value": found.value,
        "gradient_norm": None,
    }
    if found.fluctuation is not None:
        samples = zip(K.numpy(), G.numpy(), found.fluctuation, strict=True)
        full = case.solver in LIBRARIES and LIBRARIES[case.solver].full_integration
        row["residual"] = max(force_residual(*sample, full_integration=full) for sample in samples)
    if found.gradient is not None:
        row["gradient_norm"] = float(sum((part**2).sum() for part in found.gradient) ** 0.5)
    return row


def _synchronise(device: str) -> None:
    if device != "cpu":
        import torch

        torch.cuda.synchronize()


# ---- In the parent ---------------------------------------------------------------------------------


def run(
    case, *, script: Path, timeout: float = 600.0, memory_limit_MB: float = 16000.0, repeat_seconds: float = 10.0
) -> dict:
    """Measure a case in a fresh process; a failure of any kind is a row whose ``status`` says what happened."""
    task = json.dumps({"case": asdict(case), "repeat_seconds": repeat_seconds})
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(case.threads))}
    before, started = _cpu_seconds(), time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, str(script), "--child", task], stdout=out, stderr=errors, env=environment
        )
        try:
            stopped = _watch(process, started + timeout, memory_limit_MB)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        elapsed = time.perf_counter() - started
        after, used_after = _cpu_seconds(), resource.getrusage(resource.RUSAGE_CHILDREN)
        for stream in (out, errors):
            stream.seek(0)
        results = [line for line in out.read().splitlines() if line.startswith(RESULT)]
        messages = [line for line in errors.read().splitlines() if line.strip()]
    row = case.record()
    if stopped == "time":
        row["status"] = f"not finished after {timeout:g} s"
    elif stopped == "memory":
        row["status"] = f"more than {memory_limit_MB / 1000:g} GB of memory"
    elif process.returncode == 0 and results:
        row.update(json.loads(results[-1][len(RESULT) :]))
    elif process.returncode < 0:
        row["status"] = f"killed by signal {-process.returncode}"
    else:
        reason = messages[-1] if messages else f"exit code {process.returncode}"
        row["status"] = f"failed: {reason.replace(f'{script.resolve().parents[1]}/', '')[:200]}"
    row["elapsed_seconds"] = round(elapsed, 1)
    if before is not None and after is not None:
        own = sum(getattr(used_after, f) - getattr(used, f) for f in ("ru_utime", "ru_stime"))
        row["other_cores"] = round(max(0.0, (after - before - own) / elapsed), 2)
    return row


def run_parts(grid: int, threads: int, *, script: Path) -> dict:
    """Parts of an iteration (`_evaluator.parts`), measured in a fresh process."""
    task = json.dumps({"grid": grid, "threads": threads})
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    command = [sys.executable, str(script), "--child", task]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return json.loads(next(line for line in output.splitlines() if line.startswith(RESULT))[len(RESULT) :])


def _watch(process: subprocess.Popen, deadline: float, memory_limit_MB: float) -> str | None:
    """Wait for a process; "time" or "memory" if it goes beyond a limit."""
    while True:
        try:
            process.wait(timeout=0.1)
            return None
        except subprocess.TimeoutExpired:
            pass
        if time.perf_counter() > deadline:
            return "time"
        if (status_kilobytes("VmRSS", process.pid) or 0) * 1024 / MEGABYTE > memory_limit_MB:
            return "memory"


def _cpu_seconds() -> float | None:
    """Time that all cores together have spent on anything, in s; None where the system does not tell."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _, _, interrupts, soft_interrupts, *_ = (int(field) for field in fields)
    return (user + nice + system + interrupts + soft_interrupts) / os.sysconf("SC_CLK_TCK")
