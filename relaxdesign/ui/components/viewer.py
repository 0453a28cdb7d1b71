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


def show(design: Design, key: str) -> None:
    """Draws the particle phase in its cell; 2D cells extruded."""
    dark = st.context.theme.type == "dark"
    view = _exporter().view(key, dark, design)
    if not view.done():
        _wait(key, dark, design)
    elif view.result() is None:
        st.plotly_chart(_plotly(design), key=f"view-{key}", config={"displaylogo": False})
    else:
        from stpyvista import _stpv_component

        data = {"_html": view.result(), "backend": "trame", "height": HEIGHT, "width": 0, "use_container_width": True}
        _stpv_component(key=f"view-{key}-{dark}", data=data)
    hint = "Drag to rotate, scroll to zoom."
    st.caption(hint if design.phase.shape[2] > 1 else f"{hint} The 2D cell is shown extruded.")


@st.fragment(run_every=0.5)
def _wait(key: str, dark: bool, design: Design) -> None:
    """Keeps the place until the view is there, then redraws the page."""
    if _exporter().view(key, dark, design).done():
        st.rerun()
    with st.container(height=HEIGHT, border=True, horizontal_alignment="center", vertical_alignment="center"):
        st.markdown(":gray[:material/view_in_ar: Preparing the 3D view …]", width="content")


class _Exporter:
    """Exports scenes in one thread and keeps the last ones; after a failure no more are tried."""

    def __init__(self) -> None:
        self._failed = False
        self._started: float | None = None
        self._views: OrderedDict[tuple[str, bool], Future[str | None]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relaxdesign-view")

    def view(self, key: str, dark: bool, design: Design) -> Future[str | None]:
        """The scene as HTML, or None where Plotly must do; asked for again until it is done."""
        if self._started is not None and time.monotonic() - self._started > EXPORT_SECONDS:
            logger.error("the export of a 3D view hangs; from now on Plotly draws it")
            self._failed = True
        if self._failed:
            nothing: Future[str | None] = Future()
            nothing.set_result(None)
            return nothing
        if (key, dark) not in self._views:
            self._views[key, dark] = self._pool.submit(self._export, design, dark)
            while len(self._views) > KEPT_VIEWS:
                self._views.popitem(last=False)
        return self._views[key, dark]

    def _export(self, design: Design, dark: bool) -> str | None:
        missing = [name for name in NEEDED_MODULES if find_spec(name) is None]
        if missing:
            logger.warning("3D views fall back to Plotly; not installed: %s", ", ".join(missing))
        if missing or not server.can_render():
            self._failed = True
            return None
        self._started = time.monotonic()
        try:
            return _export_scene(design, dark)
        except Exception:
            logger.exception("a 3D view could not be exported; from now on Plotly draws it")
            self._failed = True
            return None
        finally:
            self._started = None


@st.cache_resource(show_spinner=False)
def _exporter() -> _Exporter:
    return _Exporter()


def _export_scene(design: Design, dark: bool) -> str:
    import pyvista as pv
    from stpyvista.trame_backend import _trame_html

    surface = _surface(design)
    particles = pv.PolyData.from_regular_faces(surface.points, surface.triangles)
    # A little larger than the cell: faces in one plane would flicker.
    margin = 0.004
    box = pv.Box([bound for size in surface.size for bound in (-margin, size + margin)])
    plotter = pv.Plotter(off_screen=True, window_size=[640, HEIGHT])
    try:
        plotter.renderer.set_background("#12171F" if dark else "#FFFFFF")
        plotter.add_mesh(particles, color=PARTICLE, ambient=0.25)
        plotter.add_mesh(box, color=MATRIX, opacity=0.2, ambient=0.4)
        plotter.add_mesh(box.extract_feature_edges(30), color=EDGE, line_width=2)
        plotter.renderer.view_isometric()
        plotter.camera.zoom(1.1)
        return _trame_html(plotter)
    finally:
        plotter.close()


def _surface(design: Design) -> Surface:
    """Closed surface of the particles; lengths in cell edges."""
    from relaxdesign.export import phase_surface

    assert design.phase is not None  # verified designs have one
    return phase_surface(design.phase, 1.0, SLAB if design.phase.shape[2] == 1 else None)


def _plotly(design: Design):
    import plotly.graph_objects as go

    surface = _surface(design)
    x, y, z = surface.points.T
    i, j, k = surface.triangles.T
    mesh = go.Mesh3d(x=x, y=y, z=z, i=i, j=j, k=k, color=PARTICLE, flatshading=True)
    mesh.lighting = {"ambient": 0.55, "diffuse": 0.6}
    path = np.array(_BOX_PATH) * surface.size
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
