"""The chosen cell in 3D. The only module that knows stpyvista (GPL-3.0, see NOTICE).

stpyvista exports the scene in a forked child and waits for it without a limit. Here a thread does that and the page
asks for the outcome, so that neither a slow machine nor a dead child holds anybody up; what was exported
is kept. Where the machine cannot render, or the export fails, the browser draws the same surface with Plotly.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from relaxdesign.result import Design
from relaxdesign.ui import server
from relaxdesign.ui.colours import MATRIX, PARTICLE

if TYPE_CHECKING:
    from relaxdesign.export import Surface

logger = logging.getLogger(__name__)

HEIGHT = 400
EXPORT_SECONDS = 60
KEPT_VIEWS = 24
# Without these stpyvista's child process fails and never answers.
NEEDED_MODULES = ("trame", "trame_vtk", "trame_vuetify", "trame_pyvista", "nest_asyncio2")

# 2D cells are shown as a slab of this share of the cell edge.
SLAB = 0.25

EDGE = "#8894A6"
# Corners of the unit cube in an order that passes along each of its edges.
_BOX_PATH = (
    (0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 0), (0, 0, 1), (1, 0, 1), (1, 0, 0),
    (1, 0, 1), (1, 1, 1), (1, 1, 0), (1, 1, 1), (0, 1, 1), (0, 1, 0), (0, 1, 1), (0, 0, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How a cell is shown. cut: along x, y and z, the share of the cell that is left. matrix, particles: opacities."""

    cut: tuple[float, float, float] = (1.0, 1.0, 1.0)
    matrix: float = 0.2
    particles: float = 1.0


def show(design: Design, key: str) -> None:
    """Draws the particle phase in its cell, cut and see-through as chosen; 2D cells extruded."""
    look = _choose(design)
    dark = st.context.theme.type == "dark"
    view = _exporter().view(key, dark, design, look)
    if not view.done():
        _wait(key, dark, design, look)
    elif view.result() is None:
        st.plotly_chart(_plotly(design, look), key=f"view-{key}", config={"displaylogo": False})
    else:
        from stpyvista import _stpv_component

        data = {"_html": view.result(), "backend": "trame", "height": HEIGHT, "width": 0, "use_container_width": True}
        _stpv_component(key=f"view-{key}-{dark}-{look}", data=data)
    hint = "Drag to rotate, scroll to zoom."
    st.caption(hint if design.phase.shape[2] > 1 else f"{hint} The 2D cell is shown extruded.")


def _choose(design: Design) -> Look:
    """Cuts and opacities, the same for every design; a 2D cell is not cut along its thickness."""
    with st.popover("Cut and opacity", icon=":material/content_cut:"):
        axes = "xy" if design.phase.shape[2] == 1 else "xyz"
        cut = [
            st.slider(f"Cut along {axis}", 0.1, 1.0, 1.0, 0.05, key=f"smooth-cut-{axis}", persist_state="session")
            for axis in axes
        ]
        matrix = st.slider("Opacity of the matrix", 0.0, 1.0, 0.2, 0.05, key="smooth-matrix", persist_state="session")
        particles = st.slider(
            "Opacity of the particles", 0.0, 1.0, 1.0, 0.05, key="smooth-particles", persist_state="session"
        )
    return Look((cut[0], cut[1], cut[2] if len(cut) == 3 else 1.0), matrix, particles)


@st.fragment(run_every=0.5)
def _wait(key: str, dark: bool, design: Design, look: Look) -> None:
    """Keeps the place until the view is there, then redraws the page."""
    if _exporter().view(key, dark, design, look).done():
        st.rerun()
    with st.container(height=HEIGHT, border=True, horizontal_alignment="center", vertical_alignment="center"):
        st.markdown(":gray[:material/view_in_ar: Preparing the 3D view …]", width="content")


class _Exporter:
    """Exports scenes in one thread and keeps the last ones; after a failure no more are tried."""

    def __init__(self) -> None:
        self._failed = False
        self._started: float | None = None
        self._views: OrderedDict[tuple[str, bool, Look], Future[str | None]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relaxdesign-view")

    def view(self, key: str, dark: bool, design: Design, look: Look) -> Future[str | None]:
        """The scene as HTML, or None where Plotly must do; asked for again until it is done."""
        if self._started is not None and time.monotonic() - self._started > EXPORT_SECONDS:
            logger.error("the export of a 3D view hangs; from now on Plotly draws it")
            self._failed = True
        if self._failed:
            nothing: Future[str | None] = Future()
            nothing.set_result(None)
            return nothing
        if (key, dark, look) not in self._views:
            self._views[key, dark, look] = self._pool.submit(self._export, design, dark, look)
            while len(self._views) > KEPT_VIEWS:
                self._views.popitem(last=False)
        return self._views[key, dark, look]

    def _export(self, design: Design, dark: bool, look: Look) -> str | None:
        missing = [name for name in NEEDED_MODULES if find_spec(name) is None]
        if missing:
            logger.warning("3D views fall back to Plotly; not installed: %s", ", ".join(missing))
        if missing or not server.can_render():
            self._failed = True
            return None
        self._started = time.monotonic()
        try:
            return _export_scene(design, dark, look)
        except Exception:
            logger.exception("a 3D view could not be exported; from now on Plotly draws it")
            self._failed = True
            return None
        finally:
            self._started = None


@st.cache_resource(show_spinner=False)
def _exporter() -> _Exporter:
    return _Exporter()


def _export_scene(design: Design, dark: bool, look: Look) -> str:
    import pyvista as pv
    from stpyvista.trame_backend import _trame_html

    surface, size = _surface(design, look)
    # A little larger than the cell: faces in one plane would flicker.
    margin = 0.004
    box = pv.Box([bound for edge in size for bound in (-margin, edge + margin)])
    plotter = pv.Plotter(off_screen=True, window_size=[640, HEIGHT])
    try:
        plotter.renderer.set_background("#12171F" if dark else "#FFFFFF")
        if surface is not None:
            particles = pv.PolyData.from_regular_faces(surface.points, surface.triangles)
            plotter.add_mesh(particles, color=PARTICLE, opacity=look.particles, ambient=0.25)
        plotter.add_mesh(box, color=MATRIX, opacity=look.matrix, ambient=0.4)
        plotter.add_mesh(box.extract_feature_edges(30), color=EDGE, line_width=2)
        plotter.renderer.view_isometric()
        plotter.camera.zoom(1.1)
        return _trame_html(plotter)
    finally:
        plotter.close()


def _surface(design: Design, look: Look) -> tuple[Surface | None, tuple[float, float, float]]:
    """Closed surface of the particles in what is left of the cell, None if none is, and its size; in cell edges."""
    from relaxdesign.export import phase_surface

    assert design.phase is not None  # verified designs have one
    shape = design.phase.shape
    flat = shape[2] == 1
    # Two voxels at least: one would be taken for a 2D cell.
    kept = [max(min(2, n), round(share * n)) for share, n in zip(look.cut, shape, strict=True)]
    phase = design.phase[: kept[0], : kept[1], : kept[2]]
    size = (kept[0] / shape[0], kept[1] / shape[0], SLAB if flat else kept[2] / shape[0])
    return (phase_surface(phase, size[0], SLAB if flat else None) if phase.any() else None), size


def _plotly(design: Design, look: Look):
    import plotly.graph_objects as go

    surface, size = _surface(design, look)
    mesh = go.Mesh3d(color=PARTICLE, flatshading=True, opacity=look.particles)
    if surface is not None:
        mesh.update(dict(zip("xyzijk", (*surface.points.T, *surface.triangles.T), strict=True)))
    mesh.lighting = {"ambient": 0.55, "diffuse": 0.6}
    path = np.array(_BOX_PATH) * size
    outline = go.Scatter3d(
        x=path[:, 0], y=path[:, 1], z=path[:, 2], mode="lines", line={"color": EDGE, "width": 3}
    )  # fmt: skip
    figure = go.Figure([mesh, outline])
    hidden = {"visible": False}
    figure.update_layout(
        height=HEIGHT,
        showlegend=False,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        scene={
            "aspectmode": "data",
            "xaxis": hidden,
            "yaxis": hidden,
            "zaxis": hidden,
            "camera": {"eye": {"x": 1.9, "y": 1.9, "z": 1.6}},
        },
        uirevision="view",
    )
    figure.update_traces(hoverinfo="skip")
    return figure
