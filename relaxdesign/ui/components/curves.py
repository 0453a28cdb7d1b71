"""How the candidates came to their target: bulk modulus and losses over the denoising steps."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from relaxdesign.store import Curves
from relaxdesign.ui.colours import line_colours

# Losses reach round-off; below this they are drawn as this.
SMALLEST_LOSS = 1e-8


def chart(curves: Curves, target_bulk: float, steps: int, *, height: int = 400) -> go.Figure:
    """K per candidate with the target, and every loss under it, on a common axis of steps."""
    names = list(curves.losses)
    count = len(curves.bulk[0]) if curves.bulk else 0
    titles = ["Bulk modulus K, GPa (dashed: target)"] + [f"Loss of {name.replace('_', ' ')}" for name in names]
    rows = len(titles)
    figure = make_subplots(
        rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.26 / rows, subplot_titles=titles,
        row_heights=[1.4] + [1.0] * (rows - 1),
    )  # fmt: skip
    colours = line_colours(count)
    for candidate in range(count):
        style = {"color": colours[candidate], "width": 1.6}
        label = f"Candidate {candidate + 1}"
        values = [row[candidate] for row in curves.bulk]
        figure.add_trace(_line(curves.step, values, label, style, "%{y:.4g} GPa"), row=1, col=1)
        for row, name in enumerate(names, start=2):
            values = [_drawable(losses[candidate]) for losses in curves.losses[name]]
            figure.add_trace(_line(curves.step, values, label, style, "%{y:.2g}"), row=row, col=1)
    target_line = {"dash": "dash", "width": 1.5, "color": "#7A8699"}
    figure.add_shape(
        type="line", x0=0, x1=1, xref="x domain", y0=target_bulk, y1=target_bulk, yref="y", line=target_line
    )  # fmt: skip
    figure.update_xaxes(range=[0.5, max(steps, 2) + 0.5], showgrid=False)
    figure.update_xaxes(title="Denoising step", row=rows, col=1)
    figure.update_yaxes(type="log")
    figure.update_yaxes(row=1, tickvals=_ticks(curves.bulk, target_bulk), tickformat="~g")
    for row, name in enumerate(names, start=2):
        exponents = _exponents(curves.losses[name])
        labels = ["1" if e == 0 else f"10<sup>{e}</sup>".replace("-", "−") for e in exponents]
        figure.update_yaxes(row=row, tickvals=[10.0**e for e in exponents], ticktext=labels)
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    figure.update_layout(
        height=height, margin={"l": 0, "r": 4, "t": 22, "b": 0}, showlegend=False, uirevision="curves", dragmode=False
    )
    return figure


def _drawable(loss: float | None) -> float | None:
    return None if loss is None else max(loss, SMALLEST_LOSS)


def _ticks(rows: list[list[float | None]], target: float) -> list[float]:
    """About five round values over what is drawn; a logarithmic axis by itself labels every digit."""
    values = [value for row in rows for value in row if value] + [target]
    low, high = min(values), max(values)
    wanted = [float(f"{value:.2g}") for value in np.geomspace(low, high, 5)] if high > 1.02 * low else [target]
    return sorted(set(wanted))


def _exponents(rows: list[list[float | None]]) -> list[int]:
    """About five whole powers of ten over what is drawn."""
    values = [max(value, SMALLEST_LOSS) for row in rows for value in row if value is not None] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return list(range(high, low - 1, -max(1, round((high - low) / 4))))


def _line(steps: list[int], values: list, label: str, style: dict, form: str) -> go.Scatter:
    return go.Scatter(
        x=steps,
        y=values,
        name=label,
        mode="lines",
        line=style,
        hovertemplate=f"{label}, step %{{x}}: {form}<extra></extra>",
    )
