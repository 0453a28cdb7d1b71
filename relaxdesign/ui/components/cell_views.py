"""Views of one cell: in 3D, its local fields under a load, Young's modulus by direction, its correlations."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from relaxdesign.microstructure.cell import Cell
from relaxdesign.microstructure.correlation import radial_average, two_point_correlation
from relaxdesign.physics.anisotropy import PLANES, young_in_plane, young_surface
from relaxdesign.physics.effective_properties import Evaluation, evaluate
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.physics.voxel_fields import VoxelFields
from relaxdesign.scene import Exact, lattice, painted_scene, phase_scene
from relaxdesign.scene.palette import PHASES
from relaxdesign.ui import background, units
from relaxdesign.ui.colours import DISTINCT, phase_colours
from relaxdesign.ui.components import cell_scene, copying, scene_files, viewer
from relaxdesign.ui.components.cell_scene import Scalar
from relaxdesign.ui.components.directions import POLAR
from relaxdesign.ui.text import escape, significant

HEIGHT = 400

LOAD_NAMES = {
    "hydrostatic": "Hydrostatic",
    **{name: f"Tension {name}" for name in ("xx", "yy", "zz")},
    **{name: f"Shear {name}" for name in ("yz", "xz", "xy")},
}


@dataclass(frozen=True, eq=False)
class ViewedCell:
    """What is viewed. labels: phases (nx, ny, nz); None: a field of many materials. names, colours: of the phases.

    coated: whether the second phase lies around the third. exact: what its inclusions are, where that is known.
    """

    data: VoxelFields
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    coated: bool = False
    exact: Exact | None = None

    @staticmethod
    def of(cell: Cell, edge: float | None = None) -> ViewedCell:
        """The phases of a cell, named by their materials; with more of them than there are colours as a field.

        edge: of a voxel, in the unit of its file.
        """
        data = replace(cell.fields, edge=edge)
        if len(cell.materials) > len(PHASES):
            return ViewedCell(data)
        return ViewedCell(data, cell.labels, tuple(material.name for material in cell.materials))

    def solid(self, phase: int) -> bool:
        """Whether a phase occurs and is no void."""
        return bool((self.data.E[self.labels == phase] > 0.0).any())

    @property
    def void(self) -> int | None:
        """The phase that is void, if one is."""
        if self.labels is None:
            return None
        return next((phase for phase in np.unique(self.labels).tolist() if not self.solid(phase)), None)

    @property
    def flat(self) -> bool:
        return self.data.E.shape[2] == 1


def evaluation(cell: ViewedCell) -> Evaluation | None:
    """Its effective properties; None while they are solved, with a note in their place.

    Raises ValueError with a text for the user where the solve fails.
    """
    data = cell.data
    key = ("evaluation", background.digest(*data.arrays.values()))
    try:
        return background.result(key, lambda: evaluate(data), "Solving for the effective stiffness")
    except ConvergenceError as error:
        raise ValueError(f"The solver did not converge: {error}") from error


def picture(cell: ViewedCell, key: str, *, exported: bool = False) -> None:
    """The phases in 3D, to be cut and seen through; of a field of many materials Young's modulus.

    exported: in stpyvista's viewer, which is a page of its own, instead of the one that keeps its camera.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        look = cell_scene.choose_look(cell.flat, cell.names, cell.void)
    if cell.labels is None:
        scalar = Scalar(cell.data.E, "Young’s modulus, GPa")
        scene = painted_scene(lattice(scalar.values, look.times), scalar.paint, cut=look.cut)
        cell_scene.show(scene, key=f"cell-{key}", scalar=scalar, label="Young’s modulus of the cell in 3D")
    else:
        colours = cell.colours or phase_colours(len(cell.names), cell.void)
        labels = lattice(cell.labels, look.times)
        scene = phase_scene(
            labels, colours, opacities=look.opacities, void=cell.void, cut=look.cut, coated=cell.coated,
            exact=None if cell.exact is None else cell.exact.tiled(look.times),
        )  # fmt: skip
        if exported:
            viewer.show(scene, f"{key}-{background.digest(cell.labels)}", look)
            scene_files.buttons(scene, f"cell-{key}", f"relaxdesign-{key}")
        else:
            cell_scene.show(scene, key=f"cell-{key}", label="Phases of the cell in 3D")
    shown = "Inclusions are drawn as they are" if cell.exact else "Surfaces are smoothed for the eye, not in files"
    hint = f"Drag to turn, scroll to zoom. {shown}."
    st.caption(f"{hint} The 2D cell is shown as a slab." if cell.flat else hint)


def heatmap(values: np.ndarray, title: str, x_title: str, y_title: str, low: float, high: float) -> go.Figure:
    """A map of values (nx, ny) with square pixels: first axis to the right, second upwards."""
    figure = go.Figure(
        go.Heatmap(
            z=values.T, zmin=low, zmax=high, colorscale="Cividis", colorbar={"title": {"text": title, "side": "right"}},
            hovertemplate="%{x}, %{y}: %{z:.4g}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title=x_title, constrain="domain", showgrid=False, zeroline=False)
    figure.update_yaxes(title=y_title, scaleanchor="x", constrain="domain", showgrid=False, zeroline=False)
    figure.update_layout(height=HEIGHT, margin={"l": 8, "r": 8, "t": 8, "b": 8}, uirevision="kept")
    return figure


def stiffness(solved: Evaluation, key: str) -> None:
    """Young's modulus in every direction, as curves in the coordinate planes and as the surface E(n) n; and C."""
    curves, surface = st.columns([1, 1.1])
    with curves:
        st.plotly_chart(
            _polar(solved.C), key=f"polar-{key}", config={"displayModeBar": False},
            alt="Young's modulus in the coordinate planes",
        )  # fmt: skip
    with surface:
        st.plotly_chart(
            _surface(solved.C), key=f"surface-{key}", config={"displaylogo": False},
            alt="Surface of Young's modulus by direction",
        )  # fmt: skip
    _, young = young_surface(solved.C)
    st.caption(
        f"Young’s modulus along every direction, from {units.text(float(young.min()), 'GPa')} to "
        f"{units.text(float(young.max()), 'GPa')}; a sphere would be isotropic. Universal anisotropy index (0: the "
        f"same in all directions) {significant(solved.anisotropy, 3)}."
    )
    names = ["xx", "yy", "zz", "yz", "xz", "xy"]
    unit, times = units.shown("GPa")
    C = solved.C * times
    scale = abs(C).max()
    shown = pd.DataFrame(np.where(abs(C) < 1e-9 * scale, 0.0, C), index=pd.Index(names, name="C"), columns=names)
    st.markdown(f"**Effective stiffness C, {unit}** :gray[Voigt order, engineering shear]")
    numbers = st.column_config.NumberColumn(format=f"%.{max(0, 5 - len(f'{scale:.0f}'))}f")
    st.dataframe(shown, key=f"C-{key}", column_config=dict.fromkeys(names, numbers))
    copying.buttons({f"Copy as {kind}": text for kind, text in copying.of_matrix(C).items()}, f"C-{key}")


def _polar(C: np.ndarray) -> go.Figure:
    figure, (unit, times) = go.Figure(), units.shown("GPa")
    for plane, colour, dash in zip(PLANES, DISTINCT, ("solid", "dash", "dot"), strict=False):
        angles, young = young_in_plane(C, plane)
        figure.add_trace(
            go.Scatterpolar(
                r=young * times, theta=np.degrees(angles), mode="lines", name=f"{plane} plane",
                line={"color": colour, "dash": dash, "width": 2.5}, hovertemplate=f"%{{theta:.0f}}°: %{{r:.4g}} {unit}",
            )
        )  # fmt: skip
    figure.update_layout(
        height=HEIGHT - 40,
        margin={"l": 28, "r": 28, "t": 20, "b": 8},
        legend={"orientation": "h", "y": -0.08, "x": 0.5, "xanchor": "center"},
        polar=POLAR,
        uirevision="kept",
    )
    return figure


def _surface(C: np.ndarray) -> go.Figure:
    directions, young = young_surface(C, count=41)
    unit, times = units.shown("GPa")
    young = young * times
    x, y, z = np.moveaxis(young[..., None] * directions, -1, 0)
    spread = float(young.max() - young.min()) > 1e-6 * float(young.max())
    figure = go.Figure(
        go.Surface(
            x=x, y=y, z=z, surfacecolor=young, colorscale="Cividis",
            cmin=float(young.min()) * (1 if spread else 0.99), cmax=float(young.max()) * (1 if spread else 1.01),
            colorbar={"title": {"text": f"E, {unit}", "side": "right"}, "len": 0.75, "thickness": 14},
            hovertemplate=f"E = %{{surfacecolor:.4g}} {unit}<extra></extra>",
        )
    )  # fmt: skip
    reach = 1.05 * float(young.max())
    axis = {"range": [-reach, reach], "showticklabels": False, "showspikes": False}
    figure.update_layout(
        height=HEIGHT - 40,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        scene={
            **{f"{name}axis": {**axis, "title": name} for name in "xyz"},
            "aspectmode": "cube",
            "camera": {"eye": {"x": 1.25, "y": 1.25, "z": 0.9}},
        },
        uirevision="kept",
    )
    return figure


def correlation(cell: ViewedCell, key: str) -> None:
    """The two-point correlation of the second phase, or another one: its radial average and its map."""
    if cell.labels is None:
        st.info("A field of many materials has no phase whose correlation could be counted.", icon=":material/info:")
        return
    label = 1
    if len(cell.names) > 2:
        label = st.segmented_control(
            "Phase", range(len(cell.names)), default=1, required=True, format_func=cell.names.__getitem__,
            key=f"correlation-phase-{key}", persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
    phase = cell.labels == label
    S2 = two_point_correlation(phase)
    fraction = float(phase.mean())
    r, mean = radial_average(S2)
    line, plane = st.columns([1, 1.1])
    figure = go.Figure(
        go.Scatter(
            x=r / phase.shape[0], y=mean, mode="lines+markers", line={"color": DISTINCT[0]}, marker={"size": 5},
            hovertemplate="r = %{x:.3f}: %{y:.4g}<extra></extra>",
        )
    )  # fmt: skip
    for level, text in ((fraction, "φ"), (fraction**2, "φ²")):
        figure.add_hline(y=level, line_dash="dot", line_color="#7A8699", annotation_text=text)
    figure.update_xaxes(title="distance r, cell edges")
    figure.update_yaxes(title="S₂(r)", rangemode="tozero")
    figure.update_layout(height=HEIGHT - 40, margin={"l": 8, "r": 24, "t": 12, "b": 8}, uirevision="kept")
    with line:
        st.plotly_chart(
            figure, key=f"radial-{key}", config={"displayModeBar": False}, alt="Radial average of the correlation"
        )
    middle = S2[:, :, S2.shape[2] // 2]
    shown = heatmap(middle, "S₂", "shift along x, voxels", "shift along y, voxels", float(S2.min()), float(S2.max()))
    shown.data[0].update(x=np.arange(S2.shape[0]) - S2.shape[0] // 2, y=np.arange(S2.shape[1]) - S2.shape[1] // 2)
    shown.update_layout(height=HEIGHT - 40)
    with plane:
        st.plotly_chart(shown, key=f"map-{key}", config={"displaylogo": False}, alt="Map of the correlation")
    st.caption(
        f"S₂(r): the probability that two points a shift r apart both lie in {escape(cell.names[label])}. It begins at "
        f"its fraction φ = {fraction:.3f} and, without long-range order, tends to φ² = {fraction**2:.3f}. Exact for "
        "this periodic cell."
    )
