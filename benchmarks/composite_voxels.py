"""How composite voxels are to be mixed, and how far two grids tell the limit: K of random packings on ever finer grids.

``rules`` compares the generalised means of cut voxels (`relaxdesign.physics.composite_voxels`) with the limit of fine
grids, for contrasts and packings of a list. ``intervals`` takes random packings of random materials of the catalogue
and counts how often the interval of the limit, from the design's grid and one twice as fine, holds the value on a grid
four times as fine. ``designs`` takes those that ``relaxdesign protocol --work DIR`` made, of equal particles and of
shapes, builds each from its geometry on a grid four times as fine, and counts how many are within 1 % of their targets
there. All write ``benchmarks/results/composite_voxels.json`` and print their table.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.base import Geometry, PlacementError
from relaxdesign.microstructure.free_form import LevelSet, restored
from relaxdesign.microstructure.particles.packing import Packing, place_particles
from relaxdesign.physics.composite_voxels import composite_field, exponent
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.fem import bulk_modulus
from relaxdesign.study.result import Design
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.stiffness import stiffness_error
from relaxdesign.study.trust import resolve

RESULTS = Path(__file__).parent / "results" / "composite_voxels.json"
GRIDS = {2: 64, 3: 32}
POWERS = (-1.0, -0.5, 0.25, 0.5, 1.0)
CONTRASTS = (1e-4, 0.01, 0.1, 10.0, 100.0)
PACKINGS = ((0.15, 0.3), (0.3, 0.3), (0.45, 0.3), (0.3, 0.18))  # volume fraction, diameter
MATRIX = (2.5, 1.2)  # K and G, GPa


def bulk(fields: list[Tensor]) -> float:
    """K* of one cell from its fields K and G (*grid)."""
    K, G = (field[None] if field.ndim == 3 else field[None, ..., None] for field in fields)
    return float(bulk_modulus(K, G, tol=1e-4).value[0])


def with_power(packing: Packing, contrast: float, grid: int, power: float) -> float:
    """K* with one generalised mean for all cut voxels."""
    shares = packing.shares(grid)
    mean = ((1 - shares) + shares * contrast**power) ** (1 / power)
    return bulk([value * mean for value in MATRIX])


def binary(packing: Packing, contrast: float, grid: int) -> float:
    """K* with voxels that belong to the phase of their centre."""
    inside = packing.voxelise(grid).double()
    return bulk([value * (1 + (contrast - 1) * inside) for value in MATRIX])


def composite(packing: Packing, matrix: tuple[float, float], particle: tuple[float, float], grid: int) -> float:
    """K* as the product computes it."""
    shares = packing.shares(grid)
    return bulk([composite_field(a, b, shares, packing.dim) for a, b in zip(matrix, particle, strict=True)])


def rules(dim: int) -> list[dict]:
    """Errors in per cent on the design's grid, against the limit from that grid doubled and doubled again."""
    rows = []
    for contrast in CONTRASTS:
        for vf, diameter in PACKINGS:
            generator = torch.Generator().manual_seed(7)
            packing = place_particles(vf, diameter, dim, grid=GRIDS[dim], generator=generator)[0]
            particle = tuple(contrast * value for value in MATRIX)
            own = [composite(packing, MATRIX, particle, n * GRIDS[dim]) for n in (1, 2, 4)]
            truth = 2 * own[2] - own[1]
            values = {"binary": binary(packing, contrast, GRIDS[dim])}
            values |= {f"p = {p:g}": with_power(packing, contrast, GRIDS[dim], p) for p in POWERS}
            values |= {f"chosen, p = {exponent(contrast, dim):.2g}": own[0], "two grids": 2 * own[1] - own[0]}
            errors = {name: 100 * (value / truth - 1) for name, value in values.items()}
            rows.append({"dim": dim, "contrast": contrast, "vf": vf, "diameter": diameter, "errors": errors})
            print(contrast, vf, diameter, {name: f"{error:+.2f} %" for name, error in errors.items()}, flush=True)
    return rows


def intervals(dim: int, count: int, seed: int, quantities: Sequence[str]) -> dict:
    """How often the interval of the grid holds the value on four times the grid, by quantity; relative errors of K."""
    random, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    materials, solver = Catalogue.default().materials, Simulation(Evaluator(quantities), [], dim, GRIDS[dim])
    held: dict[str, list[bool]] = {name: [] for name in quantities}
    widths, errors, of_binary = [], [], []
    while len(widths) < count:
        pair = [materials[int(i)] for i in random.choice(len(materials), 2, replace=False)]
        try:
            vf, diameter = random.uniform(0.05, 0.48), random.uniform(0.16, 0.39)
            packing = place_particles(vf, diameter, dim, grid=GRIDS[dim], generator=generator)[0]
        except PlacementError:
            continue
        trust, finest = resolve(solver, pair, packing).trust(), solver.cells(pair, [packing], times=4).values
        for name in quantities:
            held[name].append(abs(float(finest[name][0]) - trust[name].value) <= trust[name].grid)
        value, voxels = float(finest["K"][0]), solver.voxels(pair, packing.voxelise(GRIDS[dim]))["K"]
        widths.append(trust["K"].grid / trust["K"].value)
        errors.append(abs(trust["K"].value / value - 1))
        of_binary.append(abs(voxels / value - 1))
    row: dict[str, Any] = {"dim": dim, "packings": count, "seed": seed}
    row["held"] = {name: statistics.mean(each) for name, each in held.items()}
    for name, values in (("half-width", widths), ("error", errors), ("error of binary voxels", of_binary)):
        row[name] = dict(zip(("median", "90 %", "most"), np.quantile(values, (0.5, 0.9, 1.0)).tolist(), strict=True))
    print(json.dumps(row, indent=1))
    return row


def geometry_of(design: Design) -> Geometry | None:
    """What a design's cell is on any grid, of equal particles and of shapes."""
    known = design.geometry
    if "level" in known:
        return restored(known)
    if design.family != "particles" or not known:
        return None
    return Packing(torch.tensor(known["centres"], dtype=torch.float64), design.parameters["diameter"])


def designs(folder: Path, most: int) -> list[dict]:
    """Per case, shares of designs that are within 1 % of their targets on four times their grid or inside the interval.

    What a whole stiffness misses is the norm of the difference. folder: of the protocol's work. most: of each case.
    """
    rows = []
    for case in sorted(path for path in folder.iterdir() if path.is_dir()):
        lines = [json.loads(line) for file in sorted(case.glob("*.jsonl")) for line in file.read_text().splitlines()]
        found = [Design.from_dict(line["design"]) for line in lines if "design" in line][:most]
        asked = [(design, geometry) for design in found if (geometry := geometry_of(design)) and design.targets]
        if not asked:
            continue
        misses, held = [], 0
        for design, geometry in asked:
            dim = 2 if isinstance(geometry, LevelSet) and geometry.level.ndim == 2 else getattr(geometry, "dim", 3)
            void = any(material.void for material in design.materials)
            names = tuple(target.quantity for target in design.targets)
            simulation = Simulation(Evaluator(names), [], dim, GRIDS[dim], void=void)
            solved = simulation.cells(design.materials, [geometry], times=4).values
            values = {name: float(value[0]) for name, value in solved.items()}
            whole = stiffness_error(design.objectives, values)
            others = [abs(target.miss(values[target.quantity])) for target in design.targets if target.scale is None]
            misses.append(max([*others, *([] if whole is None else [whole])]))
            held += all(design.trust[name].low <= values[name] <= design.trust[name].high for name in names)
        far = sorted(misses)
        row = {"case": case.name, "designs": len(found), "verified": len(asked), "held": held / len(asked)}
        row |= {"within 1 %": sum(miss <= 0.01 for miss in far) / len(found), "median": statistics.median(far)}
        rows.append(row | {"most": far[-1]})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("rules", "intervals", "designs"))
    parser.add_argument("--dim", type=int, choices=(2, 3), default=2)
    parser.add_argument("--count", type=int, default=200, help="packings, or designs of each case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quantities", nargs="+", default=["K"], help="whose intervals are tried, K among them")
    parser.add_argument("--work", type=Path, help="folder of the protocol, for designs")
    options = parser.parse_args()
    record = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if options.what == "designs":
        if options.work is None:
            parser.error("designs takes --work, the folder in which `relaxdesign protocol` works")
        record |= {f"designs-{row['case']}": row for row in designs(options.work, options.count)}
    elif options.what == "rules":
        record[f"rules-{options.dim}d"] = rules(options.dim)
    else:
        record[f"intervals-{options.dim}d"] = intervals(options.dim, options.count, options.seed, options.quantities)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
