"""Ashby charts: bulk modulus against density, with the catalogue, the reachable band and the target."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from relaxdesign.catalogue import Catalogue, Material
from relaxdesign.ui.colours import DISTINCT
from relaxdesign.ui.text import gpa

# Plotly's own symbols, so that categories differ by more than colour.
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "x", "hexagon")


def strip(
    offered: Catalogue,
    everything: Catalogue,
    limits: tuple[float, float],
    reachable: tuple[float, float],
    target: float,
) -> go.Figure:
    """The slim chart under the target's slider; its axis runs from limits[0] to limits[1] as the slider does."""
    used = {material.id for material in offered.materials}
    others = [material for material in everything.materials if material.id not in used]
    figure = go.Figure()
    _band(figure, reachable)
    for materials, opacity in ((others, 0.18), (offered.materials, 0.75)):
        figure.add_trace(_cloud(list(materials), "#7A8699" if opacity < 0.5 else DISTINCT[0], opacity, size=4))
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
    figure.update_yaxes(type="log", visible=False, fixedrange=True)
    figure.update_layout(height=108, margin={"l": 2, "r": 2, "t": 4, "b": 18}, showlegend=False, dragmode=False)
    return figure


def chart(
    offered: Catalogue,
    everything: Catalogue,
    limits: tuple[float, float],
    reachable: tuple[float, float],
    target: float,
) -> go.Figure:
    """The full chart: one symbol and colour per category, names under the pointer."""
    used = {material.id for material in offered.materials}
    figure = go.Figure()
    _band(figure, reachable)
    for number, category in enumerate(everything.categories):
        members = [m for m in everything.materials if m.category == category and m.id in used]
        if not members:
            continue
        colour, symbol = DISTINCT[number % len(DISTINCT)], SYMBOLS[(number // len(DISTINCT)) % len(SYMBOLS)]
        figure.add_trace(_cloud(members, colour, 0.85, size=8, name=category.capitalize(), symbol=symbol))
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
