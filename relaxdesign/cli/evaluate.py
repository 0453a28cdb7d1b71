"""``relaxdesign evaluate``: effective properties and local fields of one cell, or of all in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from relaxdesign.cli.cells import CellOptions, folder_reading, make_cell
from relaxdesign.cli.console import (
    EXIT_INTERRUPTED,
    EXIT_NO_RESULT,
    fail,
    messages,
    output,
    progress,
    stop_on_interrupt,
    user_errors,
    warn,
)
from relaxdesign.cli.options import MaterialsFile
from relaxdesign.cli.properties import make_report, print_report

BoundaryName = Literal["periodic", "kubc", "uniaxial"]
LoadName = Literal["hydrostatic", "xx", "yy", "zz", "yz", "xz", "xy"]


def evaluate(
    field: Annotated[
        Path | None,
        typer.Argument(
            metavar="FIELD",
            show_default=False,
            help=".npz (arrays E [GPa], nu, optional rho, k [W/(m K)], or labels) or .vti; cubic voxels. Or a folder "
            "of them. "
            "Or .stl: a closed surface of the particles. Without: a cell is drawn.",
        ),
    ] = None,
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
    matrix: Annotated[
        str | None,
        typer.Option(metavar="MATERIAL", help="Id, name or words of it, for .stl, labels 0 and 1, or a drawn cell."),
    ] = None,
    particle: Annotated[str | None, typer.Option(metavar="MATERIAL", help="The same of the particles.")] = None,
    materials: MaterialsFile = None,
    fraction: Annotated[float | None, typer.Option(help="Drawn: volume fraction of the particles.")] = None,
    diameter: Annotated[
        float | None, typer.Option(help="Drawn: diameter of the particles in cell edges. Default: 0.25.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Drawn: another seed, another placement.")] = None,
    dim: Annotated[
        int | None,
        typer.Option(min=2, max=3, help="Drawn: 2 (default) or 3. Of an .stl: 3 (default), or 2: cut at half height."),
    ] = None,
    grid: Annotated[
        int | None,
        typer.Option(min=4, max=256, help="Drawn or .stl: voxels per edge. Default: 64 in 2D, 32 in 3D."),
    ] = None,
    edge: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH[,LENGTH,LENGTH]",
            help="Of an .stl: edges of the cell from the origin, in its unit, one for all or one per axis (10,10,5). "
            "Default: the smallest cube around it.",
        ),
    ] = None,
    periodic: Annotated[
        bool | None,
        typer.Option(
            "--periodic", help="Of an .stl: what reaches out of the cell of --edge comes in again on its other side."
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="ARRAY", help="Labels: the array that holds them. Default: phase.")
    ] = None,
    phases: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=MATERIAL,…",
            help="Labels: the material of each, for example 1=epoxy-unfilled,2=alumina-ad-995. Repeatable.",
        ),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT,…",
            help="Of a field: GPa (default), MPa or Pa of E; g/cm3 (default), kg/m3 or t/mm3 of rho; W/mK (default) or "
            "mW/mK of k. For example Pa,kg/m3.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Of a folder: one row per field, .parquet or .csv.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Of a folder: processes. Default: one per core.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Of a folder: address of a running Dask scheduler.")] = None,
) -> None:
    """Homogenise a cell: K, G, E, nu, the stiffness C (6x6, Voigt order xx yy zz yz xz xy) in GPa, conductivity.

    A cell one voxel thick is a 2D cell: periodic through the thickness, 3D elasticity. The conductivity tensor is
    added if that of every voxel is known.
    """
    made = CellOptions(
        matrix=matrix,
        particle=particle,
        materials=materials,
        fraction=fraction,
        diameter=diameter,
        seed=seed,
        dim=dim,
        grid=grid,
        edge=edge,
        periodic=periodic,
        labels=labels,
        phases=phases or None,
        units=units,
    )
    if field is not None and (field.is_dir() or out is not None):
        with user_errors():
            shared = ("labels", "phases", "materials", "units")
            made.refuse([name for name in vars(made) if name not in shared], "for one cell, not for a folder")
            if gradient is not None or fields is not None or load is not None or only is not None:
                raise ValueError("--only, --gradient, --fields and --load are for one field, not for a folder")
            if out is None:
                raise ValueError(f"{field} is a folder: give --out TABLE.parquet for one row per field")
            options = {"boundary": boundary, "tol": tol, "scheduler": scheduler, "count": workers}
            _evaluate_folder(field, out, options | folder_reading(made))
        return
    with user_errors():
        _check_output("--gradient", gradient, ".npz")
        _check_output("--fields", fields, ".vti")
        if load is not None and fields is None:
            raise ValueError(f"--load {load} says which fields to write: give --fields OUT.vti too")
        if boundary == "uniaxial" and load not in (None, "zz"):
            raise ValueError(f"--load {load}: boundary uniaxial has a load of its own, zz; leave --load out")
        load = load or ("zz" if boundary == "uniaxial" else "hydrostatic")

        from relaxdesign.export import to_json, write_fields_vti
        from relaxdesign.physics.effective_properties import fields_under
        from relaxdesign.physics.fem import ConvergenceError

        cell = make_cell(field, made)
        data = cell.data
        try:
            report = make_report(cell, boundary, only is not None, gradient, tol)
            if fields is not None:
                solved = fields_under(data, load, boundary=boundary, tol=tol)
                voxels = {name: getattr(data, name) for name in ("E", "nu", "rho", "k")}
                voxels = {name: values for name, values in voxels.items() if values is not None}
                title = f"{cell.name}, {boundary}, unit strain {load}"
                write_fields_vti(fields, solved, edge=data.edge, voxels=voxels, title=title)
        except ConvergenceError as error:
            fail(str(error), EXIT_NO_RESULT)
    if as_json:
        typer.echo(to_json(report), nl=False)
        warn(cell.name, report["warnings"])
    else:
        print_report(report, data.E.shape)


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


def _evaluate_folder(folder: Path, out: Path, options: dict[str, Any]) -> None:
    """All fields of a folder with these options of `evaluate_folder`; Ctrl-C keeps what is finished."""
    from relaxdesign.campaign import evaluate_folder

    state = None
    with stop_on_interrupt() as stopped, progress() as bars:
        task = bars.add_task("Fields", total=None, note="")
        for state in evaluate_folder(folder, out, cancel=stopped, **options):
            bars.update(task, total=state.total, completed=state.done, note=f"{state.failed} failed")
    if stopped():
        messages.print("Stopped: the same command goes on from the fields that are finished.")
        raise typer.Exit(EXIT_INTERRUPTED)
    if state is not None:
        output().print(f"{state.done} fields, {state.failed} without a result: {out}", soft_wrap=True)
