"""A design's cell in stpyvista's viewer. The only module that knows stpyvista (GPL-3.0, see NOTICE).

stpyvista exports the scene in a forked child and waits for it without a limit. Here a thread does that and the page
asks for the outcome, so that neither a slow machine nor a dead child holds anybody up; until then a still of the same
scene is shown, and what was exported is kept. Where the machine cannot render, or the export fails, the browser draws
the scene itself.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec

import streamlit as st

from relaxdesign.scene import Scene
from relaxdesign.scene.scenes import BACKGROUNDS
from relaxdesign.scene.stills import new_plotter, place
from relaxdesign.ui import server
from relaxdesign.ui.components import cell_scene
from relaxdesign.ui.components.cell_scene import HEIGHT, Look

logger = logging.getLogger(__name__)

EXPORT_SECONDS = 60
KEPT_VIEWS = 24
# Without these stpyvista's child process fails and never answers.
NEEDED_MODULES = ("trame", "trame_vtk", "trame_vuetify", "trame_pyvista", "nest_asyncio2")

_Name = tuple[str, bool, Look]


def show(scene: Scene, key: str, look: Look) -> None:
    """Draws a scene to be turned. key: of the cell, look: how the scene shows it."""
    dark = st.context.theme.type == "dark"
    name = (key, dark, look)
    view = _exporter().view(name, scene)
    if not view.done():
        _wait(name, scene)
    elif view.result() is None:
        cell_scene.show(scene, key=f"view-{key}")
    else:
        from stpyvista import _stpv_component

        data = {"_html": view.result(), "backend": "trame", "height": HEIGHT, "width": 0, "use_container_width": True}
        _stpv_component(key=f"view-{key}-{dark}-{look}", data=data)


@st.fragment(run_every=0.5)
def _wait(name: _Name, scene: Scene) -> None:
    """Keeps the place with a still until the view is there, then redraws the page."""
    if _exporter().view(name, scene).done():
        st.rerun()
    with st.container(height=HEIGHT, border=False, horizontal_alignment="center", vertical_alignment="center"):
        cell_scene.still(scene, "The cell, while its 3D view is prepared")


class _Exporter:
    """Exports scenes in one thread and keeps the last ones; after a failure no more are tried."""

    def __init__(self) -> None:
        self._failed = False
        self._started: float | None = None
        self._views: OrderedDict[_Name, Future[str | None]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relaxdesign-view")

    def view(self, name: _Name, scene: Scene) -> Future[str | None]:
        """The scene as HTML, or None where the browser must draw it; asked for again until it is done."""
        if self._started is not None and time.monotonic() - self._started > EXPORT_SECONDS:
            logger.error("the export of a 3D view hangs; from now on the browser draws them")
            self._failed = True
        if self._failed:
            nothing: Future[str | None] = Future()
            nothing.set_result(None)
            return nothing
        if name not in self._views:
            self._views[name] = self._pool.submit(self._export, scene, name[1])
            while len(self._views) > KEPT_VIEWS:
                self._views.popitem(last=False)
        return self._views[name]

    def _export(self, scene: Scene, dark: bool) -> str | None:
        missing = [name for name in NEEDED_MODULES if find_spec(name) is None]
        if missing:
            logger.warning("3D views are drawn by the browser; not installed: %s", ", ".join(missing))
        if missing or not server.can_render():
            self._failed = True
            return None
        self._started = time.monotonic()
        try:
            return _html(scene, dark)
        except Exception:
            logger.exception("a 3D view could not be exported; from now on the browser draws them")
            self._failed = True
            return None
        finally:
            self._started = None


@st.cache_resource(show_spinner=False)
def _exporter() -> _Exporter:
    return _Exporter()


def _html(scene: Scene, dark: bool) -> str:
    from stpyvista.trame_backend import _trame_html

    plotter = new_plotter(cell_scene.STILL[0], HEIGHT)
    try:
        plotter.renderer.set_background(BACKGROUNDS[dark])
        place(plotter, scene)
        return _trame_html(plotter)
    finally:
        plotter.close()
