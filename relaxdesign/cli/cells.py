"""Where the cell of ``relaxdesign evaluate`` comes from: a field, labels of two phases, a closed surface, or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from relaxdesign.cli.options import read_catalogue

if TYPE_CHECKING:
    import numpy as np

    from relaxdesign.catalogue import Catalogue, Material
    from relaxdesign.fields_io import FieldData

DIAMETER = 0.25
GRIDS = {2: 64, 3: 32}  # of the shipped priors


@dataclass(frozen=True)
class CellOptions:
    """How a cell is made of two materials, as the options of the command say; None: not given."""

    matrix: str | None = None
    particle: str | None = None
    materials: Path | None = None
    fraction: float | None = None
    diameter: float | None = None
    seed: int | None = None
    dim: int | None = None
    grid: int | None = None
    edge: str | None = None
    periodic: bool | None = None

    def refuse(self, names: Sequence[str], why: str) -> None:
        """Raises ValueError if one of these options was given."""
        if given := [f"--{name}" for name in names if getattr(self, name) is not None]:
            raise ValueError(f"{' and '.join(given)}: {why}")


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell to evaluate.

    phases: the materials and the particles' share, where it was made of two materials. box: first corner and edges of
    the cell taken around a surface, in the file's unit. warnings: what in the file could have been meant otherwise.
    """

    data: FieldData
    name: str
    phases: dict[str, str | float] | None = None
    box: dict[str, list[float]] | None = None
    warnings: tuple[str, ...] = ()


def make_cell(field: Path | None, options: CellOptions) -> Cell:
    """The cell in a file, or a drawn one. Raises ValueError for files and options that make none."""
    if field is None:
        return _drawn(options)
    options.refuse(("fraction", "diameter", "seed"), f"for a cell that is drawn; {field} is a file with its own shapes")
    if field.suffix.lower() == ".stl":
        return _from_surface(field, options)
    options.refuse(("edge", "periodic"), f"for a surface (.stl); {field} has its own voxels")
    options.refuse(("dim", "grid"), f"for a surface (.stl) or a drawn cell; {field} has its own voxels")
    if options.matrix is None and options.particle is None:
        from relaxdesign.fields_io import load_field

        options.refuse(("materials",), "give --matrix and --particle too")
        return Cell(load_field(field), field.name)
    return _from_labels(field, options)


def _drawn(options: CellOptions) -> Cell:
    """Equal discs or spheres, placed at random."""
    if options.matrix is None or options.particle is None or options.fraction is None:
        example = "--matrix epoxy-unfilled --particle alumina-ad-995 --fraction 0.3"
        raise ValueError(f"give a file, or draw a cell: {example}")
    options.refuse(("edge", "periodic"), "for a surface (.stl)")
    pair = _pair(options)

    import numpy as np
    import torch

    from relaxdesign.composite import place_particles

    dim, seed = options.dim or 2, options.seed or 0
    grid = options.grid or GRIDS[dim]
    generator = torch.Generator().manual_seed(seed)
    diameter = DIAMETER if options.diameter is None else options.diameter
    packing = place_particles(options.fraction, diameter, dim, grid=grid, generator=generator)[0]
    phase = packing.voxelise(grid).numpy().astype(np.uint8).reshape(grid, grid, -1)
    return _two_phase(phase, *pair, f"cell-{dim}d-{grid}-seed{seed}")


def _from_surface(path: Path, options: CellOptions) -> Cell:
    from relaxdesign.fields_io import FieldError
    from relaxdesign.voxelise import load_stl, parse_edges

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
    from relaxdesign.fields_io import FieldError, load_phase

    pair = _pair(options)
    phase = load_phase(path)
    if phase is None:
        raise FieldError(f"{path}: no array phase (0 matrix, 1 particles); without --matrix its own E and nu count")
    return _two_phase(phase, *pair, path.name)


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


def _two_phase(phase: np.ndarray, matrix: Material, particle: Material, name: str, edge: float | None = None) -> Cell:
    from relaxdesign.export.cell import two_phase_fields
    from relaxdesign.fields_io import FieldData

    fields = two_phase_fields(phase, matrix, particle)
    data = FieldData(fields["E"], fields["nu"], fields["rho"], fields.get("k"), edge)
    share = float(phase.mean())
    return Cell(data, name, {"matrix": matrix.name, "particle": particle.name, "volume_fraction": share})
