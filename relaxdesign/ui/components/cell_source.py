"""Where the evaluated cell comes from: drawn by a few settings, or read from an uploaded file."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from relaxdesign.export import safe_name
from relaxdesign.io.fields import FieldError
from relaxdesign.io.labels import Labels
from relaxdesign.io.segmentation import Segmentation
from relaxdesign.io.uploads import (
    KINDS,
    FieldReading,
    LabelsAsked,
    StlGrid,
    UnitAsked,
    Upload,
    UploadError,
    UploadLimits,
    read_upload,
)
from relaxdesign.io.voxelise import parse_edges
from relaxdesign.materials.material import VOID, Material
from relaxdesign.microstructure import FAMILIES, Family, drawable
from relaxdesign.microstructure.base import (
    GivenThird,
    Inclusions,
    Parameter,
    PlacementError,
    draw,
    in_dimension,
    inclusion_label,
    inclusions_of,
    singular,
)
from relaxdesign.microstructure.cell import Cell
from relaxdesign.ui import background, server
from relaxdesign.ui.components.cell_views import ViewedCell
from relaxdesign.ui.text import escape

GRIDS = {2: (32, 64, 128), 3: (16, 24, 32, 48)}
OFFERED = (
    "epoxy-unfilled", "alumina-ad-995", "soda-lime-glass", "structural-steel-en-1993-design-values", "copper",
)  # fmt: skip
"""Ids of the materials that the phases have until others are chosen."""
SHARE, SIZE = 0.3, 0.25
"""Of what is drawn until others are chosen, or what the family supports that is nearest."""


@dataclass(frozen=True, eq=False)
class Imaged:
    """Of an image: the phases of its voxels, their materials, and whether it is embedded too."""

    found: Segmentation
    materials: tuple[Material, ...]
    embed: bool = False


@dataclass(frozen=True, eq=False)
class Source:
    """A cell with a name for its files and a key for its views.

    warnings: what in its file is ambiguous. imaged: of an image, what more is known of it.
    """

    cell: ViewedCell
    name: str
    key: str
    remark: str = ""
    warnings: tuple[str, ...] = ()
    imaged: Imaged | None = None


# ---- Drawn -----------------------------------------------------------------------------------------


def drawn() -> Source | None:
    """The settings of a cell that is drawn, and the cell; None while there is none, with the reason on the page."""
    family = _family()
    materials = _materials(family)
    family, amount = _with_third(family, materials)
    columns = st.columns([0.8, 0.9, 1.3, 1.3, 0.8])
    dim = columns[0].segmented_control(
        "Dimension", (2, 3), default=2, required=True, format_func="{}D".format, key="evaluate-dim",
        persist_state="session",
    )  # fmt: skip
    grid = columns[1].selectbox(
        "Voxels per edge", GRIDS[dim], index=1, key=f"evaluate-grid-{dim}", persist_state="session"
    )
    limits = in_dimension(family, dim)
    share = columns[2].slider(
        family.share.label.capitalize(), *limits.share.range, limits.share.clip(SHARE), 0.01,
        key=_key(family, family.share, dim), persist_state="session",
    )  # fmt: skip
    phase = singular(inclusions_of(family))
    size = columns[3].slider(
        f"{phase.capitalize()} {family.size.label}", *limits.size.range, limits.size.clip(SIZE), 0.01,
        key=_key(family, family.size, dim), persist_state="session",
        help="Fraction of the cell's edge; moved a little, so that a whole number of "
        f"{inclusions_of(family)} fills the fraction",
    )  # fmt: skip
    seed = columns[4].number_input(
        "Seed", 0, 2**31, 0, key="evaluate-seed", persist_state="session", help="Another seed, another placement"
    )
    try:
        labels = background.result(
            ("place", family.name, amount, share, size, dim, grid, seed),
            lambda: draw(family, share, size, dim, grid=grid, seed=int(seed)),
            f"Placing the {inclusions_of(family)}",
        )
    except PlacementError as error:
        st.warning(f"This cell cannot be drawn: {escape(str(error))}.", icon=":material/info:")
        return None
    if labels is None:
        return None
    return Source(_filled(Labels("", labels), materials), f"cell-{dim}d-{grid}-seed{seed}", f"drawn-{dim}")


def _with_third(family: Inclusions, materials: Mapping[int, Material]) -> tuple[Inclusions, float]:
    """The family with so much of its third phase as is chosen, and that amount; 0 of families of two phases."""
    if not isinstance(family, GivenThird):
        return family, 0.0
    parameter = family.amount
    amount = st.columns(3)[0].slider(
        f"{parameter.label.capitalize()}, {parameter.unit}", *parameter.range, family.usual, 0.01,
        key=f"evaluate-{parameter.name}", persist_state="session",
    )  # fmt: skip
    return family.with_third(materials[family.given], amount), amount


def _key(family: Inclusions, parameter: Parameter, dim: int) -> str:
    """Of the control of a parameter; one of its own for every dimension, where the limits differ."""
    own = "" if parameter.plane is None else f"-{dim}"
    return f"evaluate-{parameter.name}-{family.name}{own}"


def _family() -> Inclusions:
    """The family of the cell; chosen where there are several."""
    families = drawable()
    if len(families) == 1:
        return next(iter(families.values()))
    name = st.segmented_control(
        "Family", list(families), default=next(iter(families)), required=True, key="evaluate-family",
        format_func=lambda name: families[name].title, persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    return families[name]


def _materials(family: Family) -> dict[int, Material]:
    """The materials of a family's phases by label, chosen from the catalogue; a third phase is offered its own."""
    offered = list(OFFERED)
    if isinstance(family, Inclusions) and inclusion_label(family) == 2:
        offered[1:3] = offered[2:0:-1]
    roles = zip((phase.capitalize() for phase in family.phases), offered, strict=False)
    return dict(enumerate(choose_materials(dict(roles))))


def choose_materials(roles: Mapping[str, str]) -> list[Material]:
    """A material of the catalogue for every role; roles: the id of the one that is offered first."""
    catalogue = server.catalogue()
    materials = [*sorted(catalogue.materials, key=lambda material: material.name.lower()), VOID]
    names = [f"{m.name} · E {m.young:.3g} GPa" if m.young else m.name for m in materials]
    chosen, columns = [], st.columns(min(len(roles), 3))
    for number, (role, wanted) in enumerate(roles.items()):
        start = next((i for i, m in enumerate(materials) if m.id == wanted), 0)
        index = columns[number % len(columns)].selectbox(
            role, range(len(materials)), index=start, format_func=names.__getitem__, key=f"evaluate-{role}",
            persist_state="session",
        )  # fmt: skip
        chosen.append(materials[index])
    return chosen


def _filled(labels: Labels, materials: Mapping[int, Material]) -> ViewedCell:
    """The cell of labels with a material for each, whether they occur or not."""
    phases = np.searchsorted(list(materials), labels.values)
    return ViewedCell.of(Cell(phases, tuple(materials.values())), labels.edge)


# ---- Uploaded --------------------------------------------------------------------------------------


def uploaded() -> Source | None:
    """A file and what it does not tell, and its cell; None while there is none, with the reason on the page."""
    limits = UploadLimits.from_environment()
    # The page takes more than is read (.streamlit/config.toml): what is too large is told in words.
    file = st.file_uploader(
        "Field or surface", type=list(KINDS), key="evaluate-file",
        help="Nothing in the file is run. It is read in a process of its own with limits on memory and time.",
    )  # fmt: skip
    st.caption(
        ".npz or .vti: arrays **E** (GPa) and **nu** per voxel, if known **rho** (g/cm³) and **k** (W/(m K)); or "
        f"labels of the phases alone, whole numbers in any array. .stl: a closed surface of the second phase. At most "
        f"{limits.megabytes:g} MB and {limits.voxels:,} voxels."
    )
    if file is None:
        return None
    content = file.getvalue()
    try:
        how = _stl_grid(limits) if file.name.lower().endswith(".stl") else FieldReading()
    except FieldError as error:
        st.error(f"{escape(str(error))}.", icon=":material/error:")
        return None
    digest = background.digest(np.frombuffer(content, np.uint8))
    upload = _read(file.name, content, how, limits, digest)
    return None if upload is None else _source(upload, file.name, digest)


def _read(name: str, content: bytes, how: StlGrid | FieldReading, limits: UploadLimits, digest: str) -> Upload | None:
    """What the file holds; asks on the page for what it does not tell. None: not yet, the page says why."""
    try:
        return background.result(
            ("upload", digest, name[-8:].lower(), how, limits),
            lambda: read_upload(name, content, how, limits),
            "Reading the file",
        )
    except (UnitAsked, LabelsAsked) as question:
        answered = _ask(question, name, how, digest) if isinstance(how, FieldReading) else None
        return None if answered is None else _read(name, content, answered, limits, digest)
    except UploadError as error:
        st.error(f"**{escape(name)}**: {escape(str(error))}", icon=":material/error:")
        return None


def _ask(question: UnitAsked | LabelsAsked, name: str, how: FieldReading, digest: str) -> FieldReading | None:
    """The reading with the user's answer; None while there is none."""
    st.warning(f"**{escape(name)}**: {escape(str(question))}.", icon=":material/help:")
    if isinstance(question, LabelsAsked):
        array = st.selectbox(
            "Array of the labels", question.arrays, index=None, key=f"evaluate-labels-{digest[:12]}",
            persist_state="session", placeholder="choose one",
        )  # fmt: skip
        return None if array is None else replace(how, labels=array)
    quantity = question.quantity
    unit = st.segmented_control(
        f"Unit of {quantity} in the file", question.units, key=f"evaluate-unit-{quantity}-{digest[:12]}",
        persist_state="session",
    )  # fmt: skip
    return None if unit is None else replace(how, units=replace(how.units, **{quantity: unit}))


def _stl_grid(limits: UploadLimits) -> StlGrid:
    """How the surface becomes voxels."""
    columns = st.columns([0.8, 0.9, 1.4, 1])
    dim = columns[0].segmented_control(
        "Dimension", (2, 3), default=3, required=True, format_func="{}D".format, key="evaluate-stl-dim",
        persist_state="session", help="2D: the surface is cut half-way up its height",
    )  # fmt: skip
    fitting = [grid for grid in GRIDS[dim] if grid**dim <= limits.voxels] or [GRIDS[dim][0]]
    grid = columns[1].selectbox(
        "Voxels per edge", fitting, index=min(1, len(fitting) - 1), key=f"evaluate-stl-grid-{dim}",
        persist_state="session",
    )  # fmt: skip
    edges = columns[2].text_input(
        "Cell edges, units of the file", key="evaluate-stl-edges", persist_state="session",
        placeholder="smallest cube around it",
        help="A cell from the origin with this edge, as RelaxDesign exports it, or with one per axis: 10, 10, 5. "
        "Empty: the smallest cube around the surface",
    )  # fmt: skip
    periodic = columns[3].toggle(
        "Periodic", key="evaluate-stl-periodic", persist_state="session",
        help="What reaches out of the cell comes in again on its other side; needs the edges",
    )  # fmt: skip
    return StlGrid(int(grid or fitting[0]), dim, parse_edges(edges) if edges.strip() else None, periodic)


def _source(upload: Upload, file_name: str, digest: str) -> Source:
    """The uploaded cell, with materials that are chosen for labels alone."""
    read, labels = f"Read from {escape(file_name)}", upload.labels
    family = next(iter(FAMILIES.values()))
    if upload.data is not None:
        names = tuple(phase.capitalize() for phase in family.phases) if upload.phase is not None else ()
        cell, remark = ViewedCell(upload.data, upload.phase, names), f"{read}."
    else:
        assert labels is not None  # an upload holds one of the two
        if upload.phase is not None:
            cell = _filled(labels, _materials(family))
            box = f"; the cell reaches from {escape(upload.extent)} in its unit" if upload.extent else ""
            remark = f"{read}{box}; {family.phases[1]} fill {labels.shares.get(1, 0.0):.2%} of the cell."
        else:
            cell = _filled(labels, _materials_of(labels))
            remark = f"{read}; labels of {escape(labels.array)}: {escape(labels.describe())}."
    name = safe_name(file_name.rpartition(".")[0] or file_name)
    return Source(cell, name, digest[:12], remark, upload.warnings)


def _materials_of(labels: Labels) -> dict[int, Material]:
    """A material for every label, chosen from the catalogue."""
    shares, offered = labels.shares, itertools.cycle(OFFERED)
    roles = {f"Label {label} ({share:.2%})": next(offered) for label, share in shares.items()}
    return dict(zip(shares, choose_materials(roles), strict=True))
