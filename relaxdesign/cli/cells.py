"""Where the cell of ``relaxdesign evaluate`` comes from: a field, labels of phases, a closed surface, or drawn."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relaxdesign.cli.options import MaterialsFile, read_catalogue

if TYPE_CHECKING:
    import numpy as np

    from relaxdesign.io.labels import Labels
    from relaxdesign.materials.catalogue import Catalogue, Material
    from relaxdesign.physics.voxel_fields import VoxelFields

DIAMETER = 0.25
GRIDS = {2: 64, 3: 32}  # of the shipped priors
VOIDS = ("void", "voids", "pore", "pores", "empty", "vacuum")


@dataclass(frozen=True)
class CellOptions:
    """How a cell is read or made of materials: options of the command, None where they were not given."""

    matrix: Annotated[
        str | None,
        typer.Option(metavar="MATERIAL", help="Id, name or words of it, for .stl, labels 0 and 1, or a drawn cell."),
    ] = None
    particle: Annotated[str | None, typer.Option(metavar="MATERIAL", help="The same of the particles.")] = None
    materials: MaterialsFile = None
    fraction: Annotated[float | None, typer.Option(help="Drawn: volume fraction of the particles.")] = None
    diameter: Annotated[
        float | None, typer.Option(help="Drawn: diameter of the particles in cell edges. Default: 0.25.")
    ] = None
    seed: Annotated[int | None, typer.Option(min=0, help="Drawn: another seed, another placement.")] = None
    dim: Annotated[
        int | None,
        typer.Option(min=2, max=3, help="Drawn: 2 (default) or 3. Of an .stl: 3 (default), or 2: cut at half height."),
    ] = None
    grid: Annotated[
        int | None, typer.Option(min=4, max=256, help="Drawn or .stl: voxels per edge. Default: 64 in 2D, 32 in 3D.")
    ] = None
    edge: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH[,LENGTH,LENGTH]",
            help="Of an .stl: edges of the cell from the origin, in its unit, one for all or one per axis (10,10,5). "
            "Default: the smallest cube around it.",
        ),
    ] = None
    periodic: Annotated[
        bool | None,
        typer.Option(
            "--periodic", help="Of an .stl: what reaches out of the cell of --edge comes in again on its other side."
        ),
    ] = None
    labels: Annotated[
        str | None, typer.Option(metavar="ARRAY", help="Labels: the array that holds them. Default: phase.")
    ] = None
    phases: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=MATERIAL,…",
            help="Labels: the material of each, for example 1=epoxy-unfilled,2=alumina-ad-995. Repeatable.",
        ),
    ] = None
    units: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT,…",
            help="Of a field: GPa (default), MPa or Pa of E; g/cm3 (default), kg/m3 or t/mm3 of rho; W/mK (default) or "
            "mW/mK of k. For example Pa,kg/m3.",
        ),
    ] = None

    def refuse(self, names: Sequence[str], why: str) -> None:
        """Raises ValueError if one of these options was given."""
        if given := [f"--{name}" for name in names if getattr(self, name) is not None]:
            raise ValueError(f"{' and '.join(given)}: {why}")


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell to evaluate.

    phases: what it was made of, where it was made of materials. box: first corner and edges of the cell taken around a
    surface, in the file's unit. warnings: what in the file could have been meant otherwise.
    """

    data: VoxelFields
    name: str
    phases: dict[str, Any] | None = None
    box: dict[str, list[float]] | None = None
    warnings: tuple[str, ...] = ()


def make_cell(field: Path | None, options: CellOptions) -> Cell:
    """The cell in a file, or a drawn one. Raises ValueError for files and options that make none."""
    if field is None:
        return _drawn(options)
    options.refuse(("fraction", "diameter", "seed"), f"for a cell that is drawn; {field} is a file with its own shapes")
    if field.suffix.lower() == ".stl":
        options.refuse(("labels", "phases", "units"), f"for a file of voxels; {field} is a surface")
        return _from_surface(field, options)
    options.refuse(("edge", "periodic"), f"for a surface (.stl); {field} has its own voxels")
    options.refuse(("dim", "grid"), f"for a surface (.stl) or a drawn cell; {field} has its own voxels")
    if options.matrix is None and options.particle is None and options.phases is None:
        options.refuse(("materials", "labels"), "give --phases, or --matrix and --particle, too")
        return Cell(_field(field, options.units), field.name)
    options.refuse(("units",), "for a field of moduli; labels take the properties of their materials")
    return _from_labels(field, options)


def _field(path: Path, units: str | None) -> VoxelFields:
    from relaxdesign.io.fields import FieldError, MissingArray, UnitsUnclear, load_field
    from relaxdesign.io.units import Units

    try:
        return load_field(path, units=Units.parse(units))
    except UnitsUnclear as error:
        raise FieldError(error.advice) from None
    except MissingArray as error:
        raise FieldError(f"{error}. Labels become a cell with --labels ARRAY --phases LABEL=MATERIAL,…") from None


def _drawn(options: CellOptions) -> Cell:
    """Equal discs or spheres, placed at random."""
    if options.matrix is None or options.particle is None or options.fraction is None:
        example = "--matrix epoxy-unfilled --particle alumina-ad-995 --fraction 0.3"
        raise ValueError(f"give a file, or draw a cell: {example}")
    options.refuse(("edge", "periodic"), "for a surface (.stl)")
    options.refuse(("labels", "phases", "units"), "for a file of voxels")
    pair = _pair(options)

    import numpy as np
    import torch

    from relaxdesign.microstructure.particles.packing import place_particles

    dim, seed = options.dim or 2, options.seed or 0
    grid = options.grid or GRIDS[dim]
    generator = torch.Generator().manual_seed(seed)
    diameter = DIAMETER if options.diameter is None else options.diameter
    packing = place_particles(options.fraction, diameter, dim, grid=grid, generator=generator)[0]
    phase = packing.voxelise(grid).numpy().astype(np.uint8).reshape(grid, grid, -1)
    return _two_phase(phase, *pair, f"cell-{dim}d-{grid}-seed{seed}")


def _from_surface(path: Path, options: CellOptions) -> Cell:
    from relaxdesign.io.fields import FieldError
    from relaxdesign.io.voxelise import load_stl, parse_edges

    if not path.is_file():
        raise FieldError(f"{path}: there is no such file")
    pair = _pair(options, f"{path} holds shapes only")
    dim = options.dim or 3
    grid = options.grid or GRIDS[dim]
    edges = None if options.edge is None else parse_edges(options.edge)
    surface = load_stl(path, grid=grid, dim=dim, edges=edges, periodic=options.periodic or False)
    box = {"origin": list(surface.origin), "edges": list(surface.edges)}
    cell = _two_phase(surface.labels, *pair, path.name, surface.voxel)
    return replace(cell, box=box, warnings=surface.warnings)


def _from_labels(path: Path, options: CellOptions) -> Cell:
    from relaxdesign.io.fields import FieldError, LabelsUnclear, labelled_field, load_labels

    materials = dict(enumerate(_pair(options))) if options.phases is None else phase_materials(options)
    try:
        labels = load_labels(path, options.labels)
    except LabelsUnclear as error:
        raise FieldError(f"{error}; give --labels ARRAY") from None
    if options.phases is None:
        _check_zero_one(path, labels, options)
        return _two_phase(labels.values, materials[0], materials[1], path.name, labels.edge, labels.array)
    try:
        data = labelled_field(labels, materials)
    except ValueError as error:
        raise FieldError(f"{path}: {error} with --phases {_example(labels)}") from None
    unused = tuple(
        f"the label {label} ({material.name}) occurs in no voxel"
        for label, material in materials.items()
        if label not in labels.shares
    )
    return Cell(data, path.name, _phases(labels, materials), warnings=unused)


def phase_materials(options: CellOptions) -> dict[int, Material]:
    """The materials of ``--phases`` by label. Raises ValueError for text that names none."""
    from relaxdesign.io.labels import parse_phases

    options.refuse(("matrix", "particle"), "--phases names the materials already; give one or the other")
    named, catalogue = parse_phases(options.phases or ()), read_catalogue(options.materials)
    known = {text.casefold() for material in catalogue.materials for text in (material.id, material.name)}
    for label, name in named.items():
        if name.casefold() in VOIDS and name.casefold() not in known:
            raise ValueError(
                f"label {label}: {name}: voids are not solved; give E and nu per voxel instead, in voids E about 1e-4 "
                "of the matrix, or a soft material of your own (--materials)"
            )
    return {label: _material(catalogue, f"--phases, label {label}", name) for label, name in named.items()}


def folder_reading(options: CellOptions) -> dict[str, Any]:
    """How the files of a folder are read: arguments of `relaxdesign.campaign.evaluate_folder`."""
    from relaxdesign.io.units import Units

    if options.phases is None:
        options.refuse(("materials", "labels"), "give --phases too")
        return {"units": Units.parse(options.units)}
    options.refuse(("units",), "for fields of moduli; labels take the properties of their materials")
    return {"labels": options.labels, "phases": phase_materials(options)}


def _check_zero_one(path: Path, labels: Labels, options: CellOptions) -> None:
    """Raises FieldError for labels of which --matrix and --particle do not say which is which."""
    from relaxdesign.io.fields import FieldError

    if set(labels.shares) <= {0, 1}:
        return
    names = (options.matrix or "", options.particle or "")
    raise FieldError(
        f"{path}: {labels.array} holds the labels {labels.describe()}; --matrix and --particle are for 0 and 1: say "
        f"which is which, for example --phases {_example(labels, names if len(labels.shares) == 2 else ())}"
    )


def _example(labels: Labels, names: Sequence[str] = ()) -> str:
    """``1=epoxy-unfilled,2=alumina-ad-995``, a value of --phases for these labels."""
    names = names or ["MATERIAL"] * len(labels.shares)
    text = ",".join(f"{label}={name}" for label, name in zip(labels.shares, names, strict=True))
    return shlex.quote(text)


def _phases(labels: Labels, materials: Mapping[int, Material]) -> dict[str, Any]:
    """What the report says of the phases."""
    return {
        "array": labels.array or None,
        "labels": [
            {"label": label, "material": materials[label].name, "id": materials[label].id, "volume_fraction": share}
            for label, share in labels.shares.items()
        ],
    }


def _pair(options: CellOptions, why: str = "a cell is made of two materials") -> tuple[Material, Material]:
    """Matrix and particles. Raises ValueError for one that is missing or unknown."""
    if options.matrix is None or options.particle is None:
        raise ValueError(f"{why}: give both --matrix and --particle")
    catalogue = read_catalogue(options.materials)
    return _material(catalogue, "--matrix", options.matrix), _material(catalogue, "--particle", options.particle)


def _material(catalogue: Catalogue, option: str, wanted: str) -> Material:
    """The material that an option names. Raises ValueError for none or several."""
    try:
        return catalogue.find(wanted)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _two_phase(
    phase: np.ndarray,
    matrix: Material,
    particle: Material,
    name: str,
    edge: float | None = None,
    array: str | None = None,
) -> Cell:
    """A cell of labels 0 (matrix) and 1 (particles); array: their name in a file."""
    from relaxdesign.io.fields import labelled_field
    from relaxdesign.io.labels import Labels

    labels, materials = Labels(array or "", phase, edge), {0: matrix, 1: particle}
    share = {"matrix": matrix.name, "particle": particle.name, "volume_fraction": labels.shares.get(1, 0.0)}
    return Cell(labelled_field(labels, materials), name, share | _phases(labels, materials))
