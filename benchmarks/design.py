"""The main job, measured: error at every stage, diversity and time for several targets and seeds.

Writes one JSON per machine to ``benchmarks/results/`` and prints the table that the README quotes (``make bench``).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
from pathlib import Path

import numpy as np
import torch

from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import DesignResult
from relaxdesign.study.run import design

COUNTS = {2: 8, 3: 4}
STAGES = ("relaxed", "projected", "snapped", "refined", "realised")


def summarise(result: DesignResult) -> dict:
    """Median absolute error (%) per stage, shares and diversity of one result."""
    target = result.request.target_bulk
    errors = {
        stage: [abs(value / target - 1) for d in result.designs if (value := d.at(stage, "K")) is not None]
        for stage in STAGES
    }
    pairs = {d.materials for d in result.designs if d.ok}
    return {
        "dim": result.request.dim,
        "target_GPa": target,
        "seed": result.request.seed,
        "density_weight": result.request.density_weight,
        "designs": len(result.designs),
        "realised": sum(d.ok for d in result.designs),
        "within_1_percent": sum(error <= 0.01 for error in errors["realised"]),
        "material_pairs": len(pairs),
        "median_error_percent": {
            stage: round(100 * float(np.median(values)), 3) if values else None for stage, values in errors.items()
        },
        "median_density": float(np.median([d.density for d in result.designs if d.ok])) if pairs else None,
        "seconds": round(result.seconds, 2),
        "solver_iterations": result.solver_iterations,
        "K": [{stage: values.get("K") for stage, values in d.stages.items()} for d in result.designs],
        "messages": [d.message for d in result.designs if d.message],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--targets", type=float, nargs="+", default=[1, 5, 20, 120, 270])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--density-weights", type=float, nargs="+", default=[0.0])
    parser.add_argument("--count", type=int, help="candidates; default: 8 in 2D, 4 in 3D")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--prior", default=None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "design.json")
    options = parser.parse_args()

    rows = []
    print("| dim | target GPa | w density | realised | ≤ 1 % | pairs |", *(f"{s} |" for s in STAGES), "g/cm³ | s |")
    print("|" + "---|" * (8 + len(STAGES)))
    cases = itertools.product(options.dims, options.targets, options.density_weights, options.seeds)
    for dim, target, weight, seed in cases:
        request = DesignRequest(
            target_bulk=target,
            dim=dim,
            density_weight=weight,
            count=options.count or COUNTS[dim],
            steps=options.steps,
            seed=seed,
            prior=options.prior,
        )
        row = summarise(design(request))
        rows.append(row)
        errors = [f"{e:.2f} % |" if e is not None else "– |" for e in row["median_error_percent"].values()]
        density = "–" if row["median_density"] is None else f"{row['median_density']:.2f}"
        print(
            f"| {dim}D | {target:g} | {weight:g} | {row['realised']}/{row['designs']} | {row['within_1_percent']} "
            f"| {row['material_pairs']} |",
            *errors,
            f"{density} | {row['seconds']:.1f} |",
            flush=True,
        )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "torch": torch.__version__}
    options.out.write_text(json.dumps({"machine": machine, "steps": options.steps, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
