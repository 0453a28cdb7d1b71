"""What cells of two given phases can have, over the fraction of the stiffer one, and what is wanted of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from relaxdesign.materials.catalogue import Material
from relaxdesign.physics.attainable import BOUNDED, bounds_on
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.ui.components.ashby import REACHABLE, WANTED, Interval, words

HEIGHT = 400
_FRACTIONS = np.linspace(1e-9, 1.0 - 1e-9, 101)  # with a trace of the other phase, whose bounds hold up to the end


def chart(name: str, phases: Sequence[Material], wanted: dict[str, Interval]) -> go.Figure:
    """The interval of a quantity, one of `BOUNDED`, over the fraction of the stiffer phase.

    wanted: of any quantities; shown are this one, and the solid fraction beside a void.
    """
    lower, upper = _curves(name, phases)
    unit, bound = QUANTITIES[name].unit, BOUNDED[name]
    figure = go.Figure()
    for values, end in ((lower, "lower"), (upper, "upper")):
        figure.add_trace(
            go.Scatter(
                x=_FRACTIONS, y=values, mode="lines", line={"color": REACHABLE, "width": 2 if end == "upper" else 0},
                fill="tonexty" if end == "upper" else None, fillcolor="rgba(0, 114, 178, 0.10)",
                hovertemplate=f"%{{x:.0%}}: {end} {bound} bound %{{y:.4g}} {unit}<extra></extra>",
            )
        )  # fmt: skip
    if name in wanted:
        _mark(figure, wanted[name], 1.02 * float(upper.max()), unit)
    if "solid" in wanted:
        for end in dict.fromkeys(end for end in wanted["solid"] if end is not None):
            figure.add_vline(end, line_width=2, line_color=WANTED, line_dash="dot")
        figure.add_annotation(
            text=f" solid {words(wanted['solid'])} ", x=max(end for end in wanted["solid"] if end is not None), y=1,
            yref="paper", xanchor="left", yanchor="top", showarrow=False, font_color=WANTED,
        )  # fmt: skip
    label = QUANTITIES[name].label
    figure.update_xaxes(
        title=fraction_of(phases), range=[0, 1], tickvals=np.linspace(0, 1, 6), tickformat=".0%", fixedrange=True,
        showgrid=False,
    )  # fmt: skip
    figure.update_yaxes(
        title=f"{label[:1].upper()}{label[1:]}, {unit}", range=[0, 1.02 * float(upper.max())], fixedrange=True
    )
    figure.update_layout(height=HEIGHT, margin={"l": 0, "r": 24, "t": 24, "b": 0}, showlegend=False, dragmode=False)
    return figure


def fraction_of(phases: Sequence[Material]) -> str:
    """What the axis is called."""
    void = any(material.void for material in phases)
    return "Solid fraction" if void else f"Fraction of {phases[_stiffer(phases)].name}"


def least_fraction(name: str, phases: Sequence[Material], wanted: Interval) -> float | None:
    """Of the stiffer phase, without which nothing as stiff as is wanted can be made; None if none is needed."""
    least = wanted[0]
    if least is None:
        return None
    upper = _curves(name, phases)[1]
    enough = np.flatnonzero(upper >= least)
    if not len(enough) or enough[0] == 0:
        return None
    last = enough[0] - 1
    share = (least - upper[last]) / (upper[last + 1] - upper[last])
    return float(_FRACTIONS[last] + share * (_FRACTIONS[last + 1] - _FRACTIONS[last]))


def _curves(name: str, phases: Sequence[Material]) -> np.ndarray:
    """Lower and upper bounds, (2, fractions)."""
    order = 1 if _stiffer(phases) == 1 else -1
    return np.array([bounds_on(name, phases, (1.0 - f, f)[::order]) for f in _FRACTIONS]).T


def _stiffer(phases: Sequence[Material]) -> int:
    return int(np.argmax([material.bulk for material in phases]))


def _mark(figure: go.Figure, wanted: Interval, top: float, unit: str) -> None:
    """A line for a value that is wanted, else a band."""
    low, high = wanted
    ends = [end for end in dict.fromkeys(wanted) if end is not None]
    if low != high:
        figure.add_hrect(low or 0.0, top if high is None else high, fillcolor=WANTED, opacity=0.15, line_width=0)
    for end in ends:
        figure.add_hline(end, line_width=2, line_color=WANTED)
    figure.add_annotation(
        text=f" target {words(wanted)} {unit} ", x=0, y=max(ends), xref="paper", xanchor="left", yanchor="bottom",
        showarrow=False, font_color=WANTED,
    )  # fmt: skip
