"""One design in depth: its cell, fields, stiffness and correlations, its numbers against the bounds, and its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from relaxdesign.export import DesignExport, ExportOptions
from relaxdesign.export.cell import made_text
from relaxdesign.export.report import filling
from relaxdesign.materials.catalogue import Material
from relaxdesign.materials.substances import substances
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.result import Design
from relaxdesign.study.stiffness import stiffness_error
from relaxdesign.ui import units
from relaxdesign.ui.colours import DISTINCT, ModulusScale, phases_of
from relaxdesign.ui.components import (
    candidates,
    cell_views,
    comparison,
    design_files,
    from_shape,
    in_short,
    local_fields,
    pictures,
)
from relaxdesign.ui.components.cell_views import ViewedCell
from relaxdesign.ui.components.directions import Directions
from relaxdesign.ui.components.overview import COMPARE, INSPECTED_AS
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import MET, NOTE_2D, escape, missed, off, percent, significant, symbol

VIEWS = ("Overview", "Local fields", "Stiffness", "Correlation")


@dataclass(frozen=True)
class Comparison:
    """Designs that are looked at side by side, as one more view. draw: draws them."""

    count: int
    draw: Callable[[], None]


def render(run_id: str, design: Design, scale: ModulusScale | None = None, compared: Comparison | None = None) -> None:
    """Draws the inspector of a verified design. scale: of its colours. compared: none where nothing is marked."""
    st.subheader(f"Candidate {design.index + 1}: {_title(design)}")
    with guard("the downloads"):
        design_files.dock(run_id, design)
    key = f"{run_id}-{design.index}"
    with guard("the inspector"):
        export = DesignExport(design)
        cell = replace(
            ViewedCell.of(export.cell),
            colours=phases_of(design.materials, scale),
            coated=pictures.coated(design),
            exact=pictures.exact(design),
        )
        view = _view(compared)
        if compared is not None and view == COMPARE:
            compared.draw()
        elif view == "Overview":
            _overview(design, cell, key, scale)
        elif view == "Local fields":
            local_fields.render(cell, key)
        elif view == "Stiffness":
            effective = cell_views.evaluation(cell)
            if effective is not None:
                cell_views.stiffness(effective, key)
        else:
            cell_views.correlation(cell, key)


def _view(compared: Comparison | None) -> str:
    """The view that is chosen. What was compared and no longer is gives way to the first one."""
    views = VIEWS if compared is None else (*VIEWS, COMPARE)
    if st.session_state.get(INSPECTED_AS) not in (None, *views):
        del st.session_state[INSPECTED_AS]

    def name(view: str) -> str:
        return f"{view} ({compared.count})" if compared is not None and view == COMPARE else view

    return st.segmented_control(
        "View", views, default=VIEWS[0], required=True, key=INSPECTED_AS, persist_state="session",
        label_visibility="collapsed", format_func=name,
    )  # fmt: skip


def _title(design: Design) -> str:
    """What the cell has of every target and how far off it is."""
    reached, one = candidates.outcome(design), candidates.entries(design)
    if not reached:
        return f"K = {units.told(design, 'K')}"
    if len(reached) == 1:
        target, value = reached[0]
        miss = missed(target, value)
        how = "as wanted" if miss == MET else f"{miss} off the target"
        return f"{symbol(target.quantity)} = {units.told(design, target.quantity)}, {how}"
    told = [
        f"{symbol(o.quantity)} = {units.told(design, o.quantity)} ({missed(o, v)})"
        for o, v in reached
        if o.quantity not in one
    ]
    whole = [f"stiffness {off(design.stiffness_error)} off the target"] if one and design.stiffness_error else []
    return ", ".join(whole + told)


def _overview(design: Design, cell: ViewedCell, key: str, scale: ModulusScale | None) -> None:
    """The cell, what it is made of and how, where it lies between its bounds, and how its numbers came about."""
    with st.container(horizontal=True, gap="medium", key="overview"):
        with st.container(key="overview-picture"), guard("the 3D view"):
            cell_views.picture(cell, key, exported=True)
        with st.container(key="overview-numbers"):
            _facts(design, scale)
    if design.bounds is not None:
        st.markdown(
            f"**K between its bounds** :gray[{candidates.bounds_verdict(design)}]", help=candidates.about_bounds(design)
        )
        st.plotly_chart(
            _bounds_chart(design), key=f"bounds-{key}", config={"displayModeBar": False},
            alt=f"The bulk modulus of this cell is {candidates.bounds_verdict(design)}",
        )  # fmt: skip
    wanted = Directions.of(design.objectives, design.cell.dim)
    if wanted is not None and design.stiffness is not None:
        st.markdown(f"**{wanted.title}**")
        st.plotly_chart(
            wanted.figure(design.stiffness), key=f"directions-{key}", config={"displayModeBar": False},
            alt="Young's modulus by direction, wanted and of this cell",
        )  # fmt: skip
    from_shape.show(design, scale)
    st.markdown("**Every stage**")
    st.table(_stages(design))
    st.caption(_proof(design))


def _facts(design: Design, scale: ModulusScale | None) -> None:
    st.markdown(
        "\n\n".join(_material(*phase) for phase in candidates.phases(design, scale)),
        unsafe_allow_html=True,
    )
    edge = st.session_state.get("cell_size_mm", ExportOptions().cell_size_mm)
    st.caption(f"{filling(design, edge)}.")
    if told := _told(design):
        st.caption(told)
    if made := _made(design, edge):
        st.markdown("**How it is made**")
        st.caption(made)


def _told(design: Design) -> str:
    """What is known beside moduli, prices and fractions, which are told elsewhere."""
    elsewhere = ("elasticity", "price", "solid")
    known = (design.properties or design.stages["realised"]).items()
    beside = {name: value for name, value in known if QUANTITIES[name].physics not in elsewhere}
    return " · ".join(f"{name} {text}" for name, text in units.in_words(beside))


def _made(design: Design, edge_mm: float) -> str:
    """The process, what it costs and what is dangerous about the materials, as far as that is known."""
    parts = [escape(made)] if (made := made_text(design, edge_mm)) else []
    cost, volume = design.value("price"), design.value("price_per_litre")
    if cost is not None and volume is not None:
        unit = in_short.money([design])
        price, per_litre = (f"{significant(value, 2)}{unit}" for value in (cost, volume))
        parts.append(f"Materials cost about {price} per kg, {per_litre} per litre.")
    for material in design.materials:
        substance = substances().get(material.substance)
        if substance is not None and substance.hazards:
            parts.append(escape(f"{substance.name[:1].upper()}{substance.name[1:]}: {substance.hazards}."))
    return "  \n".join(parts)


def _material(colour: str, role: str, material: Material) -> str:
    source = f"  \n:small[:gray[Source: {comparison.source(material)}]]" if material.source else ""
    return (
        f"{pictures.swatch(colour)} **{role}: {escape(material.name)}** :gray[{escape(material.sort)}]  \n"
        f":small[{_numbers(material)}]{source}"
    )


def _numbers(material: Material) -> str:
    if material.void:
        return "no stiffness, no weight"
    young, bulk = (units.text(modulus, "GPa") for modulus in (material.young, material.bulk))
    density = units.text(material.density, "g/cm³", 3)
    return f"E {young} · ν {material.poisson:.4g} · K {bulk} · density {density}"


def _stages(design: Design) -> pd.DataFrame:
    """K and the quantities of the targets at every stage, with the worst miss where all are known.

    Of a whole stiffness its error relative to the norm.
    """
    one = candidates.entries(design)
    names = [name for name in dict.fromkeys(["K", *design.misses]) if name not in one]
    rows = []
    for stage, title in candidates.STAGES.items():
        values = design.stages.get(stage, {})
        misses = design.misses_at(stage)
        worst = percent(max(misses.values(), key=abs, default=None) if misses.keys() == design.misses.keys() else None)
        rows.append({"Stage": title, **_shown(design, names, values), "Error": worst})
    for title, known in (("On twice the grid", design.verified), ("Its voxels", design.voxels)):
        if known:
            rows.append({"Stage": title, **_shown(design, names, known)})
    return pd.DataFrame(rows).set_index("Stage")


def _shown(design: Design, names: list[str], values: dict[str, float]) -> dict[str, str]:
    shown = {units.heading(name): _value(name, values.get(name)) for name in names}
    if candidates.entries(design):
        error = stiffness_error(design.objectives, values)
        shown["Stiffness"] = "–" if error is None else f"{off(error)} off"
    return shown


def _value(name: str, value: float | None) -> str:
    shown = units.converted(value, QUANTITIES[name].unit)
    return "–" if shown is None else significant(shown, 4)


def _proof(design: Design) -> str:
    parts = [f"{name}: {design.trust[name].words}." for name in candidates.known(design)]
    if design.if_off and not candidates.entries(design):
        parts.append(f"{design.if_off}.")
    if design.spread is not None and not design.trust:
        parts.append(f"Other placements of the same design scatter by ±{units.text(design.spread, 'GPa', 2)}.")
    if design.residual is not None:
        parts.append(
            f"The realised cell was solved in double precision: {design.iterations} iterations, "
            f"relative residual {design.residual:.0e}."
        )
    if design.trust:
        parts.append(
            "Its values are the limit of fine grids, from composite voxels on its grid and on one twice as fine; the "
            "exported voxels, each of one material, come to those in the last row."
        )
    if design.cell.dim == 2:
        parts.append(NOTE_2D)
    return " ".join(parts)


def _bounds_chart(design: Design) -> go.Figure:
    """A bar from Reuss to Voigt, the Hashin–Shtrikman band in it, K and the target on it, in the unit shown."""
    bounds, bulk = design.bounds, design.at("realised", "K")
    assert bounds is not None and bulk is not None  # verified designs have both
    unit, times = units.shown("GPa")
    low, inner, outer, high = (
        float(end) * times for end in (bounds.reuss, bounds.hs_lower, bounds.hs_upper, bounds.voigt)
    )
    figure = go.Figure()
    for x0, x1, opacity in ((low, high, 0.18), (inner, outer, 0.42)):
        figure.add_shape(
            type="rect", x0=x0, x1=x1, y0=0.32, y1=0.68, fillcolor=DISTINCT[0], opacity=opacity, line_width=0
        )
    figure.add_trace(
        go.Scatter(
            x=[low, inner, outer, high],
            y=[0.5] * 4,
            text=["Reuss", "Hashin–Shtrikman, lower", "Hashin–Shtrikman, upper", "Voigt"],
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 18, "color": DISTINCT[0]},
            hovertemplate=f"%{{text}}: %{{x:.4g}} {unit}<extra></extra>",
        )
    )
    for value, name, colour, marker in (
        (design.wanted("K"), "Target", DISTINCT[5], "diamond-tall-open"),
        (bulk, "This cell", DISTINCT[5], "circle"),
    ):
        if value is None:
            continue
        figure.add_trace(
            go.Scatter(
                x=[value * times], y=[0.5], mode="markers", marker={"size": 11, "color": colour, "symbol": marker},
                hovertemplate=f"{name}: %{{x:.4g}} {unit}<extra></extra>",
            )
        )  # fmt: skip
    pad = 0.08 * max(high - low, 1e-3 * high)
    left, right = min(low, bulk * times) - pad, max(high, bulk * times) + pad
    # At the ends of the chart, not of the bar, which may be short.
    for x, text, anchor in ((0, f"Reuss {significant(low, 3)}", "left"), (1, f"Voigt {significant(high, 3)}", "right")):
        figure.add_annotation(
            x=x, y=1, text=text, xref="paper", xanchor=anchor, yanchor="top", showarrow=False, font_size=12
        )  # fmt: skip
    figure.update_xaxes(range=[left, right], showgrid=False, zeroline=False, fixedrange=True, nticks=6)
    figure.update_yaxes(range=[0, 1], visible=False, fixedrange=True)
    figure.update_layout(height=96, margin={"l": 4, "r": 4, "t": 0, "b": 20}, showlegend=False, dragmode=False)
    return figure
