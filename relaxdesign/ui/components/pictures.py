"""Pictures of the phases of a design, the squares that name them, and the scale that they are coloured by."""

from __future__ import annotations

import io

import numpy as np
import streamlit as st
from PIL import Image

from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import has_layers
from relaxdesign.scene import Exact, phase_scene
from relaxdesign.scene.palette import VOID
from relaxdesign.scene.scenes import CORE
from relaxdesign.scene.stills import studio
from relaxdesign.study.result import Design
from relaxdesign.ui import server, units
from relaxdesign.ui.colours import ModulusScale, phases_of, rgb
from relaxdesign.ui.components.microstructures import picture
from relaxdesign.ui.text import significant

PIXELS = 256
_RIM = "#8894A6"  # between phases, so that those of the same stiffness are still told apart


def phase_image(design: Design, scale: ModulusScale | None = None) -> np.ndarray:
    """The realised phases as a picture, RGBA, through whose voids the page is seen; 3D cells in perspective.

    Where this machine cannot render, the plane through their middle stands for them. scale: see `phases_of`.
    """
    cell = design.cell
    colours = phases_of(cell.materials, scale)
    if cell.dim == 3 and server.can_render():
        return studio().picture(
            phase_scene(cell.labels, colours, void=cell.void, coated=coated(design), exact=exact(design)),
            PIXELS,
            PIXELS,
        )
    labels = picture(cell.labels)
    labels = np.kron(labels, np.ones((max(1, PIXELS // labels.shape[0]),) * 2, labels.dtype))
    palette = np.array([(*rgb(c), 0 if i == cell.void else 255) for i, c in enumerate(colours)], np.uint8)
    shown = palette[labels]
    if scale is not None and cell.void is None:
        shown[_rims(labels)] = (*rgb(_RIM), 255)
    return shown


def exact(design: Design) -> Exact | None:
    """What its inclusions are, where that is known."""
    return Exact.of(design.family, design.geometry)


def coated(design: Design) -> bool:
    """Whether its second phase lies around its third."""
    return has_layers(FAMILIES[design.family]) and len(design.materials) == CORE + 1


def _rims(labels: np.ndarray) -> np.ndarray:
    """The pixels whose neighbour below or to the right has another phase; the picture is periodic."""
    return (labels != np.roll(labels, -1, 0)) | (labels != np.roll(labels, -1, 1))


@st.cache_data(show_spinner=False, max_entries=500)
def encoded(key: str, scale: tuple[float, float] | None, _design: Design) -> bytes:
    """`phase_image` as PNG. It is kept by the first two: pages are redrawn at every click."""
    buffer = io.BytesIO()
    Image.fromarray(phase_image(_design, None if scale is None else ModulusScale(*scale))).save(buffer, "PNG")
    return buffer.getvalue()


def show(design: Design, key: str, scale: ModulusScale | None) -> None:
    """Draws the picture of a design. key: of the design."""
    ends = None if scale is None else (scale.low, scale.high)
    st.image(encoded(key, ends, design), width="stretch", alt=f"Phases of candidate {design.index + 1}")


def swatch(colour: str) -> str:
    """A small square in the colour of a phase, as HTML; of a void an empty one."""
    square = "□" if colour == VOID else "■"
    return f'<span aria-hidden="true" style="color:{colour};-webkit-text-stroke:0.5px #8894a6">{square}</span>'


def legend(scale: ModulusScale) -> None:
    """The colours of phases with Young's moduli at the ends and in the middle."""
    unit, times = units.shown("GPa")
    stops = ",".join(f"rgb({r},{g},{b})" for r, g, b in scale.colours[np.linspace(0, 255, 9).astype(int)])
    middle = float(np.sqrt(scale.low * scale.high))
    marks = "".join(
        f"<span>{sign}{significant(modulus * times, 2)}</span>"
        for sign, modulus in (("≤ ", scale.low), ("", middle), ("≥ ", scale.high))
    )
    st.html(
        f'<div class="stiffness-scale"><span>Stiffness of the phases, E in {unit}</span>'
        f'<div><div class="ramp" style="background:linear-gradient(90deg,{stops})"></div>'
        f'<div class="marks">{marks}</div></div></div>'
    )
