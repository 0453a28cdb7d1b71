"""``relaxdesign evaluate``: effective properties and local fields of one cell, or of all in a folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from relaxdesign.cli.cell_options import CellOptions
from relaxdesign.cli.cells import Cell, folder_reading, make_cell
from relaxdesign.cli.console import (
    EXIT_NO_RESULT,
    fail,
    interrupted,
    output,
    progress,
    stop_on_interrupt,
    user_errors,
    warn,
)
from relaxdesign.cli.family_options import family_options
from relaxdesign.cli.image_options import ImageOptions
from relaxdesign.cli.meshing import Meshing
from relaxdesign.cli.options import AsJson, grouped
from relaxdesign.cli.properties import make_report, print_report
from relaxdesign.cli.solving import Solving

Field = Annotated[
    Path | None,
    typer.Argument(
        metavar="FIELD",
        show_default=False,
        help=".npz (arrays E [GPa], nu, optional rho, k [W/(m K)], alpha [1e-6/K], or labels) or .vti; cubic voxels. "
        "Or a folder of them. Or an image: .tif, .png, a folder of slices, .npy, .mat, .h5, .dream3d, .nrrd, .mha, "
        ".nii, .raw, .vtk. Or .stl: a closed surface of the second phase. Without: a cell is drawn.",
    ),
]


@dataclass(frozen=True)
class FolderOptions:
    """Where the results of a folder go, and who computes them, as options."""

    out: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Of a folder: one row per field, .parquet or .csv.")
    ] = None
    workers: Annotated[int | None, typer.Option(min=1, help="Of a folder: processes. Default: one per core.")] = None
    scheduler: Annotated[str | None, typer.Option(help="Of a folder: address of a running Dask scheduler.")] = None


@family_options
@grouped
def evaluate(
    *,
    field: Field = None,
    solving: Solving,
    described: dict[str, Any],
    made: CellOptions,
    images: ImageOptions,
    meshing: Meshing,
    as_json: AsJson = False,
    folder: FolderOptions,
) -> None:
    """Homogenise a cell: K, G, E, nu, the stiffness C (6x6, Voigt order xx yy zz yz xz xy) in GPa, k, expansion.

    A cell one voxel thick is a 2D cell: periodic through the thickness, 3D elasticity. Conductivity and thermal
    expansion, with the stress per kelvin of every phase, are added if those of every voxel are known.
    """
    made = replace(made, described=described)
    if field is not None and (folder.out is not None or (field.is_dir() and not _holds_slices(field))):
        with user_errors():
            images.refuse("for one image, not for a folder of cells")
            if meshing.mesh is not None:
                raise ValueError("--mesh is for one cell, not for a folder")
            _evaluate_folder(field, solving, made, folder)
        return
    with user_errors():
        from relaxdesign.export import to_json
        from relaxdesign.physics.fem import ConvergenceError

        solving.check()
        meshing.check()
        cell = make_cell(field, made, images)
        meshing.write(cell)
        try:
            report = make_report(cell, solving)
            if solving.fields is not None:
                _write_fields(solving.fields, cell, solving)
        except ConvergenceError as error:
            fail(str(error), EXIT_NO_RESULT)
    if as_json:
        typer.echo(to_json(report.content), nl=False)
        warn(cell.name, report.content["warnings"])
    else:
        print_report(report, cell)


def _holds_slices(folder: Path) -> bool:
    from relaxdesign.io.images import is_image

    return is_image(folder)


def _write_fields(path: Path, cell: Cell, solving: Solving) -> None:
    """The local fields under a unit strain, beside the properties of the voxels."""
    from relaxdesign.export import write_fields_vti
    from relaxdesign.physics.effective_properties import fields_under

    data, load = cell.data, solving.unit_strain
    solved = fields_under(data, load, boundary=solving.boundary, tol=solving.tol)
    title = f"{cell.name}, {solving.boundary}, unit strain {load}"
    write_fields_vti(path, solved, edge=data.edge, voxels=data.arrays, title=title)


def _evaluate_folder(field: Path, solving: Solving, made: CellOptions, folder: FolderOptions) -> None:
    """All fields of a folder into one table; Ctrl-C keeps what is finished. Raises ValueError for options of one."""
    shared = ("labels", "phases", "materials", "units")
    made.refuse([name for name in made.given if name not in shared], "for one cell, not for a folder")
    if any(given is not None for given in (solving.gradient, solving.fields, solving.load, solving.only)):
        raise ValueError("--only, --gradient, --fields and --load are for one field, not for a folder")
    if folder.out is None:
        raise ValueError(f"{field} is a folder: give --out TABLE.parquet for one row per field")
    from relaxdesign.campaign import evaluate_folder

    options: dict[str, Any] = {"boundary": solving.boundary, "tol": solving.tol} | folder_reading(made)
    options |= {"scheduler": folder.scheduler, "count": folder.workers}
    state = None
    with stop_on_interrupt() as stopped, progress() as bars:
        task = bars.add_task("Fields", total=None, note="")
        for state in evaluate_folder(field, folder.out, cancel=stopped, **options):
            bars.update(task, total=state.total, completed=state.done, note=f"{state.failed} failed")
    if stopped():
        interrupted("Stopped: the same command goes on from the fields that are finished.")
    if state is not None:
        output().print(f"{state.done} fields, {state.failed} without a result: {folder.out}", soft_wrap=True)
