"""Cards of finished candidates: what a design is made of and how well it meets the target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from relaxdesign.catalogue import Material
from relaxdesign.result import Design
from relaxdesign.ui.colours import MATRIX, PARTICLE, rgb
from relaxdesign.ui.components.cube import cube_image
from relaxdesign.ui.components.microstructures import picture
from relaxdesign.ui.text import escape, gpa, percent, plain

PER_ROW = 4
PIXELS = 256

STAGES = {
    "relaxed": "Relaxed field",
    "projected": "Two phases",
    "snapped": "Catalogue materials",
    "refined": "Refined",
    "realised": "Realised cell",
}


def gallery(run_id: str, designs: Sequence[Design], *, selected: int | None = None, on_select=None) -> None:
    """Cards in rows. on_select: called with a design's index from its button; None: no buttons."""
    for start in range(0, len(designs), PER_ROW):
        for column, design in zip(st.columns(PER_ROW), designs[start : start + PER_ROW], strict=False):
            with column, st.container(border=True, key=f"card-{run_id}-{design.index}", height="stretch", gap="small"):
                if design.ok:
                    with st.container(height="stretch", gap="small"):
                        _card(design)
                    if on_select is not None:
                        _button(run_id, design, design.index == selected, on_select)
                else:
                    st.markdown(f"**Candidate {design.index + 1}**  \n:gray-badge[:material/block: no design]")
                    st.caption(escape(plain(design.index, design.message) or "It could not be turned into a design."))


def best(designs: Sequence[Design]) -> Design | None:
    """The verified design nearest to its target."""
    verified = [design for design in designs if design.ok]
    return min(verified, key=lambda design: abs(design.error or 0.0), default=None)


def phase_image(design: Design) -> np.ndarray:
    """The realised phases as a picture, particles bright, matrix dark; 3D cells as a cube."""
    assert design.phase is not None  # verified designs have one
    if design.phase.shape[2] > 1:
        return cube_image(design.phase, np.array([rgb(MATRIX), rgb(PARTICLE)]), PIXELS)
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
        row |= {
            "Error, %": None if design.error is None else 100 * design.error,
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


def _card(design: Design) -> None:
    st.image(phase_image(design), width="stretch", alt=f"Phases of candidate {design.index + 1}")
    st.markdown(
        f":gray[{design.index + 1}] **K = {gpa(design.K.realised)}** {error_badge(design.error)}\n\n"
        f":small[{_phase(MATRIX, design.matrix)}]  \n:small[{_phase(PARTICLE, design.particle)}]",
        unsafe_allow_html=True,
    )
    st.caption(
        f"vf {design.volume_fraction:.3f} · d {design.diameter:.3f}  \nρ {design.density:.3g} g/cm³  \n"
        f"{bounds_verdict(design)[:1].upper()}{bounds_verdict(design)[1:]}"
    )
    if design.message:
        st.caption(f":orange[{escape(design.message)}]")


def _phase(colour: str, material: Material | None) -> str:
    if material is None:
        return f"{swatch(colour)} –"
    return f"{swatch(colour)} {escape(material.name)} :gray[{escape(material.category)}]"


def _button(run_id: str, design: Design, selected: bool, on_select) -> None:
    st.button(
        "Shown below" if selected else "Inspect",
        key=f"inspect-{run_id}-{design.index}",
        type="primary" if selected else "secondary",
        icon=":material/arrow_downward:" if selected else ":material/view_in_ar:",
        width="stretch",
        on_click=on_select,
        args=(design.index,),
    )


def _name(material: Material | None) -> str:
    return "" if material is None else material.name
