"""One design in depth: its cell in 3D, its numbers against the bounds, and its files."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from relaxdesign.catalogue import Material
from relaxdesign.jobs import new_error_id
from relaxdesign.result import Design
from relaxdesign.ui.colours import DISTINCT, MATRIX, PARTICLE
from relaxdesign.ui.components import candidates, viewer
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import NOTE_2D, escape, gpa, percent, significant

logger = logging.getLogger(__name__)


def render(run_id: str, design: Design) -> None:
    """Draws the inspector of a verified design."""
    st.subheader(f"Candidate {design.index + 1}: K = {gpa(design.K.realised)}, {percent(design.error)} off the target")
    picture, numbers = st.columns([1.25, 1], gap="large")
    with picture:
        with guard("the 3D view"):
            viewer.show(design, key=f"{run_id}-{design.index}")
        with guard("the downloads"):
            _downloads(run_id, design)
    with numbers:
        st.markdown(
            f"{_material(MATRIX, 'Matrix', design.matrix)}\n\n{_material(PARTICLE, 'Particles', design.particle)}",
            unsafe_allow_html=True,
        )
        st.caption(
            f"Particles fill {design.volume_fraction:.1%} of the cell, diameter {design.diameter:.3f} of its edge. "
            f"Density {design.density:.4g} g/cm³."
        )
        if design.bounds is not None:
            st.markdown(f"**K between its bounds** :gray[{candidates.bounds_verdict(design)}]")
            st.plotly_chart(
                _bounds_chart(design), key=f"bounds-{run_id}-{design.index}", config={"displayModeBar": False}
            )
        st.markdown("**K at every stage**")
        st.dataframe(
            _stages(design), hide_index=True, key=f"stages-{run_id}-{design.index}",
            column_config={"K, GPa": st.column_config.NumberColumn(format="%.4g")},
        )  # fmt: skip
        st.caption(_proof(design))


def _material(colour: str, role: str, material: Material | None) -> str:
    if material is None:
        return f"{candidates.swatch(colour)} **{role}** –"
    source = f"  \n:small[:gray[Source: {escape(material.source)}]]" if material.source else ""
    return (
        f"{candidates.swatch(colour)} **{role}: {escape(material.name)}** :gray[{escape(material.category)}]  \n"
        f":small[E {significant(material.young)} GPa · ν {material.poisson:.4g} · K {significant(material.bulk)} GPa · "
        f"ρ {material.density:.3g} g/cm³]{source}"
    )


def _stages(design: Design) -> pd.DataFrame:
    rows = []
    for name, title in candidates.STAGES.items():
        value = getattr(design.K, name)
        error = None if value is None else value / design.target_bulk - 1
        rows.append({"Stage": title, "K, GPa": value, "Error": percent(error)})
    return pd.DataFrame(rows)


def _proof(design: Design) -> str:
    parts = []
    if design.spread is not None:
        parts.append(f"Other placements of the same design scatter by ±{significant(design.spread, 2)} GPa.")
    if design.residual is not None:
        parts.append(
            f"The realised cell was solved in double precision: {design.iterations} iterations, "
            f"relative residual {design.residual:.0e}."
        )
    if design.phase.shape[2] == 1:
        parts.append(NOTE_2D)
    return " ".join(parts)


def _bounds_chart(design: Design) -> go.Figure:
    """A bar from Reuss to Voigt, the Hashin–Shtrikman band in it, K and the target on it."""
    bounds, bulk = design.bounds, design.K.realised
    assert bounds is not None and bulk is not None  # verified designs have both
    low, high = float(bounds.reuss), float(bounds.voigt)
    figure = go.Figure()
    for x0, x1, opacity in ((low, high, 0.18), (float(bounds.hs_lower), float(bounds.hs_upper), 0.42)):
        figure.add_shape(
            type="rect", x0=x0, x1=x1, y0=0.32, y1=0.68, fillcolor=DISTINCT[0], opacity=opacity, line_width=0
        )
    figure.add_trace(
        go.Scatter(
            x=[low, float(bounds.hs_lower), float(bounds.hs_upper), high],
            y=[0.5] * 4,
            text=["Reuss", "Hashin–Shtrikman, lower", "Hashin–Shtrikman, upper", "Voigt"],
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 18, "color": DISTINCT[0]},
            hovertemplate="%{text}: %{x:.4g} GPa<extra></extra>",
        )
    )
    for x, name, colour, symbol in (
        (design.target_bulk, "Target", DISTINCT[5], "diamond-tall-open"),
        (bulk, "This cell", DISTINCT[5], "circle"),
    ):
        figure.add_trace(
            go.Scatter(
                x=[x], y=[0.5], mode="markers", marker={"size": 11, "color": colour, "symbol": symbol},
                hovertemplate=f"{name}: %{{x:.4g}} GPa<extra></extra>",
            )
        )  # fmt: skip
    pad = 0.08 * max(high - low, 1e-3 * high)
    left, right = min(low, bulk) - pad, max(high, bulk) + pad
    # At the ends of the chart, not of the bar, which may be short.
    for x, text, anchor in ((0, f"Reuss {significant(low, 3)}", "left"), (1, f"Voigt {significant(high, 3)}", "right")):
        figure.add_annotation(
            x=x, y=1, text=text, xref="paper", xanchor=anchor, yanchor="top", showarrow=False, font_size=12
        )  # fmt: skip
    figure.update_xaxes(range=[left, right], showgrid=False, zeroline=False, fixedrange=True, nticks=6)
    figure.update_yaxes(range=[0, 1], visible=False, fixedrange=True)
    figure.update_layout(height=96, margin={"l": 4, "r": 4, "t": 0, "b": 20}, showlegend=False, dragmode=False)
    return figure


def _downloads(run_id: str, design: Design) -> None:
    flat = design.phase.shape[2] == 1
    columns = st.columns(2)
    size = columns[0].number_input(
        "Cell edge, mm", min_value=0.001, max_value=10000.0, value=1.0, step=None, format="%.4g", key="cell_size_mm",
        persist_state="session", help="Physical edge of the unit cell in the STL and VTK files.",
    )  # fmt: skip
    thickness = None
    if flat:
        thickness = columns[1].number_input(
            "STL thickness, mm", min_value=0.001, max_value=10000.0, value=None, step=None, format="%.4g",
            key="thickness_mm", persist_state="session", placeholder="automatic",
            help="How far the 2D cell is extruded in the STL file.",
        )  # fmt: skip

    def stl() -> bytes:
        from relaxdesign.export import stl_bytes

        return stl_bytes(design, cell_size_mm=size, thickness_mm=thickness)

    def vti() -> bytes:
        from relaxdesign.export import vti_bytes

        return vti_bytes(design, cell_size_mm=size)

    def record() -> str:
        from relaxdesign.export import design_json

        return design_json(design)

    name = f"relaxdesign-{run_id}-{design.index + 1:02d}"
    files = (
        ("STL", stl, f"{name}.stl", "model/stl", "Surface of the particle phase, closed, in mm"),
        ("VTK", vti, f"{name}.vti", "application/xml", "Cell arrays E, nu, rho and phase, for ParaView"),
        ("JSON", record, f"{name}.json", "application/json", "Materials, numbers of every stage, bounds"),
    )
    for column, (label, make, file_name, mime, note) in zip(st.columns(3), files, strict=True):
        column.download_button(
            label, _logged(make), file_name, mime, key=f"download-{label}-{run_id}-{design.index}", help=note,
            icon=":material/download:", on_click="ignore", width="stretch",
        )  # fmt: skip


def _logged(make: Callable[[], bytes | str]) -> Callable[[], bytes | str]:
    """The file's contents when they are asked for; a failure is logged with an id."""

    def make_file() -> bytes | str:
        try:
            return make()
        except Exception as error:
            error_id = new_error_id()
            logger.error("a download failed: error %s", error_id, exc_info=error)
            raise RuntimeError(f"The file could not be written (error id {error_id}).") from None

    return make_file
