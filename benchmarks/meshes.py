"""Exported meshes solved by CalculiX, against the evaluator: C of twenty cells, hexahedra and smoothed elements.

The hexahedra are what the evaluator solves on with ``element="full"``: C has to be the same. A smoothed mesh has
another shape than its voxels; its C is compared with that of a fine grid of voxels (3D: composite ones) that hold this
very mesh. Differences are those of the largest entry of C and are printed as a table, which docs/meshes.md has;
``benchmarks/results/meshes.json`` keeps the numbers.

    python -m benchmarks.meshes [--only NAME …]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyvista
import torch

from relaxdesign.export.mesh import Mesh
from relaxdesign.export.mesh.deck import deck
from relaxdesign.export.mesh.hexahedra import voxel_mesh
from relaxdesign.export.mesh.known import Levels, Spheres
from relaxdesign.export.mesh.results import SolvedMesh, read_results
from relaxdesign.export.mesh.smooth import smooth_mesh
from relaxdesign.export.mesh.smoothing import Interfaces
from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Round
from relaxdesign.microstructure.cell import Cell
from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.microstructure.free_form.generators import draw_shapes
from relaxdesign.microstructure.mixed_voxels import composite_fields
from relaxdesign.physics.effective_properties import evaluate

RESULTS = Path(__file__).parent / "results" / "meshes.json"
GRIDS = {2: 32, 3: 12}
FINE = {2: 384, 3: 64}
SAMPLES = {2: 1, 3: 3}
"""Points per axis and voxel that tell the shares of its phases. One in a plane: composite voxels are mixed for K and G
there, and too soft along the fibres."""
ITERATIVE = 3000
"""Nodes of 3D meshes from which on CalculiX solves by iteration."""

NAMES = {"epoxy": "epoxy-unfilled", "alumina": "alumina-ad-995", "aluminium": "aluminium-alloy-6061-t6"}


class Case:
    """One cell. known: where its interfaces lie, shares: volume fractions that the smoothed mesh is to have."""

    def __init__(self, cell: Cell, known: Interfaces, shares: tuple[float, ...]):
        self.cell, self.known, self.shares = cell, known, shares


def materials(*names: str) -> tuple[Material, ...]:
    """Of the catalogue, by the keys of `NAMES`, or void."""
    known = Catalogue.default()
    return tuple(known.phase(NAMES.get(name, name)) for name in names)


def particles(family: str, dim: int, share: float, size: float, seed: int, *names: str) -> Case:
    """Placed particles of a family."""
    kind: Any = FAMILIES[family]
    if len(names) > 2:
        kind = kind.with_third(materials(*names)[kind.given], kind.usual)
    generator = torch.Generator().manual_seed(seed)
    placed = kind.place(share, size, dim, grid=GRIDS[dim], generator=generator)[0]
    grid = GRIDS[dim]
    assert isinstance(kind, Round)
    known = kind.spheres(placed.to_dict()).values()
    centres, diameters = (np.concatenate(column) for column in zip(*known, strict=True))
    cell = Cell(placed.voxelise(grid).numpy().astype(np.uint8).reshape(grid, grid, -1), materials(*names))
    fine = placed.shares(128 if dim == 2 else 48).double()
    parts = [float(part.mean()) for part in (fine[None] if fine.ndim == dim else fine)]
    return Case(cell, Spheres(grid * centres, 0.5 * grid * diameters), (1.0 - sum(parts), *parts))


def shapes(kind: str, dim: int, seed: int, *names: str) -> Case:
    """A drawn cell of free form, whose phase 1 is a network where the other is void."""
    grid = GRIDS[dim]
    field = draw_shapes(kind, 1, grid, dim, torch.Generator().manual_seed(seed))[0]
    level = FREE_FORM.level_set((field > 0).numpy())
    share = float(FREE_FORM.geometry(level).shares(4 * grid).mean())
    cell = Cell((level > 0).astype(np.uint8).reshape(grid, grid, -1), materials(*names))
    return Case(cell, Levels(level[None]), (1.0 - share, share))


CASES: dict[str, Callable[[], Case]] = {
    "fibres, 30 %": lambda: particles("particles", 2, 0.3, 0.3, 1, "epoxy", "alumina"),
    "fibres, 15 %": lambda: particles("particles", 2, 0.15, 0.25, 2, "epoxy", "alumina"),
    "fibres, soft in stiff": lambda: particles("particles", 2, 0.3, 0.3, 3, "alumina", "epoxy"),
    "fibres of two sizes": lambda: particles("particles-two-sizes", 2, 0.3, 0.3, 4, "epoxy", "aluminium"),
    "coated fibres": lambda: particles("particles-coated", 2, 0.3, 0.4, 5, "epoxy", "aluminium", "alumina"),
    "two kinds of fibres": lambda: particles("particles-hybrid", 2, 0.3, 0.3, 6, "epoxy", "alumina", "aluminium"),
    "free form, 2D": lambda: shapes("interpenetrating", 2, 7, "epoxy", "alumina"),
    "free form, layered, 2D": lambda: shapes("layered", 2, 8, "epoxy", "alumina"),
    "lattice, 2D": lambda: shapes("lattice", 2, 9, "void", "aluminium"),
    "pores, 2D": lambda: shapes("pores", 2, 10, "void", "aluminium"),
    "foam, 2D": lambda: shapes("foam", 2, 11, "void", "alumina"),
    "spheres, 15 %": lambda: particles("particles", 3, 0.15, 0.4, 12, "epoxy", "alumina"),
    "spheres, 10 %": lambda: particles("particles", 3, 0.1, 0.4, 13, "epoxy", "aluminium"),
    "spheres, soft in stiff": lambda: particles("particles", 3, 0.15, 0.4, 14, "alumina", "epoxy"),
    "coated spheres": lambda: particles("particles-coated", 3, 0.15, 0.4, 15, "epoxy", "aluminium", "alumina"),
    "free form": lambda: shapes("interpenetrating", 3, 16, "epoxy", "alumina"),
    "minimal surface": lambda: shapes("surfaces", 3, 17, "epoxy", "aluminium"),
    "lattice": lambda: shapes("lattice", 3, 18, "void", "aluminium"),
    "pores": lambda: shapes("pores", 3, 19, "void", "aluminium"),
    "minimal surface beside a void": lambda: shapes("surfaces", 3, 20, "void", "alumina"),
}


def solved(mesh: Mesh) -> SolvedMesh:
    """What CalculiX makes of a mesh."""
    text = deck(mesh, "benchmark").decode()
    if mesh.kind.corners == 4 and len(mesh.points) > ITERATIVE:
        text = text.replace("*STATIC", "*STATIC,SOLVER=ITERATIVE SCALING")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mesh.inp").write_text(text)
        subprocess.run(["ccx", "mesh"], cwd=folder, check=True, capture_output=True)
        return read_results(Path(folder, "mesh.dat").read_text())


def rasterised(mesh: Mesh, grid: int, phases: int, void: int | None) -> np.ndarray:
    """Shares (phases, grid, grid, grid or 1) of the phases of a mesh in voxels."""
    linear = mesh.linear()
    flat = linear.kind.corners == 6
    samples = SAMPLES[2 if flat else 3]
    fine, layers = grid * samples, 1 if flat else grid * samples
    along = (np.arange(fine) + 0.5) / fine * mesh.size[0]
    across = np.array([0.5 * mesh.size[2]]) if flat else along
    points = np.stack(np.meshgrid(along, along, across, indexing="ij"), axis=-1).reshape(-1, 3)
    kind = pyvista.CellType.WEDGE if flat else pyvista.CellType.TETRA
    cells = np.insert(linear.elements, 0, linear.kind.corners, axis=1)
    body = pyvista.UnstructuredGrid(cells, np.full(len(cells), kind), linear.points)
    found = body.find_containing_cell(points)
    outside = 0 if void is None else void
    label = np.where(found >= 0, mesh.phase[found], outside).reshape(fine, fine, layers)
    shape = (grid, samples, grid, samples, 1 if flat else grid, 1 if flat else samples)
    return np.stack([(label == phase).reshape(shape).mean(axis=(1, 3, 5)) for phase in range(phases)])


def on_fine_voxels(mesh: Mesh, cell: Cell) -> np.ndarray:
    """C of the body of a mesh by the evaluator."""
    shares = rasterised(mesh, FINE[cell.dim], len(cell.materials), cell.void)
    return evaluate(composite_fields(shares, cell.materials), tol=1e-5).C


def difference(C: np.ndarray, other: np.ndarray) -> float:
    """The largest of the entries, in percent of the largest entry."""
    return 100.0 * float(np.abs(C - other).max() / np.abs(other).max())


def isotropic(C: np.ndarray) -> tuple[float, float]:
    """K and G, Voigt averages."""
    normal = C[:3, :3]
    return float(normal.mean()), float((3.0 * np.trace(normal) - normal.sum()) / 30.0 + np.trace(C[3:, 3:]) / 5.0)


def measured(case: Case) -> dict[str, Any]:
    """All differences of one cell, percent."""
    cell, names = case.cell, tuple(f"phase-{n}" for n in range(len(case.cell.materials)))
    hexahedra = voxel_mesh(cell, names)
    row: dict[str, Any] = {"voxels": "×".join(map(str, cell.labels.shape)), "hexahedra": len(hexahedra.elements)}
    found = solved(hexahedra).C
    row["full"] = difference(found, evaluate(cell.fields, element="full", tol=1e-9).C)
    row["mean-dilatation"] = difference(found, evaluate(cell.fields).C)
    fine = None
    for order in ("linear", "quadratic"):
        mesh = smooth_mesh(cell, names, shares=case.shares, known=case.known, quadratic=order == "quadratic")
        fine = on_fine_voxels(mesh, cell) if fine is None else fine
        C = solved(mesh).C
        row |= {f"{order} elements": len(mesh.elements), order: difference(C, fine)}
        for name, value, reference in zip("KG", isotropic(C), isotropic(fine), strict=True):
            row[f"{order} {name}"] = 100.0 * (value / reference - 1.0)
        row["told"] = list(mesh.told)
    return row


def table(rows: dict[str, dict[str, Any]]) -> Iterator[str]:
    """As Markdown."""
    yield "| cell | voxels | C3D8 to full | to mean dilatation | elements | first order | second order | K | G |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, row in rows.items():
        yield (
            f"| {name} | {row['voxels']} | {row['full']:.1e} | {row['mean-dilatation']:.2f} | {row['linear elements']} "
            f"| {row['linear']:.2f} | {row['quadratic']:.2f} | {row['quadratic K']:+.2f} | {row['quadratic G']:+.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="NAME", help="some of the cells")
    parser.add_argument("--render", action="store_true", help="only print the table of stored numbers")
    options = parser.parse_args()
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in () if options.render else options.only or CASES:
        start = time.perf_counter()
        rows[name] = measured(CASES[name]())
        RESULTS.write_text(json.dumps({each: rows[each] for each in CASES if each in rows}, indent=1) + "\n")
        print(f"{name}: {rows[name]} ({time.perf_counter() - start:.0f} s)", flush=True)
    print("\n".join(table({name: rows[name] for name in CASES if name in rows})))


if __name__ == "__main__":
    main()
