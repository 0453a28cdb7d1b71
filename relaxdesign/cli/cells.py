"""Where the cell of ``relaxdesign evaluate`` comes from: a field, labels of phases, a closed surface, or drawn."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from relaxdesign.cli.cell_options import CellOptions
from relaxdesign.cli.family_options import SIZE, Names, family_of, names_of_families
from relaxdesign.cli.image_options import ImageOptions
from relaxdesign.cli.options import read_catalogue, shown

if TYPE_CHECKING:
    import numpy as np

    from relaxdesign.io.labels import Labels
    from relaxdesign.materials.catalogue import Catalogue, Material
    from relaxdesign.microstructure.base import Inclusions
    from relaxdesign.physics.voxel_fields import VoxelFields

EXAMPLES = ("epoxy-unfilled", "alumina-ad-995")  # of materials
GRIDS = {2: 64, 3: 32}  # of the shipped priors


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell to evaluate.

    phases: what it was made of, where it was made of materials. roles: names of the phases 0, 1, …, where they are
    those of a family. box: first corner and edges of the cell around a surface, in its unit. warnings: what in
    the file could have been meant otherwise. image: what was read of an image and done with it. shares, materials: of
    the phases in every voxel, (phases, nx, ny, nz), where it was made of labels. open: whether it does not repeat.
    """

    data: VoxelFields
    name: str
    phases: dict[str, Any] | None = None
    roles: tuple[str, ...] = ()
    box: dict[str, list[float]] | None = None
    warnings: tuple[str, ...] = ()
    image: dict[str, Any] | None = None
    shares: np.ndarray | None = None
    materials: tuple[Material, ...] = ()
    open: bool = False


def make_cell(path: Path | None, options: CellOptions, images: ImageOptions | None = None) -> Cell:
    """The cell in a file, or a drawn one. Raises ValueError for files and options that make none."""
    images = images or ImageOptions()
    if path is None:
        images.refuse("for an image, not for a drawn cell")
        return _drawn(options)
    known = names_of_families().values()
    numbers = {name for names in known for name in (names.fraction, names.size)}
    options.refuse((*numbers, "family", "seed"), f"for a cell that is drawn; {path} is a file with its own shapes")
    if path.suffix.lower() == ".stl":
        options.refuse(("labels", "phases", "units"), f"for a file of voxels; {path} is a surface")
        images.refuse(f"for an image; {path} is a surface")
        return _from_surface(path, options)
    options.refuse(("edge", "periodic"), f"for a surface (.stl); {path} has its own voxels")
    options.refuse(("dim", "grid"), f"for a surface (.stl) or a drawn cell; {path} has its own voxels")
    if options.phases is None and not any(name in options.given for names in known for name in names.materials):
        names = Names.of(family_of(options.given)).materials
        if images.given or _is_image(path):
            _refuse_nameless(path, options, images, names)
        options.refuse(("materials", "labels"), f"give --phases, or {shown(*names)}, too")
        return Cell(_field(path, options.units), path.name)
    options.refuse(("units",), "for a field of moduli; labels take the properties of their materials")
    return _from_labels(path, options, images)


def _is_image(path: Path) -> bool:
    from relaxdesign.io.images import is_image

    return is_image(path)


def _refuse_nameless(path: Path, options: CellOptions, images: ImageOptions, names: Sequence[str]) -> NoReturn:
    """Raises FieldError that tells which phases an image has, so that they can be given materials."""
    from relaxdesign.io.fields import FieldError

    labels = images.segmented(path, options.labels).as_labels()
    raise FieldError(
        f"{path} holds the labels {labels.describe()}, which need materials: give --phases {_example(labels)}, or "
        f"{shown(*names)} for 0 and 1"
    )


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
    """A cell of the family whose options were given, placed at random."""
    from relaxdesign.io.labels import Labels
    from relaxdesign.microstructure.base import GivenThird, draw, in_dimension

    dim, seed = options.dim or 2, options.seed or 0
    given, family = options.given, in_dimension(family_of(options.given), dim)
    names = Names.of(family)
    if not all(name in given for name in (*names.materials, names.fraction)):
        example = " ".join(f"{shown(name)} {made}" for name, made in zip(names.materials, EXAMPLES, strict=False))
        raise ValueError(f"give a file, or draw a cell: {example} {shown(names.fraction)} 0.3")
    options.refuse(("edge", "periodic"), "for a surface (.stl)")
    options.refuse(("labels", "phases", "units"), "for a file of voxels")
    materials = _materials(options, family)
    if isinstance(family, GivenThird):
        amount = family.amount.check(given.get(names.amount, family.usual))
        family = family.with_third(materials[family.given], amount)
    grid, size = options.grid or GRIDS[dim], given.get(names.size, family.size.clip(SIZE))
    labels = draw(family, given[names.fraction], size, dim, grid=grid, seed=seed)
    return _of_family(Labels("", labels), family, materials, f"cell-{dim}d-{grid}-seed{seed}")


def _from_surface(path: Path, options: CellOptions) -> Cell:
    from relaxdesign.io.fields import FieldError
    from relaxdesign.io.labels import Labels
    from relaxdesign.io.voxelise import load_stl, parse_edges

    if not path.is_file():
        raise FieldError(f"{path}: there is no such file")
    family = family_of(options.given)
    materials = _materials(options, family, f"{path} holds shapes only")
    dim = options.dim or 3
    grid = options.grid or GRIDS[dim]
    edges = None if options.edge is None else parse_edges(options.edge)
    surface = load_stl(path, grid=grid, dim=dim, edges=edges, periodic=options.periodic or False)
    box = {"origin": list(surface.origin), "edges": list(surface.edges)}
    cell = _of_family(Labels("", surface.labels, surface.voxel), family, materials, path.name)
    return replace(cell, box=box, warnings=surface.warnings)


def _from_labels(path: Path, options: CellOptions, images: ImageOptions) -> Cell:
    """A cell of labels or of the phases of an image; voxels that hold several are composite ones."""
    family = family_of(options.given)
    materials = _materials(options, family) if options.phases is None else phase_materials(options)
    if not (images.given or _is_image(path)):
        labels = _labels(path, options.labels)
        return _with_shares(_of_labels(path, labels, None, materials, options), labels, materials)
    from relaxdesign.microstructure.mixed_voxels import composite_fields

    found = images.segmented(path, options.labels)
    data, known = None, set(found.labels) <= set(materials)
    phases = tuple(materials[label] for label in found.labels if label in materials)
    if not found.whole and known:
        data = composite_fields(found.shares, phases, found.edge)
    cell = _of_labels(path, found.as_labels(), data, materials, options)
    cell = replace(cell, warnings=(*cell.warnings, *found.warnings), image=found.to_dict(), open=found.open)
    return replace(cell, shares=found.shares, materials=phases)


def _with_shares(cell: Cell, labels: Labels, materials: Mapping[int, Material]) -> Cell:
    """The cell of whole voxels with the shares of its phases."""
    import numpy as np

    shares = np.stack([(labels.values == label).astype(np.float32) for label in labels.shares])
    return replace(cell, shares=shares, materials=tuple(materials[label] for label in labels.shares))


def _labels(path: Path, name: str | None) -> Labels:
    from relaxdesign.io.fields import FieldError, LabelsUnclear, load_labels

    try:
        return load_labels(path, name)
    except LabelsUnclear as error:
        raise FieldError(f"{error}; give --labels ARRAY") from None


def _of_labels(
    path: Path, labels: Labels, data: VoxelFields | None, materials: Mapping[int, Material], options: CellOptions
) -> Cell:
    """The cell of labels with materials. data: of composite voxels; None: every voxel has the material of its label."""
    from relaxdesign.io.fields import FieldError, labelled_field

    if options.phases is None:
        family = family_of(options.given)
        _check_phases(path, labels, family, options)
        return _of_family(labels, family, materials, path.name, data)
    try:
        data = labelled_field(labels, materials) if data is None else data
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

    roles = [name for names in names_of_families().values() for name in names.materials]
    options.refuse(dict.fromkeys(roles), "--phases names the materials already; give one or the other")
    named, catalogue = parse_phases(options.phases or ()), read_catalogue(options.materials)
    return {label: _material(catalogue, f"--phases, label {label}", name) for label, name in named.items()}


def folder_reading(options: CellOptions) -> dict[str, Any]:
    """How the files of a folder are read: arguments of `relaxdesign.campaign.evaluate_folder`."""
    from relaxdesign.io.units import Units

    if options.phases is None:
        options.refuse(("materials", "labels"), "give --phases too")
        return {"units": Units.parse(options.units)}
    options.refuse(("units",), "for fields of moduli; labels take the properties of their materials")
    return {"labels": options.labels, "phases": phase_materials(options)}


def _check_phases(path: Path, labels: Labels, family: Inclusions, options: CellOptions) -> None:
    """Raises FieldError for labels of which the names of the family's phases do not say which is which."""
    from relaxdesign.io.fields import FieldError

    names = Names.of(family).materials
    if set(labels.shares) <= set(range(len(names))):
        return
    given = [options.given[name] for name in names]
    raise FieldError(
        f"{path}: {labels.array} holds the labels {labels.describe()}; {shown(*names)} are for "
        f"{' and '.join(map(str, range(len(names))))}: say which is which, for example --phases "
        f"{_example(labels, given if len(labels.shares) == len(given) else ())}"
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


def _materials(
    options: CellOptions, family: Inclusions, why: str = "a cell is made of two materials"
) -> dict[int, Material]:
    """The materials of the family's phases by label. Raises ValueError for one that is missing or unknown."""
    names = Names.of(family).materials
    if not all(name in options.given for name in names):
        raise ValueError(f"{why}: give both {shown(*names)}")
    catalogue = read_catalogue(options.materials)
    return {label: _material(catalogue, shown(name), options.given[name]) for label, name in enumerate(names)}


def _material(catalogue: Catalogue, option: str, wanted: str) -> Material:
    """The material that an option names; void, unless the catalogue has one. Raises ValueError for none or several."""
    try:
        return catalogue.phase(wanted)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _of_family(
    labels: Labels,
    family: Inclusions,
    materials: Mapping[int, Material],
    name: str,
    data: VoxelFields | None = None,
) -> Cell:
    """A cell whose labels are those of the family's phases. data: of composite voxels."""
    from relaxdesign.io.fields import labelled_field

    made = {role: materials[label].name for label, role in enumerate(Names.of(family).materials)}
    filled = sum((share for label, share in labels.shares.items() if label), 0.0)
    told = {**made, "volume_fraction": filled} | _phases(labels, materials)
    return Cell(labelled_field(labels, materials) if data is None else data, name, told, family.phases)
