"""Several objectives at once: a map of what composites can have, and compromises to take where they conflict."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.together import Compromise, Together, in_words
from relaxdesign.ui import server
from relaxdesign.ui.components import ashby, objectives
from relaxdesign.ui.components.ashby import Interval
from relaxdesign.ui.text import escape

BINS = 72
"""Of the map along each axis."""
_BLUES = ((0.0, "rgba(31, 119, 180, 0.12)"), (1.0, "rgba(31, 119, 180, 0.75)"))
_GREENS = ((0.0, "rgba(0, 140, 90, 0.45)"), (1.0, "rgba(0, 140, 90, 0.95)"))


def conflict(request: DesignRequest) -> None:
    """Says so where no composite comes near to all targets, and offers what can be had instead."""
    found = server.together(request)
    if found is None or not found.conflict:
        return
    with st.container(border=True, key="conflict"):
        st.markdown(":material/balance: **Hardly to be had together**")
        st.caption("By estimate each target can be reached, but no pair on offer comes near to all. Take instead:")
        for number, compromise in enumerate(found.compromises):
            st.button(
                title(compromise), key=f"take-{number}", on_click=objectives.take, args=(compromise.values,),
                width="stretch", help=f"{escape(compromise.inclusions.name)} in {escape(compromise.matrix.name)}",
            )  # fmt: skip
            st.caption(escape(in_words(compromise, found.targets)))


def title(compromise: Compromise) -> str:
    """What a compromise keeps to."""
    return f"Keep {compromise.kept}" if compromise.kept else "Nearest to all"


def chart(found: Together) -> None:
    """The map of two of the quantities asked for, with what is wanted and the compromises, which can be pressed."""
    names = list(dict.fromkeys(objective.quantity for objective in found.objectives))
    x, y = names[:2]
    if len(names) > 2:
        left, right = st.columns(2)
        x = left.selectbox("Across", names, format_func=objectives.label, key="map-x")
        rest = [name for name in names if name != x]
        y = right.selectbox("Upwards", rest, format_func=objectives.label, key="map-y")

    def choose() -> None:
        for point in st.session_state["map"]["selection"]["points"]:
            if "customdata" in point:
                objectives.take(found.compromises[int(np.ravel(point["customdata"])[0])].values)

    wanted = objectives.intervals()
    st.plotly_chart(
        figure(found, x, y, wanted), key="map", on_select=choose, selection_mode="points",
        config={"displayModeBar": False}, alt=f"What composites on offer have of {x} and {y} at once, by estimate",
    )  # fmt: skip
    others = [name for name in names if name not in (x, y) and name in wanted]
    told = f"Green: those near to the other targets ({', '.join(others)}), too. " if others else ""
    st.caption(
        "What pairs of the materials on offer can have at once, by estimate; the fuller the colour, the more pairs. "
        f"{told}Orange: what is wanted. A diamond is the nearest that can be had: press it to take its values."
    )


def figure(found: Together, x: str, y: str, wanted: dict[str, Interval]) -> go.Figure:
    """The map; wanted: (at least, at most) by quantity."""
    (across, upwards), near = found.cloud(x, y)
    edges = [_edges(name, values, wanted.get(name)) for name, values in ((x, across), (y, upwards))]
    figure = go.Figure()
    layers = [(np.ones_like(near), _BLUES)] if near.all() else [(np.ones_like(near), _BLUES), (near, _GREENS)]
    for mask, colours in layers:
        count = np.histogram2d(across[mask], upwards[mask], edges)[0].T
        figure.add_trace(
            go.Heatmap(
                x=edges[0], y=edges[1], z=np.where(count > 0, np.log10(np.maximum(count, 1)), np.nan),
                colorscale=colours, zmin=0, showscale=False, hoverinfo="skip",
            )
        )  # fmt: skip
    figure.update_xaxes(_axis(x, edges[0]))
    figure.update_yaxes(_axis(y, edges[1]))
    if x in wanted:
        ashby.mark(figure, "x", wanted[x], _span(edges[0]), x, linear=not _logarithmic(x, edges[0]))
    if y in wanted:
        ashby.mark(figure, "y", wanted[y], _span(edges[1]), y, linear=not _logarithmic(y, edges[1]))
    _diamonds(figure, found, x, y)
    figure.update_layout(height=400, margin={"l": 0, "r": 0, "t": 24, "b": 0}, showlegend=False, dragmode=False)
    return figure


def _edges(name: str, values: np.ndarray, wanted: Interval | None) -> np.ndarray:
    """Of the bins, equal in the quantity's coordinate where that is a logarithm; what is wanted lies within."""
    values = np.concatenate([values, [end for end in wanted or () if end is not None]])
    if _logarithmic(name, values):
        return np.geomspace(0.8 * values.min(), 1.25 * values.max(), BINS + 1)
    pad = 0.04 * (float(np.ptp(values)) or 1.0)
    return np.linspace(values.min() - pad, values.max() + pad, BINS + 1)


def _axis(name: str, edges: np.ndarray) -> dict:
    by = ashby.logarithmic(_span(edges), 10) if _logarithmic(name, edges) else {"range": _span(edges)}
    return by | {"title": QUANTITIES[name].heading, "showgrid": False, "zeroline": False, "fixedrange": True}


def _span(edges: np.ndarray) -> tuple[float, float]:
    return float(edges[0]), float(edges[-1])


def _logarithmic(name: str, values: np.ndarray) -> bool:
    return QUANTITIES[name].kind == "logarithm" and float(values.min()) > 0


def _diamonds(figure: go.Figure, found: Together, x: str, y: str) -> None:
    of = found.compromises
    figure.add_trace(
        go.Scatter(
            x=[c.values[x] for c in of], y=[c.values[y] for c in of], customdata=list(range(len(of))), mode="markers",
            marker={"symbol": "diamond", "size": 13, "color": "white", "line": {"width": 2.5, "color": "#1B2A41"}},
            text=[f"{title(c)}: {c.inclusions.name} in {c.matrix.name}".replace("<", "‹") for c in of],
            hovertemplate=f"%{{text}}<br>{x} = %{{x:.4g}}, {y} = %{{y:.4g}}<extra></extra>",
        )
    )  # fmt: skip
