"""A design's cell in stpyvista's viewer. The only module that knows stpyvista (GPL-3.0, see NOTICE).

stpyvista's own export forks the server and waits without a limit, which hangs once the server has drawn a still. Here
the page is exported in a process of its own (`relaxdesign.scene.page`) and handed to stpyvista's component. Until it is
there a still of the same scene is shown; where there is none, the browser draws the scene itself.
"""

from __future__ import annotations

import json
import logging
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

from relaxdesign.scene import Scene
from relaxdesign.scene.page import PageError, export_page
from relaxdesign.ui import server
from relaxdesign.ui.components import cell_scene
from relaxdesign.ui.components.cell_scene import HEIGHT, Look

logger = logging.getLogger(__name__)

KEPT_VIEWS = 24
POLL_MS = 1000
QUIET_MS = 2000

# Has the part of the page that it stands in drawn again, once, when the visitor has not just pressed something: a
# request that overtakes the one for another page would leave that page blank (Streamlit clears what a run of a part
# draws into the page before it).
_again = component(
    "relaxdesign_again",
    js="""
    let last = -Infinity;
    const pressed = () => { last = performance.now(); };
    for (const name of ["pointerdown", "click", "keydown"]) document.addEventListener(name, pressed, true);
    export default function ({ data, setTriggerValue }) {
      const ask = () => {
        const idle = document.querySelector(".stApp")?.dataset.testScriptState === "notRunning";
        if (idle && performance.now() - last > data.quiet) setTriggerValue("asked", data.token);
        else timer = setTimeout(ask, 100);
      };
      let timer = setTimeout(ask, data.after);
      return () => clearTimeout(timer);
    }
    """,
)

_PAGE_SCRIPT = (Path(__file__).parent / "frontend" / "viewer_page.js").read_text()

_Name = tuple[str, bool, Look]


def show(scene: Scene, key: str, look: Look) -> None:
    """Draws a scene to be turned. key: of the cell, look: how the scene shows it."""
    _draw((key, st.context.theme.type == "dark", look), scene)


@st.fragment
def _draw(name: _Name, scene: Scene) -> None:
    """The viewer or, until it is there, a still in its place.

    This part of the page draws itself until the view is there: to redraw the page would lose what is pressed at that
    moment, and a part with a timer would go on for ever.
    """
    view = _exporter().view(name, scene)
    if not view.done():
        with st.container(height=HEIGHT, border=False, horizontal_alignment="center", vertical_alignment="center"):
            cell_scene.still(scene, "The cell, while its 3D view is prepared")
        asked = {"token": time.monotonic(), "after": POLL_MS, "quiet": QUIET_MS}
        _again(data=asked, key=f"again-{name}", on_asked_change=lambda: None)
    elif (page := view.result()) is None:
        cell_scene.show(scene, key=f"view-{name[0]}")
    else:
        _embed(page, f"view-{name}", name[0])


def _embed(page: str, key: str, cell: str) -> None:
    """cell: names the camera, which other looks at the same cell take over."""
    from stpyvista import _stpv_component

    script = f"<script>const CELL = {json.dumps(cell)};\n{_PAGE_SCRIPT}</script></body>"
    page = page.replace("</body>", script)
    data = {"_html": page, "backend": "trame", "height": HEIGHT, "width": 0, "use_container_width": True}
    _stpv_component(key=key, data=data)


class _Exporter:
    """Exports scenes one after the other and keeps the last ones; after a failure no more are tried."""

    def __init__(self) -> None:
        self._failed = False
        self._views: OrderedDict[_Name, Future[str | None]] = OrderedDict()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relaxdesign-view")

    def view(self, name: _Name, scene: Scene) -> Future[str | None]:
        """The scene as HTML, or None where the browser must draw it; asked for again until it is done."""
        if name not in self._views:
            self._views[name] = self._pool.submit(self._export, scene, name[1])
            while len(self._views) > KEPT_VIEWS:
                self._views.popitem(last=False)
        return self._views[name]

    def _export(self, scene: Scene, dark: bool) -> str | None:
        if self._failed or not server.can_render():
            return None
        try:
            return export_page(scene, cell_scene.STILL[0], HEIGHT, dark=dark)
        except PageError as error:
            logger.warning("a 3D view could not be exported (%s); from now on the browser draws them", error)
            self._failed = True
            return None


@st.cache_resource(show_spinner=False)
def _exporter() -> _Exporter:
    return _Exporter()
