"""The report of ``relaxdesign evaluate``: effective properties of one cell as a dictionary and as tables."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from relaxdesign.cli.besides import add_beside, beside
from relaxdesign.cli.console import output

if TYPE_CHECKING:
    from relaxdesign.cli.cells import Cell
    from relaxdesign.cli.solving import Solving
    from relaxdesign.physics.bounds import Bounds
    from relaxdesign.physics.effective_properties import Conduction
    from relaxdesign.physics.fem import BulkResult
    from relaxdesign.physics.heating import Expansion
    from relaxdesign.physics.voxel_fields import VoxelFields

UNIAXIAL_REMARK = (
    "uniaxial is a load case for comparison with published runs, not an effective property: its K can leave the bounds"
)


@dataclass(frozen=True)
class Report:
    """What is told of a cell. content: for JSON. values, bounds: by quantity. beside: what beside the stiffness."""

    content: dict[str, Any]
    values: Mapping[str, float]
    bounds: Mapping[str, Bounds]
    beside: Mapping[str, Conduction | Expansion] = field(default_factory=dict)


def make_report(cell: Cell, solving: Solving) -> Report:
    """What is printed; writes the gradient if there is a file for it.

    Errors as in `relaxdesign.physics.effective_properties.evaluate`.
    """
    from relaxdesign.physics.bounds import bounds_dict, bounds_with, field_bounds, field_shear_bounds
    from relaxdesign.physics.effective_properties import evaluate, moduli, on_finer_grids, resolution_warnings
    from relaxdesign.physics.fem import bulk_modulus

    data, made = cell.data, {"phases": cell.phases, "cell": cell.box, "image": cell.image}
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
        report |= {"remark": None, "warnings": [*cell.warnings, *report["warnings"]]} | about
        report |= beside(cell, solution, solving)
        return Report(report, solution.values, solution.bounds, solution.beside)
    bounds, shear = (bounds_with(data.void, of(K[0], G[0])) for of in (field_bounds, field_shear_bounds))
    found = resolution_warnings(data, boundary, {"K": (solved.value.item(), bounds)})
    bulk, density = solved.value.item(), None if data.rho is None else float(data.rho.mean())
    unknown = ("G", "E", "nu", "directional_E", "anisotropy", "conductivity", "cte", "cte_tensor", "expansion")
    report = dict.fromkeys(unknown if only_bulk else (*unknown, "C"))
    report |= {
        "K": bulk,
        "density": density,
        "bounds": bounds_dict(bounds),
        "bounds_G": bounds_dict(shear),
        "iterations": int(solved.iterations.sum()),
        "residual": float(solved.residual.max()),
        "boundary": str(solved.boundary),
        "seconds": seconds,
        "warnings": [*cell.warnings, *found],
        "remark": UNIAXIAL_REMARK if boundary == "uniaxial" else None,
    }
    return Report(report | about, {"K": bulk} | ({} if density is None else {"density": density}), {"K": bounds})


def print_report(found: Report, cell: Cell) -> None:
    """Tables for people."""
    from relaxdesign.physics.quantities import QUANTITIES, in_words

    report = found.content
    shape = " x ".join(str(n) for n in cell.data.E.shape)
    table = Table(title=f"Effective properties, {shape} voxels", show_header=False)
    if image := report.get("image"):
        add_image(table, image)
    _add_phases(table, report, cell)
    for name, text in in_words(found.values, "{:.6g}".format):
        table.add_row(name, text)
    if report["anisotropy"] is not None:
        table.add_row("Universal anisotropy index", f"{_without_round_off(report['anisotropy']):.6g}")
    for name, bounds in found.bounds.items():
        ends = {"Reuss … Voigt": (bounds.reuss, bounds.voigt), "Hashin–Shtrikman": (bounds.hs_lower, bounds.hs_upper)}
        for title, (low, high) in ends.items():
            table.add_row(f"{title} ({name})", QUANTITIES[name].with_unit(f"{low:.6g} … {high:.6g}"))
    _add_solve(table, "solve", report, report["boundary"])
    for name, part in found.beside.items():
        _add_solve(table, f"solve for {QUANTITIES[name].label}", part.to_dict(), report["boundary"])
    _add_refined(table, report.get("refined", {}))
    add_beside(table, report)
    output().print(table)
    for warning in report["warnings"]:
        output().print(f"[bold yellow]Warning:[/] {escape(warning)}")
    if report["remark"]:
        output().print(report["remark"])
    if report.get("C") is not None:
        _print_matrix("C, GPa", report["C"])
    for name, part in found.beside.items():
        _print_matrix(QUANTITIES[name].heading, part.tensor.reshape(-1, part.tensor.shape[-1]).tolist())
    if report["expansion"] is not None and report["expansion"]["stress_MPa_per_K"]:
        _print_stresses(report["expansion"])


def _add_solve(table: Table, name: str, solve: dict[str, Any], boundary: str) -> None:
    told = f"{solve['iterations']} iterations, residual {solve['residual']:.1e}, {solve['seconds']:.3f} s, {boundary}"
    table.add_row(name, told)


def add_image(table: Table, image: dict[str, Any]) -> None:
    """Rows of what was read, and of the steps with the numbers that they found."""
    table.add_row("image", escape(image["read"]))
    for step in image["steps"]:
        numbers = {name: value for name, value in step.items() if name not in ("step", "warning")}
        found = ", ".join(f"{name} {_in_short(value)}" for name, value in numbers.items())
        table.add_row("step", escape(f"{step['step']}: {found}" if found else step["step"]))


def _in_short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_in_short, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


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

    from relaxdesign.files import write_whole
    from relaxdesign.physics.fem import gradient_young_poisson

    young, poisson = torch.from_numpy(data.E)[None], torch.from_numpy(data.nu)[None]
    by_young, by_poisson = gradient_young_poisson(solved.gradient_bulk, solved.gradient_shear, young, poisson)
    buffer = io.BytesIO()
    np.savez(buffer, dK_dE=by_young[0].numpy(), dK_dnu=by_poisson[0].numpy())
    write_whole(path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz"), buffer.getvalue())


def _print_stresses(expansion: dict[str, Any]) -> None:
    table = Table("E, GPa", "alpha, 1e-6/K", "share, %", "von Mises", "99 % below", "tension", "when cooled")
    table.title = "Stress per kelvin in the free cell, MPa/K"
    for phase in expansion["stress_MPa_per_K"]:
        numbers = (phase["young"], phase["alpha"], 100 * phase["share"])
        stresses = (phase[name] for name in ("von_mises", "von_mises_99", "tension", "compression"))
        table.add_row(*(f"{value:.4g}" for value in (*numbers, *stresses)))
    output().print(table)
    output().print(expansion["cooling"])


def _print_matrix(title: str, matrix: list[list[float]]) -> None:
    table = Table(title=title, show_header=False)
    scale = max(abs(value) for row in matrix for value in row)
    for row in matrix:
        table.add_row(*(f"{_without_round_off(value, scale):.5g}" for value in row))
    output().print(table)


def _without_round_off(value: float, scale: float = 1.0) -> float:
    return value if abs(value) > 1e-9 * scale else 0.0
