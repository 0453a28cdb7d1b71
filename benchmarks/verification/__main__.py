"""``python -m benchmarks.verification``: run the studies, write the numbers, the page and its figures."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.verification.figures import draw
from benchmarks.verification.model import Study, load, save
from benchmarks.verification.registry import STUDIES
from benchmarks.verification.report import machine, page

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute or two, into runs/verification")
    parser.add_argument("--only", nargs="+", choices=STUDIES, metavar="STUDY", help=f"some of: {', '.join(STUDIES)}")
    parser.add_argument("--render", action="store_true", help="only write page and figures anew from stored numbers")
    parser.add_argument("--out", type=Path, help="folder of page, figures and numbers (default: docs)")
    options = parser.parse_args()

    trial = options.quick or options.out is not None
    folder = options.out or (ROOT / "runs" / "verification" if options.quick else ROOT / "docs")
    numbers = folder / "verification.json" if trial else ROOT / "benchmarks" / "results" / "verification.json"
    about, studies = load(numbers) if (options.only or options.render) and numbers.exists() else ({}, {})
    if not options.render:
        about = {"run": "quick" if options.quick else "full", **machine()}
        for key in options.only or STUDIES:
            studies[key] = _run(key, options.quick)
            save(numbers, about, {name: studies[name] for name in STUDIES if name in studies})
    draw(studies, folder / "figures")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verification.md").write_text(page(about, studies, "figures"), encoding="utf-8")
    failed = [key for key, study in studies.items() if study.verdict == "FAIL"]
    print(f"{folder / 'verification.md'}: {len(studies)} studies, {len(failed)} failed", *failed)
    return 1 if failed else 0


def _run(key: str, quick: bool) -> Study:
    start = time.perf_counter()
    entry = STUDIES[key]
    study = entry.run(**(entry.quick if quick else {}))
    print(f"{key:22}{study.verdict:14}{time.perf_counter() - start:8.1f} s", flush=True)
    for check in study.checks:
        if check.verdict == "FAIL":
            print(f"    FAIL {check.what}: {check.value:.4g} not in [{check.low:.4g}, {check.high:.4g}]", flush=True)
    return study


if __name__ == "__main__":
    sys.exit(main())
