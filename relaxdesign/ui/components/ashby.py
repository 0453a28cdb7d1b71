"""Charts of the catalogue by a property, with what is reachable and wanted: a slim one, and one over density."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import plotly.graph_objects as go

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.scene.palette import CATEGORIES
from relaxdesign.ui.colours import DISTINCT
from relaxdesign.ui.text import significant

# Effective quantities that each material has too, with the name of its property; density is the other axis.
AXES = {q.name: q.of_material for q in QUANTITIES.values() if q.of_material and q.unit and q.name != "density"}

# Plotly's own symbols, so that categories differ by more than colour.
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "x", "hexagon")

# Bars of the slim chart.
BINS = 48

REACHABLE, WANTED = DISTINCT[0], DISTINCT[5]

Interval = tuple[float | None, float | None]
"""(at least, at most); None: open. Equal: a value."""


def strip(
    name: str,
    offered: Catalogue,
    everything: Catalogue,
    limits: tuple[float, float],
    reachable: tuple[float, float],
    wanted: Interval,
) -> go.Figure:
    """How many materials lie where, under the target's slider; the axis runs from limits[0] to limits[1] as that does.

    name: one of ``AXES``. The full cloud has its own chart on the first page.
    """
    edges = np.geomspace(*limits, BINS + 1)
    counts = [np.histogram(_values(name, c.materials), edges)[0] for c in (offered, everything)]
    middles, widths = np.sqrt(edges[1:] * edges[:-1]), np.diff(edges)
    figure = go.Figure()
    figure.add_vrect(*reachable, fillcolor=REACHABLE, opacity=0.10, line_width=0, layer="below")
    for count, colour, opacity in ((counts[0], DISTINCT[0], 0.8), (counts[1] - counts[0], "#7A8699", 0.3)):
        figure.add_trace(
            go.Bar(
                x=middles, y=count, width=widths, marker={"color": colour, "opacity": opacity},
                hovertemplate=f"%{{y}} materials near {QUANTITIES[name].with_unit('%{x:.3g}')}<extra></extra>",
            )
        )  # fmt: skip
    # The slider's thumb stops half its width from the ends.
    pad = (limits[1] / limits[0]) ** 0.012
    span = limits[0] / pad, limits[1] * pad
    mark(figure, "x", wanted, span)
    figure.update_xaxes(
        **logarithmic(span, 6), tickangle=0, showgrid=False, zeroline=False, title=None, fixedrange=True
    )
    figure.update_yaxes(visible=False, fixedrange=True)
    figure.update_layout(
        height=84, margin={"l": 2, "r": 2, "t": 4, "b": 24}, showlegend=False, dragmode=False, barmode="stack", bargap=0
    )
    return figure


def chart(
    name: str,
    offered: Catalogue,
    everything: Catalogue,
    reachable: tuple[float, float],
    wanted: dict[str, Interval],
) -> go.Figure:
    """The full chart: one symbol and colour per category, names under the pointer.

    name: of the quantity along x, one of ``AXES``. wanted: of any quantities; shown are this one and the density.
    """
    used = {material.id for material in offered.materials}
    figure = go.Figure()
    x_span = _span(_values(name, everything.materials))
    low, high = (max(end, x_span[0]) for end in reachable)  # the axis is logarithmic
    figure.add_vrect(low, high, fillcolor=REACHABLE, opacity=0.10, line_width=0, layer="below")
    for number, category in enumerate(everything.categories):
        members = [m for m in everything.materials if m.category == category and m.id in used]
        if not members:
            continue
        colour, symbol = CATEGORIES[number % len(CATEGORIES)], SYMBOLS[number % len(SYMBOLS)]
        figure.add_trace(_cloud(name, members, colour, symbol, category.capitalize()))
    # All materials set the scale, so that it stays when some are left out.
    y_span = _span([material.density for material in everything.materials])
    if name in wanted:
        mark(figure, "x", wanted[name], x_span, name)
    if "density" in wanted:
        mark(figure, "y", wanted["density"], y_span, "density")
    figure.update_xaxes(**logarithmic(x_span, 10), title=QUANTITIES[name].heading)
    figure.update_yaxes(**logarithmic(y_span, 10), title=QUANTITIES["density"].heading)
    figure.update_layout(
        height=400,
        margin={"l": 0, "r": 0, "t": 24, "b": 0},
        legend={"title": None, "itemsizing": "constant", "font": {"size": 12}},
    )
    return figure


def words(wanted: Interval) -> str:
    """What is wanted, e.g. ``"at least 100"``, without the unit."""
    low, high = (None if end is None else significant(end) for end in wanted)
    if low is None:
        return f"at most {high}"
    if high is None:
        return f"at least {low}"
    return low if low == high else f"{low} to {high}"


def _values(name: str, materials: tuple[Material, ...]) -> list[float]:
    """The property of those materials that have a place on its logarithmic axis."""
    return [value for material in materials if (value := getattr(material, AXES[name])) and value > 0]


def _span(values: list[float]) -> tuple[float, float]:
    return 0.7 * min(values), 1.4 * max(values)


def logarithmic(span: tuple[float, float], most_ticks: int) -> dict:
    """A logarithmic axis with ticks at powers of ten, and as many between them as there is room for."""
    low, high = (math.log10(end) for end in span)
    ticks: list[float] = []
    # Fewer and fewer, in the end one for every second, third, … power of ten.
    for digits, every in ((range(1, 10), 1), ((1, 2, 5), 1), *(((1,), every) for every in range(1, 10))):
        powers = [power for power in range(math.floor(low), math.ceil(high) + 1) if power % every == 0]
        ticks = [d * 10.0**power for power in powers for d in digits if span[0] <= d * 10.0**power <= span[1]]
        if len(ticks) <= most_ticks:
            break
    return {"type": "log", "range": [low, high], "tickvals": ticks, "ticktext": [significant(t, 1) for t in ticks]}


def mark(
    figure: go.Figure,
    axis: Literal["x", "y"],
    wanted: Interval,
    span: tuple[float, float],
    name: str = "",
    *,
    linear: bool = False,
) -> None:
    """What is wanted along an axis: a line for a value, else a band, which runs to the rim where it is open.

    Nothing where a number has no place on a logarithmic axis. name: of the quantity; with it, the mark is named.
    linear: the axis has no logarithms.
    """
    ends = [end for end in wanted if end is not None]
    if not ends or (not linear and min(ends) <= 0):
        return
    low, high = (rim if end is None else end for end, rim in zip(wanted, span, strict=True))
    band, line = (figure.add_vrect, figure.add_vline) if axis == "x" else (figure.add_hrect, figure.add_hline)
    if low < high:
        band(low, high, fillcolor=WANTED, opacity=0.15, line_width=0, layer="below")
    for end in dict.fromkeys(ends):
        line(end, line_width=2, line_color=WANTED)
    if not name:
        return
    at, first, last = (each if linear else math.log10(each) for each in (ends[0], *span))
    text = f" target {QUANTITIES[name].with_unit(words(wanted))} "
    if axis == "x":
        side = "left" if at < (first + last) / 2 else "right"
        place = {"x": at, "y": 1, "yref": "paper", "xanchor": side, "yanchor": "top"}
    else:
        place = {"x": 0, "xref": "paper", "y": at, "xanchor": "left", "yanchor": "bottom"}
    figure.add_annotation(text=text, showarrow=False, font_color=WANTED, **place)


def _cloud(name: str, materials: list[Material], colour: str, symbol: str, category: str) -> go.Scatter:
    quantity = QUANTITIES[name]
    return go.Scatter(
        x=[getattr(material, AXES[name]) for material in materials],
        y=[material.density for material in materials],
        text=[material.name.replace("<", "‹") for material in materials],
        name=category,
        mode="markers",
        marker={"size": 8, "color": colour, "opacity": 0.85, "symbol": symbol, "line": {"width": 0}},
        hovertemplate=f"%{{text}}<br>{name} = {quantity.with_unit('%{x:.4g}')}, ρ = %{{y:.3g}} g/cm³<extra></extra>",
    )
