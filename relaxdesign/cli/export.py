"""``relaxdesign export``: the designs of a run of the library as files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from relaxdesign.cli.console import messages, progress, user_errors
from relaxdesign.cli.library import find_result, open_library
from relaxdesign.cli.options import RunId


def export(
    run: RunId,
    design: Annotated[
        list[int] | None, typer.Option(min=1, help="Number of a design, from 1; repeat for more. Default: all.")
    ] = None,
    format: Annotated[
        list[str] | None,
        typer.Option(
            help="stl, vti, abaqus, calculix, ansys, json, csv, png, 3mf or report; repeat for more. Default: all "
            "these. Beside them, if named: meshes (inp, msh, vtu, xdmf), fans, step."
        ),
    ] = None,
    edge_mm: Annotated[float, typer.Option(help="Physical edge of one cell, mm.")] = 10.0,
    thickness_mm: Annotated[
        float | None, typer.Option(help="Thickness of STL, 3MF and STEP of a 2D cell, mm. Default: edge / 8.")
    ] = None,
    tile: Annotated[int, typer.Option(help="Cells along each edge of STL and 3MF.")] = 1,
    chord: Annotated[
        float,
        typer.Option(help="Distance of facets of STL and 3MF from spheres or cylinders at most, of their size."),
    ] = 0.004,
    plates_mm: Annotated[
        float, typer.Option(help="Thickness of flat plates at two ends of STL and 3MF of a solid beside a void, mm.")
    ] = 0.0,
    plates_axis: Annotated[
        str, typer.Option(help="Axis that these plates lie across: x, y or z. Default: z, of a 2D cell y.")
    ] = "",
    mesh: Annotated[
        str, typer.Option(help="Of meshes: voxels (hexahedra); linear, quadratic (smoothed tetrahedra, in 2D wedges).")
    ] = "voxels",
    load: Annotated[
        str, typer.Option(help="Unit strain of the local fields: hydrostatic, xx, yy, zz, yz, xz or xy.")
    ] = "hydrostatic",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the files; files of the same names are replaced.")
    ] = None,
    zip_file: Annotated[
        Path | None, typer.Option("--zip", metavar="FILE.zip", help="Write one ZIP instead of a folder.")
    ] = None,
) -> None:
    """Write the verified designs of a run: surfaces, fields, meshes, material cards, tables, figures and a report.

    Effective stiffness and local fields are solved anew from the exported voxels in double precision.
    """
    with user_errors(), open_library() as store:
        from relaxdesign.export import ALL_FORMATS, ExportOptions, result_files

        _check_place(out, zip_file)
        run_id, result = find_result(store, run)
        options = ExportOptions(edge_mm, thickness_mm, tile, load, chord, plates_mm, plates_axis, mesh)
        indices = None if design is None else [number - 1 for number in design]
        files = result_files(result, format or ALL_FORMATS, options, indices=indices, run_id=run_id)
        _write(files, out, zip_file, f"relaxdesign-{run_id}")
    messages.print(f"Wrote {zip_file or out}", soft_wrap=True)


def _check_place(out: Path | None, zip_file: Path | None) -> None:
    """Raises ValueError unless one place to write to is given."""
    if (out is None) == (zip_file is None):
        raise ValueError("say where to write: --out DIR for a folder, or --zip FILE.zip")
    if zip_file is not None and (zip_file.suffix != ".zip" or not zip_file.parent.is_dir()):
        raise ValueError(f"--zip: {zip_file} must end in .zip and lie in a folder that exists")


def _write(files: Iterable[tuple[str, bytes]], out: Path | None, zip_file: Path | None, name: str) -> None:
    """Files into a folder or a ZIP, with a bar that tells which. name: of the folder inside the ZIP."""
    from relaxdesign.export import zip_bytes
    from relaxdesign.files import write_whole

    with progress() as bars:
        task = bars.add_task("Exporting", total=None, note="")

        def made() -> Iterator[tuple[str, bytes]]:
            for path, content in files:
                bars.update(task, advance=1, note=path)
                yield path, content

        if zip_file is not None:
            write_whole(zip_file, zip_bytes(made(), name))
        elif out is not None:
            for path, content in made():
                (out / path).parent.mkdir(parents=True, exist_ok=True)
                write_whole(out / path, content)
