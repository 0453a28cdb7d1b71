"""``relaxdesign evaluate``: effective properties and local fields of a voxel field in a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from relaxdesign.cli.console import (
    EXIT_INTERRUPTED,
    EXIT_NO_RESULT,
    fail,
    messages,
    output,
    progress,
    stop_on_interrupt,
    user_errors,
)

if TYPE_CHECKING:
    from torch import Tensor

    from relaxdesign.fem import BulkResult
    from relaxdesign.fields_io import FieldData

BoundaryName = Literal["periodic", "kubc", "uniaxial"]
LoadName = Literal["hydrostatic", "xx", "yy", "zz", "yz", "xz", "xy"]

UNIAXIAL_REMARK = (
    "uniaxial is a load case for comparison with published runs, not an effective property: its K can leave the bounds"
)


def evaluate(
    field: Annotated[
        Path,
        typer.Argument(
            metavar="FIELD",
            help=".npz (arrays E [GPa], nu, optional rho, k [W/(m K)]) or .vti; cubic voxels. Or a folder of them.",
        ),
    ],
    boundary: Annotated[
        BoundaryName,
        typer.Option(
            help="periodic: effective properties; kubc: linear displacement on the surface, an upper estimate; "
            "uniaxial: K of a comparison load case, nothing else."
        ),
    ] = "periodic",
    only: Annotated[
        Literal["bulk"] | None, typer.Option(help="bulk: solve the one hydrostatic load case, for K alone.")
    ] = None,
    gradient: Annotated[
        Path | None, typer.Option(metavar="OUT.npz", help="Write the gradient of K as dK_dE and dK_dnu (GPa).")
    ] = None,
    fields: Annotated[
        Path | None,
        typer.Option(metavar="OUT.vti", help="Write strain, stress, energy and displacement under a unit strain."),
    ] = None,
    load: Annotated[
        LoadName | None, typer.Option(help="The unit strain of --fields; hydrostatic if not given.")
    ] = None,
    tol: Annotated[float, typer.Option(help="Relative residual of the solves.")] = 1e-8,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Of a folder: one row per field, .parquet or .csv.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Of a folder: processes. Default: one per core.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Of a folder: address of a running Dask scheduler.")] = None,
) -> None:
    """Homogenise a field: K, G, E, nu, the stiffness C (6x6, Voigt order xx yy zz yz xz xy) in GPa, conductivity.

    A field one voxel thick is a 2D cell: periodic through the thickness, 3D elasticity. The conductivity tensor is
    added if the file has an array k.
    """
    if field.is_dir() or out is not None:
        with user_errors():
            if gradient is not None or fields is not None or load is not None or only is not None:
                raise ValueError("--only, --gradient, --fields and --load are for one field, not for a folder")
            if out is None:
                raise ValueError(f"{field} is a folder: give --out TABLE.parquet for one row per field")
            _evaluate_folder(field, out, boundary, tol, workers, scheduler)
        return
    with user_errors():
        _check_output("--gradient", gradient, ".npz")
        _check_output("--fields", fields, ".vti")
        if load is not None and fields is None:
            raise ValueError(f"--load {load} says which fields to write: give --fields OUT.vti too")
        if boundary == "uniaxial" and load not in (None, "zz"):
            raise ValueError(f"--load {load}: boundary uniaxial has a load of its own, zz; leave --load out")
        load = load or ("zz" if boundary == "uniaxial" else "hydrostatic")

        from relaxdesign.evaluation import fields_under, moduli
        from relaxdesign.export import to_json, write_fields_vti
        from relaxdesign.fem import ConvergenceError
        from relaxdesign.fields_io import load_field

        data = load_field(field)
        try:
            report = _report(data, *moduli(data), boundary, only is not None, gradient, tol)
            if fields is not None:
                solved = fields_under(data, load, boundary=boundary, tol=tol)
                voxels = {name: getattr(data, name) for name in ("E", "nu", "rho", "k")}
                voxels = {name: values for name, values in voxels.items() if values is not None}
                title = f"{field.name}, {boundary}, unit strain {load}"
                write_fields_vti(fields, solved, edge=data.edge, voxels=voxels, title=title)
        except ConvergenceError as error:
            fail(str(error), EXIT_NO_RESULT)
    if as_json:
        typer.echo(to_json(report), nl=False)
    else:
        _print(report, data.E.shape)


def _evaluate_folder(
    folder: Path, out: Path, boundary: str, tol: float, workers: int | None, scheduler: str | None
) -> None:
    """All fields of a folder; Ctrl-C keeps what is finished."""
    from relaxdesign.campaign import evaluate_folder

    state = None
    with stop_on_interrupt() as stopped, progress() as bars:
        task = bars.add_task("Fields", total=None, note="")
        options = {"boundary": boundary, "tol": tol, "scheduler": scheduler, "count": workers, "cancel": stopped}
        for state in evaluate_folder(folder, out, **options):
            bars.update(task, total=state.total, completed=state.done, note=f"{state.failed} failed")
    if stopped():
        messages.print("Stopped: the same command goes on from the fields that are finished.")
        raise typer.Exit(EXIT_INTERRUPTED)
    if state is not None:
        output().print(f"{state.done} fields, {state.failed} without a result: {out}", soft_wrap=True)


def _check_output(option: str, path: Path | None, suffix: str) -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if path is None:
        return
    if path.suffix != suffix:
        raise ValueError(f"{option}: {path} must end in {suffix}")
    if not path.parent.is_dir():
        raise ValueError(f"{option}: {path}: No such file or directory: {path.parent}")
    if path.is_dir():
        raise ValueError(f"{option}: {path} is a directory")


def _report(
    data: FieldData, K: Tensor, G: Tensor, boundary: str, only_bulk: bool, gradient: Path | None, tol: float
) -> dict[str, Any]:
    """What is printed; writes the gradient if there is a file for it."""
    from relaxdesign.bounds import field_bounds, field_shear_bounds
    from relaxdesign.evaluation import bounds_dict, evaluate
    from relaxdesign.fem import bulk_modulus

    alone = only_bulk or boundary == "uniaxial"
    begin = time.perf_counter()
    solved = bulk_modulus(K, G, boundary=boundary, tol=tol) if alone or gradient is not None else None
    seconds = time.perf_counter() - begin
    if solved is not None and gradient is not None:
        _write_gradient(gradient, data, solved)
    if solved is None or not alone:
        return evaluate(data, boundary=boundary, tol=tol).to_dict() | {"remark": None}
    return {
        "K": solved.value.item(),
        "G": None,
        "E": None,
        "nu": None,
        **({} if only_bulk else {"C": None}),
        "directional_E": None,
        "anisotropy": None,
        "density": None if data.rho is None else float(data.rho.mean()),
        "bounds": bounds_dict(field_bounds(K[0], G[0])),
        "bounds_G": bounds_dict(field_shear_bounds(K[0], G[0])),
        "conductivity": None,
        "iterations": int(solved.iterations.sum()),
        "residual": float(solved.residual.max()),
        "boundary": str(solved.boundary),
        "seconds": seconds,
        "remark": UNIAXIAL_REMARK if boundary == "uniaxial" else None,
    }


def _write_gradient(path: Path, data: FieldData, solved: BulkResult) -> None:
    import numpy as np
    import torch

    from relaxdesign.fem import gradient_young_poisson

    young, poisson = torch.from_numpy(data.E)[None], torch.from_numpy(data.nu)[None]
    by_young, by_poisson = gradient_young_poisson(solved.gradient_bulk, solved.gradient_shear, young, poisson)
    np.savez(path, dK_dE=by_young[0].numpy(), dK_dnu=by_poisson[0].numpy())


def _print(report: dict[str, Any], shape: tuple[int, ...]) -> None:
    table = Table(title=f"Effective properties, {' x '.join(str(n) for n in shape)} voxels", show_header=False)

    def row(name: str, *values: float | None, unit: str = "") -> None:
        if None not in values:
            table.add_row(name, " ".join([*(f"{value:.6g}" for value in values if value is not None), unit]).rstrip())

    def add_bounds(bounds: dict[str, float], symbol: str, unit: str) -> None:
        for low, high, name in (("reuss", "voigt", "Reuss … Voigt"), ("hs_lower", "hs_upper", "Hashin–Shtrikman")):
            table.add_row(f"{name} ({symbol})", f"{bounds[low]:.6g} … {bounds[high]:.6g} {unit}")

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
    for name, solve in solves.items():
        table.add_row(
            name,
            f"{solve['iterations']} iterations, residual {solve['residual']:.1e}, {solve['seconds']:.3f} s, "
            f"{report['boundary']}",
        )
    output().print(table)
    if report["remark"]:
        output().print(report["remark"])
    if report.get("C") is not None:
        _print_matrix("C, GPa", report["C"])
    if conductivity is not None:
        _print_matrix("k, W/(m K)", conductivity["tensor"])


def _print_matrix(title: str, matrix: list[list[float]]) -> None:
    table = Table(title=title, show_header=False)
    scale = max(abs(value) for row in matrix for value in row)
    for row in matrix:
        table.add_row(*(f"{_without_round_off(value, scale):.5g}" for value in row))
    output().print(table)


def _without_round_off(value: float, scale: float = 1.0) -> float:
    return value if abs(value) > 1e-9 * scale else 0.0
