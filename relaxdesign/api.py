"""What a Python user calls: from wanted properties to designs, from a cell to its properties, from designs to files.

Everything here is also found, and typed, in `relaxdesign` itself. Errors that a user can put right are ValueErrors
(TypeErrors for arguments that do not exist).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np

from relaxdesign.export import ExportOptions, cell_mesh, design_mesh, design_name, result_files
from relaxdesign.export.mesh.fields import cell_of_fields
from relaxdesign.export.mesh.files import write_mesh as mesh_writer
from relaxdesign.files import write_whole
from relaxdesign.io.fields import load_field
from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.materials.compatibility import material_named, verdict
from relaxdesign.materials.verdict import Verdict
from relaxdesign.microstructure.cell import Cell
from relaxdesign.physics import effective_properties
from relaxdesign.physics.effective_properties import Evaluation
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.physics.voxel_fields import VoxelFields
from relaxdesign.study import run as study
from relaxdesign.study.objective import Objective, parse_objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design, DesignResult


def design(
    request: DesignRequest | None = None,
    *,
    catalogue: Catalogue | None = None,
    objectives: Iterable[str | Objective] = (),
    **wanted: Any,
) -> DesignResult:
    """Finds designs with the wanted properties and verifies them.

        design(K=120, count=8)                                    # bulk modulus of 120 GPa
        design(E=(15, None), density=(None, 2.5), dim=3)          # at least 15 GPa, at most 2.5 g/cm³
        design(K=60, objectives=["minimise density @ 2"], seed=7)

    Args:
        request: the whole task as one object, instead of the keywords.
        catalogue: materials to choose from, instead of the shipped ones. The keyword ``materials_csv`` (the text of a
            CSV file) does the same and is kept in the result, which then can be repeated from its files.
        objectives: further ones, in words as ``--objective`` of the command line takes them, or as `Objective`.
        wanted: targets by the name of their quantity (`relaxdesign.physics.quantities.QUANTITIES`: ``K``, ``G``, ``E``
            … in GPa, ``density`` in g/cm³, ``conductivity`` in W/(m K)), each a value or an interval (low, high) with
            None for an open end; and every other field of `DesignRequest` by its name.

    Raises:
        TypeError: a keyword that is neither a quantity nor a field of a request; names the nearest.
        ValueError: a request that is inconsistent or cannot be met; a pydantic.ValidationError names the fields.
    """
    if request is None:
        request = as_request(objectives=objectives, **wanted)
    elif given := [*wanted, *(["objectives"] if objectives else [])]:
        raise TypeError(f"design() takes a request or keywords, not both; leave out {', '.join(given)}")
    return study.design(request, catalogue=catalogue)


def makeable(
    matrix: str | Material, particle: str | Material, *, dim: Literal[2, 3] = 3, fraction: float = 0.0
) -> Verdict:
    """Tells whether particles of one material in another can be made: ``level``, ``route`` and ``reason``.

        makeable("epoxy", "alumina").level                        # "established"
        makeable("void", "ti-6al-4v").wall_mm                     # 0.2, of laser powder-bed fusion: a lattice

    Args:
        matrix: a material, or the id or name of one, or the id of a substance (assets/substances.csv), or void.
        particle: as ``matrix``.
        dim: 2 asks for parallel fibres or prismatic cells, 3 for particles or any cells.
        fraction: volume fraction of the particles, which not every process reaches.

    Raises:
        ValueError: an unknown or ambiguous name.
    """
    known = Catalogue.default().materials
    first, second = (
        given if isinstance(given, Material) else material_named(given, known) for given in (matrix, particle)
    )
    return verdict(first, second, dim, fraction)


def as_request(*, objectives: Iterable[str | Objective] = (), **wanted: Any) -> DesignRequest:
    """The request that the keywords of `design` describe, with its errors; objectives in the order of the keywords."""
    fields = {name for name in DesignRequest.model_fields if name != "objectives"}
    if unknown := [name for name in wanted if name not in fields and name not in QUANTITIES]:
        raise TypeError(_unknown(unknown[0], fields))
    targets = [_target(name, value) for name, value in wanted.items() if name in QUANTITIES]
    said = [objectives] if isinstance(objectives, str | Objective) else objectives
    others = [parse_objective(one) if isinstance(one, str) else one for one in said]
    settings = {name: value for name, value in wanted.items() if name in fields}
    return DesignRequest.model_validate({"objectives": (*targets, *others)} | settings)


def evaluate(
    cell: str | Path | VoxelFields | Cell,
    *,
    boundary: Literal["periodic", "kubc"] = "periodic",
    tol: float | None = None,
) -> Evaluation:
    """Computes the effective properties of one cell: K, G, E, ν, C in GPa, bounds and, if known, conductivity.

    Args:
        cell: a file (``.npz`` or ``.vti``, see `load_field`), the properties of the voxels, or a `Cell` of materials.
            Arrays of two axes are a 2D cell: one voxel thick, periodic through its thickness.
        boundary: "periodic" gives effective properties, "kubc" (linear displacement on the surface) an upper estimate.
        tol: relative residual of the solves, default 1e-8.

    Raises:
        ValueError: a file that cannot be read, or a property out of range; names the voxel.
        relaxdesign.physics.fem.ConvergenceError: a load case did not reach the tolerance.
    """
    return effective_properties.evaluate(_voxel_fields(cell), boundary=boundary, tol=tol)


def write(
    result: DesignResult,
    directory: str | Path,
    *,
    formats: Iterable[str] = ("vti", "stl", "json"),
    edge_mm: float = 10.0,
    thickness_mm: float | None = None,
    tile: int = 1,
    plates_mm: float = 0.0,
    plates_axis: str = "",
    mesh: Literal["voxels", "linear", "quadratic"] = "voxels",
) -> list[Path]:
    """Writes the verified designs into a folder, one folder for each, and returns the paths in order of writing.

    Args:
        result: of `design`.
        directory: is made if need be; files of the same names in it are replaced.
        formats: names from `relaxdesign.export.FORMATS` ("vti", "stl", "abaqus", "calculix", "ansys", "json", "csv",
            "png", "3mf", "inp", "msh", "vtu", "xdmf", "fans", "step"), and "report".
        edge_mm: physical edge of one cell.
        thickness_mm: of the STL of a 2D cell; None: an eighth of the edge.
        tile: cells along each edge of the STL.
        plates_mm: thickness of flat plates that close two ends of the STL of a solid beside a void; 0: none.
        plates_axis: "x", "y" or "z", that they lie across; empty: z, of a 2D cell y.
        mesh: kind of the meshes in "inp", "msh", "vtu" and "xdmf", see `write_mesh`.

    Raises:
        relaxdesign.export.ExportError: an unknown format, sizes that cannot be, or a design that cannot be written.
    """
    written: list[Path] = []
    options = ExportOptions(edge_mm, thickness_mm, tile, plates_mm=plates_mm, plates_axis=plates_axis, mesh=mesh)
    for name, content in result_files(result, formats, options):
        path = Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
        written.append(path)
    return written


def write_mesh(
    cell: str | Path | VoxelFields | Cell | Design,
    path: str | Path,
    *,
    kind: Literal["voxels", "linear", "quadratic"] = "voxels",
    edge_mm: float = 10.0,
) -> list[Path]:
    """Writes a finite element mesh of a cell with periodic conditions and load cases that give C; returns its files.

        rd.write_mesh(result.designs[0], "cell.inp", kind="quadratic")   # for Abaqus and CalculiX: ccx cell

    Args:
        cell: as of `evaluate`, or a design of a result.
        path: ends in .inp (Abaqus, CalculiX), .msh (Gmsh), .vtu or .xdmf, with a .h5 beside it.
        kind: "voxels": hexahedra; "linear", "quadratic": smoothed tetrahedra, in 2D wedges, by Gmsh (the extra "mesh").
        edge_mm: physical length of the cell along x.

    Raises:
        relaxdesign.export.ExportError: a solid that does not hang together, a cell that is too large, another ending.
    """
    if isinstance(cell, Design):
        mesh, title = design_mesh(cell, kind, edge_mm), design_name(cell)
    else:
        whole = cell if isinstance(cell, Cell) else cell_of_fields(_voxel_fields(cell))
        mesh, title = cell_mesh(whole, kind, edge_mm), Path(cell).name if isinstance(cell, str | Path) else "cell"
    return mesh_writer(mesh, Path(path), f"RelaxDesign {title}")


def _target(name: str, value: Any) -> Objective:
    """The objective that a keyword asks for. Raises TypeError for what is neither a number nor an interval."""
    try:
        low, high = (value, value) if np.ndim(value) == 0 else value
        low, high = (None if limit is None else float(limit) for limit in (low, high))
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} takes a value or an interval (low, high) with None for an open end, got {value!r}; "
            "what is to be small or large goes into objectives, e.g. ['minimise density']"
        ) from None
    return Objective(quantity=name, low=low, high=high)


def _unknown(name: str, fields: Iterable[str]) -> str:
    """What is said of a keyword that does not exist."""
    known = [*QUANTITIES, *fields]
    by_lower_case = {one.lower(): one for one in reversed(known)}
    nearest = get_close_matches(name.lower(), by_lower_case, n=1)
    hint = f"did you mean {by_lower_case[nearest[0]]!r}?" if nearest else "it is neither a quantity nor a setting"
    settings, quantities = ", ".join(sorted(fields)), ", ".join(QUANTITIES)
    return f"design() does not know {name!r}: {hint} (settings: {settings}; quantities: {quantities})"


def _voxel_fields(cell: object) -> VoxelFields:
    """The properties of a cell's voxels, float64 arrays (nx, ny, nz)."""
    if isinstance(cell, str | Path):
        return load_field(Path(cell))
    if isinstance(cell, VoxelFields):
        return _three_axes(cell)
    if isinstance(cell, Cell):
        return cell.fields
    raise TypeError(
        f"evaluate() takes a file, VoxelFields or a Cell, got {type(cell).__name__}; "
        "of NumPy arrays make VoxelFields(E=young_in_GPa, nu=poisson)"
    )


def _three_axes(fields: VoxelFields) -> VoxelFields:
    """The same in double precision; arrays of two axes get a third, one voxel thick. Raises ValueError for shapes."""
    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in fields.arrays.items()}
    shape = arrays["E"].shape
    if len(shape) not in (2, 3):
        raise ValueError(f"E has shape {shape}; expected (nx, ny, nz), or (nx, ny) for a 2D cell")
    for name, array in arrays.items():
        if array.shape != shape:
            raise ValueError(f"E has shape {shape}, {name} has {array.shape}; make them the same")
    whole = shape if len(shape) == 3 else (*shape, 1)
    return replace(fields, **{name: np.ascontiguousarray(array.reshape(whole)) for name, array in arrays.items()})
