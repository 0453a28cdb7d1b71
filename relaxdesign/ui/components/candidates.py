"""Cards of finished candidates: what a design is made of and how well it meets the target."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from relaxdesign import pareto
from relaxdesign.catalogue import Material
from relaxdesign.quantities import format_value
from relaxdesign.result import Design
from relaxdesign.scene import phase_scene
from relaxdesign.scene.stills import studio
from relaxdesign.ui import server
from relaxdesign.ui.colours import MATRIX, PARTICLE, rgb
from relaxdesign.ui.components.microstructures import picture
from relaxdesign.ui.text import escape, gpa, percent, plain

CARD_WIDTH = 184
PIXELS = 256

STAGES = {
    "relaxed": "Relaxed field",
    "projected": "Two phases",
    "snapped": "Catalogue materials",
    "refined": "Refined",
    "realised": "Realised cell",
}


@dataclass(frozen=True)
class Choices:
    """What a card's buttons do. shown: the design inspected below. marked: those that are compared."""

    shown: int | None
    marked: Collection[int]
    show: Callable[[int], None]
    mark: Callable[[int], None]


def gallery(run_id: str, designs: Sequence[Design], choices: Choices | None = None) -> None:
    """Cards side by side, as many in a row as fit. choices: None: cards without buttons."""
    trade_offs = {design.index for design in pareto.trade_offs(designs)}
    with st.container(horizontal=True, gap="small"):
        for design in designs:
            key = f"card-{run_id}-{design.index}"
            with st.container(border=True, key=key, width=CARD_WIDTH, height="stretch", gap="small"):
                if design.ok:
                    with st.container(height="stretch", gap="small"):
                        _card(key, design, trade_off=design.index in trade_offs)
                    if choices is not None:
                        _buttons(run_id, design, choices)
                else:
                    st.markdown(f"**Candidate {design.index + 1}**  \n:gray-badge[:material/block: no design]")
                    st.caption(escape(plain(design.index, design.message) or "It could not be turned into a design."))


def best(designs: Sequence[Design]) -> Design | None:
    """The verified design nearest to its target."""
    verified = [design for design in designs if design.ok]
    return min(verified, key=lambda design: abs(design.error or 0.0), default=None)


def headline(design: Design) -> str:
    """What was asked for, as the realised cell has it: the quantity of every target with its miss."""
    reached, misses = design.stages.get("realised", {}), design.misses
    if not misses:
        return f"**K = {gpa(design.K.realised)}** {error_badge(design.error)}"
    return "  \n".join(
        f"**{name} = {escape(format_value(name, reached[name]))}** {error_badge(miss)}" for name, miss in misses.items()
    )


def phase_image(design: Design) -> np.ndarray:
    """The realised phases as a picture, particles bright, matrix dark; 3D cells in perspective.

    Where this machine cannot render, the plane through their middle stands for them.
    """
    assert design.phase is not None  # verified designs have one
    if design.phase.shape[2] > 1 and server.can_render():
        return studio().picture(phase_scene(design.phase, (MATRIX, PARTICLE)), PIXELS, PIXELS)
    labels = picture(design.phase)
    labels = np.kron(labels, np.ones((max(1, PIXELS // labels.shape[0]),) * 2, labels.dtype))
    return np.where(labels[..., None] == 1, rgb(PARTICLE), rgb(MATRIX))


def swatch(colour: str) -> str:
    return f'<span style="color:{colour};-webkit-text-stroke:0.5px #8894a6">■</span>'


def error_badge(error: float | None) -> str:
    """The error in words and colour: green within 1 %, orange within 5 %."""
    colour = "gray" if error is None else "green" if abs(error) <= 0.01 else "orange" if abs(error) <= 0.05 else "red"
    return f":{colour}-badge[{percent(error)}]"


def bounds_verdict(design: Design) -> str:
    """Where the realised K lies between the bounds, in words."""
    bounds, bulk = design.bounds, design.K.realised
    if bounds is None or bulk is None:
        return "no bounds"
    if not bounds.admits(bulk):
        return "outside the Voigt–Reuss bounds"
    slack = 1e-6 * bulk
    inside = bounds.hs_lower - slack <= bulk <= bounds.hs_upper + slack
    return "within the Hashin–Shtrikman bounds" if inside else "within the Voigt–Reuss bounds"


def stage_table(designs: Sequence[Design]) -> pd.DataFrame:
    """One row per candidate with the bulk modulus of every stage."""
    rows = []
    for design in designs:
        row = {"Candidate": design.index + 1}
        row |= {title: getattr(design.K, name) for name, title in STAGES.items()}
        reached = design.stages.get("realised", {})
        row |= {f"{name}, realised": reached.get(name) for name in design.misses if name != "K"}
        row |= {
            "Error, %": None if design.error is None else round(100 * design.error, 2) + 0.0,  # no minus before 0.00
            "Spread, GPa": design.spread,
            "Density, g/cm³": design.density,
            "vf": design.volume_fraction,
            "d": design.diameter,
            "Matrix": _name(design.matrix),
            "Particles": _name(design.particle),
            "Remark": design.message,
        }
        rows.append(row)
    return pd.DataFrame(rows)


STAGE_COLUMNS = {
    **{title: st.column_config.NumberColumn(title, format="%.4g", help="K in GPa") for title in STAGES.values()},
    "Error, %": st.column_config.NumberColumn(format="%+.2f", help="Of the realised cell, against the target"),
    "Spread, GPa": st.column_config.NumberColumn(
        format="%.2g", help="Standard deviation of K over random placements of the same design"
    ),
    "Density, g/cm³": st.column_config.NumberColumn(format="%.3f"),
    "vf": st.column_config.NumberColumn(format="%.3f", help="Volume fraction of the particles"),
    "d": st.column_config.NumberColumn(format="%.3f", help="Particle diameter, fraction of the cell edge"),
}


@st.cache_data(show_spinner=False, max_entries=500)
def _encoded(key: str, _design: Design) -> bytes:
    # Kept by the card's key: galleries are redrawn at every click.
    buffer = io.BytesIO()
    Image.fromarray(phase_image(_design).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _card(key: str, design: Design, *, trade_off: bool) -> None:
    st.image(_encoded(key, design), width="stretch", alt=f"Phases of candidate {design.index + 1}")
    st.markdown(
        f":gray[{design.index + 1}] {headline(design)}\n\n"
        f":small[{_phase(MATRIX, design.matrix)}]  \n:small[{_phase(PARTICLE, design.particle)}]",
        unsafe_allow_html=True,
    )
    st.caption(
        f"vf {design.volume_fraction:.3f} · d {design.diameter:.3f}  \nρ {design.density:.3g} g/cm³  \n"
        f"{bounds_verdict(design)[:1].upper()}{bounds_verdict(design)[1:]}"
    )
    if trade_off:
        st.caption(":violet-badge[on the Pareto front]", help="No other candidate betters it in every objective.")
    if design.message:
        st.caption(f":orange[{escape(design.message)}]")


def _phase(colour: str, material: Material | None) -> str:
    if material is None:
        return f"{swatch(colour)} –"
    return f"{swatch(colour)} {escape(material.name)} :gray[{escape(material.category)}]"


def _buttons(run_id: str, design: Design, choices: Choices) -> None:
    shown, marked = design.index == choices.shown, design.index in choices.marked
    st.button(
        "Shown below" if shown else "Inspect",
        key=f"inspect-{run_id}-{design.index}",
        type="primary" if shown else "secondary",
        icon=":material/arrow_downward:" if shown else ":material/view_in_ar:",
        width="stretch",
        on_click=choices.show,
        args=(design.index,),
    )
    st.button(
        "Compared" if marked else "Compare",
        key=f"compare-{run_id}-{design.index}",
        type="tertiary",
        icon=":material/check_box:" if marked else ":material/check_box_outline_blank:",
        width="stretch",
        on_click=choices.mark,
        args=(design.index,),
    )


def _name(material: Material | None) -> str:
    return "" if material is None else material.name
