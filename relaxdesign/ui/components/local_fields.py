"""Stress and strain of every voxel of a cell under a load that the reader gives, painted on it, sliced and deformed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from relaxdesign.physics.anisotropy import PLANES
from relaxdesign.physics.effective_properties import fields_under, fields_under_stress
from relaxdesign.physics.fem import LOADS, ConvergenceError, LocalFields
from relaxdesign.scene import Scene, lattice, painted_phase, painted_scene
from relaxdesign.scene.painted import exaggerated, repeated
from relaxdesign.ui import background, units
from relaxdesign.ui.components import cell_scene, scene_files
from relaxdesign.ui.components.cell_scene import Look, Scalar
from relaxdesign.ui.components.cell_views import LOAD_NAMES, ViewedCell, heatmap
from relaxdesign.ui.text import escape, significant

STRESS, STRAIN = "Stress", "Strain"
USUAL = {STRESS: 10.0, STRAIN: 0.1}
"""Of a load, in MPa and in %, until another is chosen."""

_NAMES = list(LOADS)[1:]
QUANTITIES: dict[str, tuple[str, Callable[[LocalFields], np.ndarray]]] = {
    "Von Mises stress": (STRESS, lambda fields: fields.von_mises[0].numpy()),
    "Pressure": (STRESS, lambda fields: fields.pressure[0].numpy()),
    "Energy density": ("Energy", lambda fields: fields.energy[0].numpy()),
    **{f"Stress {name}": (STRESS, lambda fields, i=i: fields.stress[0, i].numpy()) for i, name in enumerate(_NAMES)},
    **{f"Strain {name}": (STRAIN, lambda fields, i=i: fields.strain[0, i].numpy()) for i, name in enumerate(_NAMES)},
}
"""Fields by what they are called: what kind of number they are, and how they are read."""


@dataclass(frozen=True)
class Load:
    """A load of a cell. kind: of stress (size in GPa) or of strain (size as a ratio). name: of `fem.LOADS`."""

    kind: str
    name: str
    size: float

    def solve(self, cell: ViewedCell) -> LocalFields:
        """The fields under the unit load; everything is linear. Raises ValueError, ConvergenceError."""
        return (fields_under_stress if self.kind == STRESS else fields_under)(cell.data, self.name)

    def scaled(self, kind: str, values: np.ndarray) -> tuple[np.ndarray, str]:
        """A field under this load, of that under the unit load, in the unit that is shown; and the unit."""
        if kind == "Energy":  # 1 GPa is 10⁶ kJ/m³
            return values * self.size**2 * 1e6, "kJ/m³"
        if kind == STRAIN:
            return values * self.size * 100.0, "%"
        unit, times = units.shown("GPa")
        unit, times = ("MPa", 1e3) if unit == "GPa" else (unit, times)
        return values * self.size * times, unit


def render(cell: ViewedCell, key: str) -> None:
    """The load, the field, and how it is looked at. Raises ValueError with a text for the user where a solve fails."""
    load = _choose_load(key)
    field_column, view_column = st.columns([1.6, 1])
    name = field_column.selectbox("Field", list(QUANTITIES), key=f"quantity-{key}", persist_state="session")
    kinds = ["Map", "3D"] if cell.flat else ["3D", "Slice"]
    shown_as = view_column.segmented_control(
        "Shown as", kinds, default=kinds[0], required=True, key=f"kind-{key}", persist_state="session"
    )
    token = ("fields", background.digest(cell.data.E, cell.data.nu), load.kind, load.name)
    try:
        solved = background.result(token, lambda: load.solve(cell), "Solving the load case")
    except ConvergenceError as error:
        raise ValueError(f"The solver did not converge: {error}") from error
    if solved is None:
        return
    kind, values_of = QUANTITIES[name]
    values, unit = load.scaled(kind, values_of(solved).astype(np.float32))
    scalar = Scalar(values, f"{name}, {unit}")
    said = ""
    if shown_as == "3D":
        said = _solid(cell, scalar, solved, load, key, f"{name} in 3D")
    else:
        _slice(cell, scalar, key)
    largest, mean = (significant(float(each), 3) for each in (values.max(), values.mean()))
    st.caption(
        f"Linear elastic. Largest {largest} {unit}, mean {mean} {unit}; the colours end at the 0.5 and 99.5 % "
        f"quantiles. {said}"
    )


def _choose_load(key: str) -> Load:
    kind_column, name_column, size_column = st.columns([1, 1.3, 1])
    kind = kind_column.segmented_control(
        "Load", [STRESS, STRAIN], default=STRESS, required=True, key=f"load-kind-{key}", persist_state="session",
        help="What the cell as a whole is under: a mean stress, or a mean strain.",
    )  # fmt: skip
    name = name_column.selectbox(
        "Direction", list(LOAD_NAMES), index=1, format_func=LOAD_NAMES.__getitem__, key=f"load-{key}",
        persist_state="session",
        help="Hydrostatic: the same along x, y and z. Tension: along one axis; under a stress the sides are free, "
        "under a strain they are held. Shear: of a strain the engineering shear.",
    )  # fmt: skip
    unit, times = ("MPa", 1e-3) if kind == STRESS else ("%", 1e-2)
    size = size_column.number_input(
        f"{kind}, {unit}", value=USUAL[str(kind)], step=None, format="%.4g", key=f"load-size-{kind}-{key}",
        persist_state="session", help="Negative: compression.",
    )  # fmt: skip
    return Load(str(kind), name, float(size) * times)


def _solid(cell: ViewedCell, scalar: Scalar, solved: LocalFields, load: Load, key: str, label: str) -> str:
    """A field on the voxels of all phases that are not void, or on the surface of one of them; returns what to say."""
    solid = cell.names if cell.labels is None else [n for i, n in enumerate(cell.names) if cell.solid(i)]
    name = None
    with st.container(horizontal=True, vertical_alignment="center"):
        look = cell_scene.choose_look(cell.flat, ())
        if len(solid) > 1:
            name = st.segmented_control(
                "Phase", solid, key="field-phase", persist_state="session", label_visibility="collapsed",
                help="Only this phase; none chosen: the whole cell.",
            )  # fmt: skip
    moved, times = exaggerated(solved.displacement[0].numpy() * load.size)
    values = scalar.values
    if name in solid and cell.labels is not None:  # its own values have all of the colours
        scalar = Scalar(values[cell.labels == cell.names.index(name)], scalar.title)
    scene = _scene(cell, values, scalar, look, repeated(moved, look.times), name if name in solid else None)
    cell_scene.show(scene, key=f"field-{key}", scalar=scalar, label=label)
    scene_files.buttons(scene, f"field-{key}", f"relaxdesign-{key}-field", deforms=True)
    return f"“Deform” draws displacements {escape(significant(times, 2))} times as large as they are."


def _scene(
    cell: ViewedCell, values: np.ndarray, scalar: Scalar, look: Look, moved: np.ndarray, name: str | None
) -> Scene:
    """scalar: how the values are painted. name: of the phase that is seen; None for all that are not void."""
    values = lattice(values, look.times)
    if name is None or cell.labels is None:
        shown = lattice(cell.data.E > 0.0, look.times) if cell.data.void else None
        return painted_scene(values, scalar.paint, shown=shown, cut=look.cut, moved=moved)
    labels, phase = lattice(cell.labels, look.times), cell.names.index(name)
    exact = None if cell.exact is None else cell.exact.tiled(look.times)
    return painted_phase(
        values, scalar.paint, labels, phase, phases=len(cell.names), exact=exact, cut=look.cut, moved=moved
    )


def _slice(cell: ViewedCell, scalar: Scalar, key: str) -> None:
    """A plane of voxels as a map with the value under the pointer; in 2D the cell itself."""
    plane, at = "xy", 0
    if not cell.flat:
        chosen, position = st.columns([1, 2])
        plane = chosen.segmented_control(
            "Plane", list(PLANES), default="xy", required=True, key=f"plane-{key}", persist_state="session"
        )
        across = ({0, 1, 2} - set(PLANES[plane])).pop()
        count = scalar.values.shape[across]
        at = position.slider(
            f"Voxel along {'xyz'[across]}", 1, count, (count + 1) // 2, key=f"at-{plane}-{key}", persist_state="session"
        )
        at -= 1
    first, second = PLANES[plane]
    across = ({0, 1, 2} - {first, second}).pop()
    values = np.take(scalar.values, at, axis=across)
    low, high = scalar.limits
    figure = heatmap(values, scalar.title, f"{'xyz'[first]}, voxels", f"{'xyz'[second]}, voxels", low, high)
    st.plotly_chart(figure, key=f"slice-{key}", config={"displaylogo": False}, alt=f"Map of {scalar.title}")
