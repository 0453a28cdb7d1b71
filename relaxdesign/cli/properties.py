"""The report of ``relaxdesign evaluate``: effective properties of one cell as a dictionary and as tables."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.console import output

if TYPE_CHECKING:
    from relaxdesign.cli.cells import Cell
    from relaxdesign.cli.solving import Solving
    from relaxdesign.physics.fem import BulkResult
    from relaxdesign.physics.voxel_fields import VoxelFields

UNIAXIAL_REMARK = (
    "uniaxial is a load case for comparison with published runs, not an effective property: its K can leave the bounds"
)


def make_report(cell: Cell, solving: Solving) -> dict[str, Any]:
    """What is printed; writes the gradient if there is a file for it.

    Errors as in `relaxdesign.physics.effective_properties.evaluate`.
    """
    from relaxdesign.physics.bounds import bounds_dict, bounds_with, field_bounds, field_shear_bounds
    from relaxdesign.physics.effective_properties import evaluate, moduli, on_finer_grids, resolution_warnings
    from relaxdesign.physics.fem import bulk_modulus

    data, made = cell.data, {"phases": cell.phases, "cell": cell.box}
    about = {name: value for name, value in made.items() if value is not None}
    K, G = moduli(data)
    boundary, tol, gradient, only_bulk = solving.boundary, solving.tol, solving.gradient, solving.only is not None
    alone = only_bulk or boundary == "uniaxial"
    begin = time.perf_counter()
    solved = bulk_modulus(K, G, boundary=boundary, tol=tol) if alone or gradient is not None else None
    seconds = time.perf_counter() - begin
    if solved is not None and gradient is not None:
        _write_gradient(gradient, data, solved)
    if solved is None or not alone:
        options = {"boundary": boundary, "tol": tol, "element": solving.element}
        solution = evaluate(data, **options)
        report = solution.to_dict()
        if solving.refine:
            report["refined"] = on_finer_grids(data, solution, **options)
        return report | {"remark": None, "warnings": [*cell.warnings, *report["warnings"]]} | about
    bounds, shear = (bounds_with(data.void, of(K[0], G[0])) for of in (field_bounds, field_shear_bounds))
    found = resolution_warnings(data, boundary, {"K": (solved.value.item(), bounds)})
    return {
        "K": solved.value.item(),
        "G": None,
        "E": None,
        "nu": None,
        **({} if only_bulk else {"C": None}),
        "directional_E": None,
        "anisotropy": None,
        "density": None if data.rho is None else float(data.rho.mean()),
        "bounds": bounds_dict(bounds),
        "bounds_G": bounds_dict(shear),
        "conductivity": None,
        "cte": None,
        "cte_tensor": None,
        "expansion": None,
        "iterations": int(solved.iterations.sum()),
        "residual": float(solved.residual.max()),
        "boundary": str(solved.boundary),
        "seconds": seconds,
        "warnings": [*cell.warnings, *found],
        "remark": UNIAXIAL_REMARK if boundary == "uniaxial" else None,
        **about,
    }


def print_report(report: dict[str, Any], cell: Cell) -> None:
    """Tables for people."""
    shape = " x ".join(str(n) for n in cell.data.E.shape)
    table = Table(title=f"Effective properties, {shape} voxels", show_header=False)

    def row(name: str, *values: float | None, unit: str = "") -> None:
        if None not in values:
            table.add_row(name, " ".join([*(f"{value:.6g}" for value in values if value is not None), unit]).rstrip())

    def add_bounds(bounds: dict[str, float], symbol: str, unit: str) -> None:
        for low, high, name in (("reuss", "voigt", "Reuss … Voigt"), ("hs_lower", "hs_upper", "Hashin–Shtrikman")):
            table.add_row(f"{name} ({symbol})", f"{bounds[low]:.6g} … {bounds[high]:.6g} {unit}")

    _add_phases(table, report, cell)
    row("bulk modulus K", report["K"], unit="GPa")
    row("shear modulus G", report["G"], unit="GPa")
    row("Young's modulus E", report["E"], unit="GPa")
    row("Poisson's ratio", report["nu"])
    row("E_x, E_y, E_z", *(report["directional_E"] or [None]), unit="GPa")
    if report["anisotropy"] is not None:
        row("anisotropy index A^U", _without_round_off(report["anisotropy"]))
    row("density", report["density"], unit="g/cm³")
    add_bounds(report["bounds"], "K", "GPa")
    if report["G"] is not None:
        add_bounds(report["bounds_G"], "G", "GPa")
    solves = {"solve": report}
    conductivity = report["conductivity"]
    if conductivity is not None:
        row("conductivity k", conductivity["mean"], unit="W/(m K)")
        row("k_xx, k_yy, k_zz", *conductivity["directional"], unit="W/(m K)")
        row("largest / smallest k", conductivity["anisotropy"])
        add_bounds(conductivity["bounds"], "k", "W/(m K)")
        solves["solve for k"] = conductivity
    expansion = report["expansion"]
    if expansion is not None:
        row("thermal expansion", report["cte"], unit="1e-6/K")
        row("along x, y, z", *report["cte_tensor"][:3], unit="1e-6/K")
        add_bounds(expansion["bounds"], "thermal expansion", "1e-6/K")
        solves["solve for expansion"] = expansion
    for name, solve in solves.items():
        table.add_row(
            name,
            f"{solve['iterations']} iterations, residual {solve['residual']:.1e}, {solve['seconds']:.3f} s, "
            f"{report['boundary']}",
        )
    _add_refined(table, report.get("refined", {}))
    output().print(table)
    for warning in report["warnings"]:
        output().print(f"[bold yellow]Warning:[/] {escape(warning)}")
    if report["remark"]:
        output().print(report["remark"])
    if report.get("C") is not None:
        _print_matrix("C, GPa", report["C"])
    if conductivity is not None:
        _print_matrix("k, W/(m K)", conductivity["tensor"])
    if expansion is not None and expansion["stress_MPa_per_K"]:
        _print_stresses(expansion["stress_MPa_per_K"])
        output().print(expansion["cooling"])


def _add_phases(table: Table, report: dict[str, Any], cell: Cell) -> None:
    """Rows of the materials, and of the box that was cut out of a surface."""
    if phases := report.get("phases"):
        roles = dict(enumerate(cell.roles))
        for phase in phases["labels"]:
            share = f"{100 * phase['volume_fraction']:.2f} % of the cell"
            table.add_row(roles.get(phase["label"], f"label {phase['label']}"), escape(f"{phase['material']}, {share}"))
    if box := report.get("cell"):
        corners = (box["origin"], [a + b for a, b in zip(box["origin"], box["edges"], strict=True)])
        ends = " to ".join("(" + ", ".join(f"{value:.6g}" for value in corner) + ")" for corner in corners)
        table.add_row("cell, in the file's unit", ends)


def _add_refined(table: Table, refined: dict[str, Any]) -> None:
    """Rows of the values on this grid, on the doubled one and in the limit."""
    from relaxdesign.physics.quantities import QUANTITIES

    for symbol, found in refined.items():
        if symbol in QUANTITIES:
            values = " → ".join(f"{found[grid]:.6g}" for grid in ("given", "doubled", "limit"))
            table.add_row(f"{symbol}: this grid, doubled, limit", QUANTITIES[symbol].with_unit(values))


def _write_gradient(path: Path, data: VoxelFields, solved: BulkResult) -> None:
    import numpy as np
    import torch

    from relaxdesign.physics.fem import gradient_young_poisson

    young, poisson = torch.from_numpy(data.E)[None], torch.from_numpy(data.nu)[None]
    by_young, by_poisson = gradient_young_poisson(solved.gradient_bulk, solved.gradient_shear, young, poisson)
    np.savez(path, dK_dE=by_young[0].numpy(), dK_dnu=by_poisson[0].numpy())


def _print_stresses(phases: list[dict[str, float]]) -> None:
    table = Table("E, GPa", "alpha, 1e-6/K", "share, %", "von Mises", "99 % below", "tension", "when cooled")
    table.title = "Stress per kelvin in the free cell, MPa/K"
    for phase in phases:
        numbers = (phase["young"], phase["alpha"], 100 * phase["share"])
        stresses = (phase[name] for name in ("von_mises", "von_mises_99", "tension", "compression"))
        table.add_row(*(f"{value:.4g}" for value in (*numbers, *stresses)))
    output().print(table)


def _print_matrix(title: str, matrix: list[list[float]]) -> None:
    table = Table(title=title, show_header=False)
    scale = max(abs(value) for row in matrix for value in row)
    for row in matrix:
        table.add_row(*(f"{_without_round_off(value, scale):.5g}" for value in row))
    output().print(table)


def _without_round_off(value: float, scale: float = 1.0) -> float:
    return value if abs(value) > 1e-9 * scale else 0.0
