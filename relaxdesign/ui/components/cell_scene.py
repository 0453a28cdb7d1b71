"""A cell in 3D: how it is looked at, and the scene in a viewer that the browser draws."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from relaxdesign.scene import Cut, Scene
from relaxdesign.scene.browser import describe
from relaxdesign.scene.stills import GL_PACKAGES, studio
from relaxdesign.ui import server
from relaxdesign.ui.colours import cividis
from relaxdesign.ui.components.microstructures import encode
from relaxdesign.ui.text import significant

_FRONTEND = Path(__file__).parent / "frontend"
HEIGHT = 400
STILL = (640, HEIGHT)

TIMES = 2
TILING = {False: "2 × 2 × 2", True: "2 × 2"}
"""How often a cell is repeated on request, in words; by whether it is a 2D cell."""

_component = component(
    "relaxdesign_cell_view",
    html='<div class="cell-view"></div>',
    css=(_FRONTEND / "cell_view.css").read_text(),
    js="\n".join((_FRONTEND / f"{name}.js").read_text() for name in ("scene", "cell_view")),
)


@dataclass(frozen=True)
class Look:
    """How a cell is looked at: what is left of it, how opaque each phase is, and how often it is repeated."""

    cut: Cut
    opacities: tuple[float, ...]
    times: int = 1


def choose_look(flat: bool, names: Sequence[str], void: int | None = None) -> Look:
    """Cuts, opacities and repetition, the same for every cell; a 2D cell keeps its thickness.

    names: of the phases. void: which of them is one, if any: it is not seen unless that is asked for.
    """
    with st.popover("Cut and opacity" if names else "Cut", icon=":material/content_cut:"):
        shares = {
            axis: st.slider(f"Cut along {axis}", 0.1, 1.0, 1.0, 0.05, key=f"cut-{axis}", persist_state="session")
            for axis in ("xy" if flat else "xyz")
        }
        usual = [1.0] * len(names) if void is not None else [0.2, *[1.0] * (len(names) - 1)]
        opacities = tuple(
            st.slider(
                f"Opacity: {name}", 0.0, 1.0, 0.0 if phase == void else usual[phase], 0.05,
                key=f"opacity-{phase}" if void is None else f"opacity-{phase}-of-{void}", persist_state="session",
            )
            for phase, name in enumerate(names)
        )  # fmt: skip
    tiled = st.toggle(
        f"Tile {TILING[flat]}", key="tiled", persist_state="session",
        help="The cell is periodic: repeated, it shows the material that is made of it.",
    )  # fmt: skip
    return Look(Cut(**shares), opacities, TIMES if tiled else 1)


@dataclass(frozen=True, eq=False)
class Scalar:
    """A field to paint on a cell: values (nx, ny, nz), or those of a part of it, finite; title with its unit."""

    values: np.ndarray
    title: str

    @property
    def limits(self) -> tuple[float, float]:
        """Where the colours begin and end: the 0.5 and 99.5 % quantiles, so that single voxels do not take all."""
        low, high = np.quantile(self.values, (0.005, 0.995))
        return float(low), float(high) if high > low else float(low) + max(abs(float(low)), 1.0) * 1e-6

    def paint(self, values: np.ndarray) -> np.ndarray:
        """Colours of values, uint8 (…, 3)."""
        low, high = self.limits
        return cividis()[np.round(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)]

    def legend(self) -> dict:
        """Its colour scale for the browser."""
        low, high = self.limits
        ticks = [(t, significant(low + t * (high - low), 3)) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
        return {"title": self.title, "ticks": ticks, "palette": encode(cividis())}


def show(scene: Scene, *, key: str, scalar: Scalar | None = None, label: str = "Cell in 3D") -> None:
    """Draws a scene that can be turned; as a still where the browser cannot.

    key: scenes of the same key share their camera. scalar: whose colours the scale explains. label: for screen readers.
    """
    told = st.session_state.get(key) or {}
    if server.vtk_address() is None or not dict(told).get("webgl", True):
        still(scene, label)
        return
    payload = {
        "key": key,
        "scene": describe(scene),
        "vtk": server.vtk_address(),
        "scale": None if scalar is None else scalar.legend(),
        "height": HEIGHT,
        "label": label,
    }
    payload["token"] = hashlib.sha1(repr(payload).encode(), usedforsecurity=False).hexdigest()
    _component(data=payload, key=key, default={"webgl": True}, on_webgl_change=lambda: None)


def still(scene: Scene, label: str) -> None:
    """Draws a scene as a picture, or says what is missing for it."""
    if not server.can_render():
        st.info(
            "3D views need WebGL in the browser, or graphics libraries on the server "
            f"(Debian: apt-get install {GL_PACKAGES}). Numbers and files are not affected.",
            icon=":material/view_in_ar:",
        )
        return
    st.image(studio().picture(scene, *STILL), width=STILL[0], alt=label)
