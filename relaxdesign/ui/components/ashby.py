"""Charts of the catalogue by bulk modulus, with the reachable band and the target: a slim one, and one over density."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from relaxdesign.catalogue import Catalogue, Material
from relaxdesign.ui.colours import DISTINCT
from relaxdesign.ui.text import gpa

# Plotly's own symbols, so that categories differ by more than colour.
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "x", "hexagon")

# Bars of the slim chart.
BINS = 48


def strip(
    offered: Catalogue,
    everything: Catalogue,
    limits: tuple[float, float],
    reachable: tuple[float, float],
    target: float,
) -> go.Figure:
    """How many materials lie where, under the target's slider; the axis runs from limits[0] to limits[1] as that does.

    The full cloud has its own chart on the first page.
    """
    edges = np.geomspace(*limits, BINS + 1)
    counts = [np.histogram([material.bulk for material in c.materials], edges)[0] for c in (offered, everything)]
    middles, widths = np.sqrt(edges[1:] * edges[:-1]), np.diff(edges)
    figure = go.Figure()
    _band(figure, reachable)
    for count, colour, opacity in ((counts[0], DISTINCT[0], 0.8), (counts[1] - counts[0], "#7A8699", 0.3)):
        figure.add_trace(
            go.Bar(
                x=middles, y=count, width=widths, marker={"color": colour, "opacity": opacity},
                hovertemplate="%{y} materials near K = %{x:.3g} GPa<extra></extra>",
            )
        )  # fmt: skip
    figure.add_vline(x=target, line_width=2, line_color=DISTINCT[5])
    # The slider's thumb stops half its width from the ends.
    pad = 0.012 * math.log10(limits[1] / limits[0])
    figure.update_xaxes(
        type="log",
        range=[math.log10(limits[0]) - pad, math.log10(limits[1]) + pad],
        showgrid=False,
        zeroline=False,
        title=None,
        dtick=1,
        fixedrange=True,
    )
    figure.update_yaxes(visible=False, fixedrange=True)
    figure.update_layout(
        height=84, margin={"l": 2, "r": 2, "t": 4, "b": 24}, showlegend=False, dragmode=False, barmode="stack", bargap=0
    )
    return figure


def chart(
    offered: Catalogue,
    everything: Catalogue,
    limits: tuple[float, float],
    reachable: tuple[float, float],
    target: float | None,
) -> go.Figure:
    """The full chart: one symbol and colour per category, names under the pointer. target: GPa, if K has one."""
    used = {material.id for material in offered.materials}
    figure = go.Figure()
    _band(figure, reachable)
    for number, category in enumerate(everything.categories):
        members = [m for m in everything.materials if m.category == category and m.id in used]
        if not members:
            continue
        colour, symbol = DISTINCT[number % len(DISTINCT)], SYMBOLS[(number // len(DISTINCT)) % len(SYMBOLS)]
        figure.add_trace(_cloud(members, colour, 0.85, size=8, name=category.capitalize(), symbol=symbol))
    if target is not None:
        figure.add_vline(x=target, line_width=2, line_color=DISTINCT[5])
        figure.add_annotation(
            x=math.log10(target), y=1, yref="paper", text=f"target {gpa(target)} ", xanchor="right", yanchor="top",
            showarrow=False, font_color=DISTINCT[5],
        )  # fmt: skip
    span = [math.log10(limit * margin) for limit, margin in zip(limits, (0.7, 1.4), strict=True)]
    figure.update_xaxes(type="log", range=span, title="Bulk modulus K, GPa", dtick=1)
    figure.update_yaxes(type="log", title="Density, g/cm³", tickvals=[0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20])
    figure.update_layout(
        height=400,
        margin={"l": 0, "r": 0, "t": 24, "b": 0},
        legend={"title": None, "itemsizing": "constant", "font": {"size": 12}},
    )
    return figure


def _band(figure: go.Figure, reachable: tuple[float, float]) -> None:
    figure.add_vrect(x0=reachable[0], x1=reachable[1], fillcolor=DISTINCT[0], opacity=0.10, line_width=0, layer="below")


def _cloud(
    materials: list[Material], colour: str, opacity: float, *, size: int, name: str = "", symbol: str = "circle"
) -> go.Scattergl | go.Scatter:
    return go.Scatter(
        x=[material.bulk for material in materials],
        y=[material.density for material in materials],
        text=[material.name.replace("<", "‹") for material in materials],
        name=name,
        mode="markers",
        marker={"size": size, "color": colour, "opacity": opacity, "symbol": symbol, "line": {"width": 0}},
        hovertemplate="%{text}<br>K = %{x:.4g} GPa, ρ = %{y:.3g} g/cm³<extra></extra>",
    )
