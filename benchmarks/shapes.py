"""How well shapes of void and a solid meet a whole stiffness: cells held out in 2D, published bones in 3D.

``python benchmarks/shapes.py 2d --targets 40`` draws cells of the generators with a seed that no training has seen, one
kind after the other, and asks for the stiffness of each. ``python benchmarks/shapes.py bones bones.csv`` asks for the
stiffness of trabecular bone (Deng et al. 2024, doi:10.1002/adma.202308149; columns name, solid_fraction and the nine
entries relative to the solid's Young's modulus). Each target is a request of its own; what was computed is kept in
``benchmarks/results/shapes.json``, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.microstructure.free_form.generators import GENERATORS, draw_shapes
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import check_request, design
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.stiffness import NINE, stiffness_error, stiffness_objectives
from relaxdesign.study.trust import resolve

RESULTS = Path(__file__).parent / "results" / "shapes.json"
SOLID = "titanium-alloy-ti-6al-4v-annealed"
PHASES = ("void", SOLID)
HELD_OUT_SEED = 7_000_000
PLANE = (0, 1, 5)

Target = tuple[str, np.ndarray]


_LEAST = 1e-3  # of Young's modulus; a cell that is softer under some strain hangs together by less than a voxel


def held_out(count: int) -> Iterator[Target]:
    """Names and stiffnesses (6, 6) in GPa of cells of the generators of networks in 2D, kind by kind."""
    materials = Catalogue.default().of_phases(PHASES)
    least = _LEAST * Catalogue.default().find(SOLID).young
    simulation = Simulation.of([Objective(quantity="C11", low=1e-9)], "periodic", 2, 64, void=True)
    kinds = [name for name, kind in GENERATORS.items() if kind.network and 2 in kind.dims]
    drawn = 0
    for number in itertools.count():
        kind = kinds[number % len(kinds)]
        generator = torch.Generator().manual_seed(HELD_OUT_SEED + number)
        cell = draw_shapes(kind, 1, 64, 2, generator)[0].numpy()
        found = resolve(simulation, materials.materials, FREE_FORM.geometry(FREE_FORM.level_set(cell))).stiffness
        assert found is not None
        if np.linalg.eigvalsh(found[np.ix_(PLANE, PLANE)])[0] < least:
            continue
        yield f"{kind} {number}", found
        drawn += 1
        if drawn == count:
            return


def bones(path: Path) -> Iterator[Target]:
    """Names and stiffnesses in GPa of published bone, made of the solid."""
    young = Catalogue.default().find(SOLID).young
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            C = np.zeros((6, 6))
            for name in NINE:
                i, j = int(name[1]) - 1, int(name[2]) - 1
                C[i, j] = C[j, i] = young * float(row[name])
            yield row["name"], C


def measured(target: np.ndarray, dim: int, count: int, seed: int, method: str) -> list[dict]:
    """One record per candidate."""
    objectives = stiffness_objectives(target, dim)
    shapes = {"dim": dim, "family": "free-form", "phases": PHASES, "method": method}
    request = DesignRequest.model_validate({"objectives": objectives, "count": count, "seed": seed} | shapes)
    check_request(request)
    result = design(request)
    return [
        {
            "ok": made.ok,
            "message": made.message,
            "error": made.stiffness_error,
            "snapped": stiffness_error(objectives, made.stages.get("snapped", {})),
            "solid": made.shares[1] if made.ok else None,
            "connected": made.solid.connected if made.solid else None,
            "feature": made.solid.min_feature if made.solid else None,
            "load_cases": made.load_cases,
            "seconds": result.seconds / count,
        }
        for made in result.designs
    ]


def summary(records: list[dict]) -> str:
    """One line: of all candidates, those that failed counted as misses."""
    errors = np.array([np.inf if r["error"] is None else r["error"] for r in records])
    made = [r for r in records if r["ok"]]
    within = ", ".join(f"{100 * np.mean(errors <= e):.0f} % within {100 * e:g} %" for e in (0.003, 0.01, 0.025, 0.05))
    return (
        f"{len(records)} candidates: median error {100 * np.median(errors):.2f} %, {within}; "
        f"{sum(bool(r['connected']) for r in made)} of {len(made)} realised in one piece; "
        f"{np.median([r['seconds'] for r in records]):.0f} s each"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["2d", "bones"])
    parser.add_argument("csv", nargs="?", type=Path, help="the bones")
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--count", type=int, default=2, help="candidates per target")
    parser.add_argument("--method", default="guided", help="of the search, see relaxdesign design --help")
    parser.add_argument("--every", type=int, default=1, help="of the bones, take each so many")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    targets = held_out(options.targets) if options.what == "2d" else list(bones(options.csv))[:: options.every]
    done: dict = json.loads(options.out.read_text()) if options.out.exists() else {}
    records = done.setdefault(f"{options.what} {options.method}", {})
    for number, (name, stiffness) in enumerate(targets):
        if number >= options.targets:
            break
        if name not in records:
            dim = 2 if options.what == "2d" else 3
            records[name] = measured(stiffness, dim, options.count, HELD_OUT_SEED + number, options.method)
            options.out.write_text(json.dumps(done, indent=1) + "\n")
        errors = [r["error"] for r in records[name]]
        print(name, [None if e is None else round(100 * e, 2) for e in errors], flush=True)
    print(summary([record for each in records.values() for record in each]))


if __name__ == "__main__":
    main()
