"""All designs of a run in one picture: two of their numbers as a scatter, all of them as parallel axes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go

from relaxdesign.study.pareto import pareto_front
from relaxdesign.study.result import Design
from relaxdesign.ui.colours import DISTINCT, line_colours
from relaxdesign.ui.components.measures import Measure
from relaxdesign.ui.text import significant

FAINT = "rgba(122, 134, 153, 0.55)"
LEAST_SPAN = 0.02
"""Of an axis, relative to its values: what differs by less is drawn as nearly equal."""


def scatter(designs: Sequence[Design], x: Measure, y: Measure, marked: Collection[int]) -> go.Figure:
    """One point per design with its number on it; those marked are ringed. Where small or large values of both were
    asked for, a line joins the designs that no other betters in both."""
    shown = [design for design in designs if x.of(design) is not None and y.of(design) is not None]
    figure = go.Figure(
        go.Scatter(
            x=[x.of(design) for design in shown],
            y=[y.of(design) for design in shown],
            text=[str(design.index + 1) for design in shown],
            customdata=[design.index for design in shown],
            hovertext=[_pair(design) for design in shown],
            mode="markers+text",
            textposition="top center",
            marker={
                "size": 11,
                "color": [_colour(design, marked, len(designs)) for design in shown],
                "line": {"width": [2.5 if design.index in marked else 0 for design in shown], "color": DISTINCT[5]},
            },
            # Chosen points are marked by the page itself.
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            hovertemplate=f"%{{hovertext}}<br>{x.title}: %{{x:.4g}}<br>{y.title}: %{{y:.4g}}<extra></extra>",
        )
    )
    if x.good and y.good:
        places = np.array([(x.of(design), y.of(design)) for design in shown], dtype=float).reshape(-1, 2)
        front = places[pareto_front(*places.T, small_x=x.good < 0, small_y=y.good < 0)]
        figure.add_scatter(
            x=front[:, 0],
            y=front[:, 1],
            mode="lines",
            line={"color": FAINT, "width": 2, "dash": "dot"},
            hoverinfo="skip",
            name="Pareto front",
            showlegend=False,
        )
    figure.update_xaxes(title=x.label, zeroline=False, range=_range(x, shown))
    figure.update_yaxes(title=y.label, zeroline=False, range=_range(y, shown))
    figure.update_layout(height=330, margin={"l": 0, "r": 8, "t": 8, "b": 0}, clickmode="event+select")
    return figure


def parallel(designs: Sequence[Design], measures: Sequence[Measure], marked: Collection[int]) -> go.Figure:
    """One line per design over an axis per measure, from its smallest to its largest value where they differ."""
    figure = go.Figure()
    axes = [_Axis(measure, designs) for measure in measures]
    places = list(range(len(axes)))
    for design in sorted(designs, key=lambda design: design.index in marked):  # marked ones on top
        strong = design.index in marked
        figure.add_trace(
            go.Scatter(
                x=places,
                y=[axis.place(design) for axis in axes],
                mode="lines+markers",
                line={"color": _colour(design, marked, len(designs)), "width": 3 if strong else 1.5},
                marker={"size": 7 if strong else 4},
                customdata=[axis.measure.text(design) for axis in axes],
                hovertemplate=f"{design.index + 1}: {_pair(design)}<br>%{{customdata}}<extra></extra>",
                connectgaps=True,
            )
        )
    for place, axis in zip(places, axes, strict=True):
        figure.add_vline(x=place, line_width=1, line_color=FAINT, layer="below")
        for y, value, anchor in ((-0.04, axis.low, "top"), (1.04, axis.high, "bottom")):
            figure.add_annotation(
                x=place, y=y, text=significant(value, 3), yanchor=anchor, showarrow=False, font_size=11
            )  # fmt: skip
    labels = [measure.label.replace(", ", "<br>") for measure in measures]
    figure.update_xaxes(tickvals=places, ticktext=labels, showgrid=False, zeroline=False, fixedrange=True)
    figure.update_xaxes(range=[-0.5, len(axes) - 0.5], ticklabeloverflow="allow")
    figure.update_yaxes(visible=False, range=[-0.18, 1.18], fixedrange=True)
    figure.update_layout(height=300, margin={"l": 16, "r": 16, "t": 0, "b": 0}, showlegend=False, dragmode=False)
    return figure


class _Axis:
    """Places the values of a measure on 0 … 1; nearly equal ones about the middle."""

    def __init__(self, measure: Measure, designs: Sequence[Design]):
        self.measure = measure
        self.low, self.high = _span(measure, designs)

    def place(self, design: Design) -> float | None:
        value = self.measure.of(design)
        if value is None:
            return None
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5


def _span(measure: Measure, designs: Sequence[Design]) -> tuple[float, float]:
    """Smallest and largest value, but `LEAST_SPAN` of the values apart at least."""
    values = [value for design in designs if (value := measure.of(design)) is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    middle = (low + high) / 2
    half = max((high - low) / 2, LEAST_SPAN / 2 * abs(middle))
    return (low, high) if half == (high - low) / 2 else (middle - half, middle + half)


def _range(measure: Measure, designs: Sequence[Design]) -> tuple[float, float]:
    """Ends of an axis with room for the markers and their numbers."""
    low, high = _span(measure, designs)
    pad = 0.12 * (high - low) or 0.5
    return low - pad, high + pad


def _colour(design: Design, marked: Collection[int], count: int) -> str:
    """Its own colour while none or this one is marked."""
    if marked and design.index not in marked:
        return FAINT
    colours = line_colours(max(count, design.index + 1))
    return colours[design.index]


def _pair(design: Design) -> str:
    names = (material.name.replace("<", "‹") for material in design.materials)
    return " + ".join(names)
