"""The evaluator, measured: time, memory, growth with the number of voxels, and other codes on the same cell.

Writes one JSON per machine to ``benchmarks/results/`` and generates ``docs/benchmarks.md`` with its figures from it.
Every row is measured in a process of its own. The full set takes about an hour on two cores; ``--quick`` minutes.

    python benchmarks/evaluator.py                      measure everything, then write the report
    python benchmarks/evaluator.py --only torch-fem     measure these rows anew, keep the others
    python benchmarks/evaluator.py --only iteration     measure the parts of an iteration anew
    python benchmarks/evaluator.py --report             write the report from the JSON
    python benchmarks/evaluator.py --quick              small cells, results to runs/evaluator-quick/
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import replace
from datetime import date
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from _evaluator import measure  # noqa: E402

PACKAGES = ("torch", "numpy", "scipy", "numba", "scikit-fem", "torch-fem", "pyamg")
IDENTITY = ("processor", "cores", "gpu", "threads", "versions")
"""Rows measured under different ones of these do not belong into one table."""


def machine(threads: int, device: str) -> dict:
    """What the numbers depend on."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    memory = _memory_bytes()
    gpu = None
    if device != "cpu":
        import torch

        if not torch.cuda.is_available():
            raise SystemExit("--device cuda: this PyTorch finds no GPU")
        gpu = torch.cuda.get_device_name()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_GB": round(memory / 1e9, 1) if memory else None,
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": gpu,
        "device": device,
        "threads": threads,
        "versions": versions,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _revision() -> str | None:
    """Commit that is measured, with "+" if files of the package differ from it."""
    try:
        git = ["git", "-C", str(ROOT)]
        commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "relaxdesign"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def earlier_result(path: Path, identity: dict) -> dict:
    """Result of an earlier run on the same machine with the same versions; empty if there is none."""
    if not path.exists():
        return {}
    earlier = json.loads(path.read_text())
    if any(earlier["machine"].get(key) != identity[key] for key in IDENTITY):
        print(f"{path} is of another machine or of other versions: its rows are not kept")
        return {}
    return earlier


def measure_all(options: argparse.Namespace) -> None:
    from _evaluator.cases import matches, suite
    from _evaluator.others import LIBRARIES, pairs

    cases = []
    for case in suite(pairs(), quick=options.quick):
        library = LIBRARIES.get(case.solver)
        on_device = library is None or library.uses_gpu
        case = replace(case, threads=options.threads, device=options.device if on_device else "cpu")
        if matches(case, options.only):
            cases.append(case)
    parts = not options.only or "iteration" in options.only
    if not cases and not parts:
        raise SystemExit(f"no case matches {options.only}; names look like relaxdesign/3d-32/batch-1/K+gradient")
    here = machine(options.threads, options.device)
    earlier = earlier_result(options.out, here) if options.only else {}
    result = {
        "machine": here,
        "quick": options.quick,
        "parts": earlier.get("parts", []),
        "rows": earlier.get("rows", []),
    }
    revision = _revision()
    memory = _memory_bytes()
    limit = min(options.memory_limit * 1000.0, 0.9 * memory / 1e6 if memory else float("inf"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases, start=1):
        print(f"[{number}/{len(cases)}] {case.name}", end=" … ", flush=True)
        row = measure.run(case, script=Path(__file__), timeout=options.timeout, memory_limit_MB=limit)
        row |= {"date": date.today().isoformat(), "revision": revision}
        result["rows"] = [r for r in result["rows"] if r["name"] != case.name] + [row]
        options.out.write_text(json.dumps(result, indent=1) + "\n")  # after every row: an interrupted run leaves them
        if row["status"] == "ok":
            load = f", {row['other_cores']} cores busy with other work" if row.get("other_cores", 0) > 0.1 else ""
            print(f"{row['seconds_median']:.3g} s, {row['memory_MB']:.0f} MB{load}")
        else:
            print(row["status"])
    if parts and options.device == "cpu":
        grids = (16, 32) if options.quick else (32, 64, 128)
        result["parts"] = [measure.run_parts(grid, options.threads, script=Path(__file__)) for grid in grids]
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="part of a name, or a wildcard; may be repeated")
    parser.add_argument("--quick", action="store_true", help="small cells only")
    parser.add_argument("--report", action="store_true", help="write the report without measuring")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (libraries that have no GPU code stay on the CPU)")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds per row")
    parser.add_argument("--memory-limit", type=float, default=16.0, help="GB per row")
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--docs", type=Path, help="folder of benchmarks.md and figures/")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        task = json.loads(options.child)
        if "case" in task:
            answer = measure.child(task)
        else:
            from _evaluator.parts import measure_parts

            answer = measure_parts(task)
        print(measure.RESULT + json.dumps(answer), flush=True)
        return
    quick = ROOT / "runs" / "evaluator-quick"
    name = "evaluator.json" if options.device == "cpu" else "evaluator-cuda.json"
    options.out = options.out or (quick if options.quick else ROOT / "benchmarks" / "results") / name
    options.docs = options.docs or (quick if options.quick else ROOT / "docs")
    if not options.report:
        measure_all(options)
    from _evaluator.report import write

    # The page covers both kinds of machine where both have been measured.
    files = [options.out.parent / n for n in ("evaluator.json", "evaluator-cuda.json")]
    found = [file for file in files if file.exists()] if options.out in files else [options.out]
    if not any(file.exists() for file in found):
        raise SystemExit(f"there is no {options.out}; measure first")
    print("written", write([json.loads(file.read_text()) for file in found], options.docs))


if __name__ == "__main__":
    main()
