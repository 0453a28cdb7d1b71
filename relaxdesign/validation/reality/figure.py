"""Predicted over measured values, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from relaxdesign.validation.reality.judging import Compared, Judged

_PANELS = (
    ("stiffness", "GPa", ("E", "K", "G")),
    ("thermal conductivity", "W/(m K)", ("conductivity",)),
    ("thermal expansion", "1e-6/K", ("cte",)),
)
_LOOKS = {"particles": ("#0072B2", "o"), "interpenetrating": ("#D55E00", "s"), "porous": ("#009E73", "^")}
"""Colour (Okabe and Ito: distinguishable with every kind of colour vision) and marker by family."""
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "relaxdesign",
}
_GREY = "#999999"


def draw_ratios(judged: Sequence[Judged], path: Path) -> None:
    """Writes one panel per kind of quantity; filled markers are values that were read in their source."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        panels = figure.subplots(1, len(_PANELS), sharey=True)
        for axes, (title, unit, names) in zip(panels, _PANELS, strict=True):
            shown = [(row, each) for row in judged for each in row.compared if each.quantity in names and each.trust]
            if not shown:
                axes.set_visible(False)
                continue
            axes.set(title=title, xlabel=f"measured, {unit}", xscale="log", yscale="log")
            for row, each in shown:
                _point(axes, row, each)
            _scales(axes)
        figure.supylabel("predicted / measured", fontsize=8.5)
        figure.legend(handles=_legend(), loc="outside lower center", ncols=4, fontsize=7.5)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def _point(axes: Axes, row: Judged, each: Compared) -> None:
    """A value, with a bar of both half-widths: it reaches 1 if it is covered."""
    colour, marker = _LOOKS[row.composite.family]
    trust, measured = each.trust, each.measured
    assert trust is not None
    axes.errorbar(
        measured.value,
        trust.value / measured.value,
        yerr=(trust.width + measured.scatter) / measured.value,
        fmt=marker,
        markersize=4.5,
        color=colour,
        markerfacecolor=colour if row.composite.read else "white",
        elinewidth=0.8,
    )


def _scales(axes: Axes) -> None:
    """Plain numbers on both axes, and the line on which predictions would be exact."""
    axes.axhline(1.0, color=_GREY, linewidth=0.8, zorder=0)
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 100.0 else (1.0,)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _legend() -> list[Line2D]:
    looks = [*((name, *look, look[0]) for name, look in _LOOKS.items()), ("not read: remembered", _GREY, "o", "white")]
    return [
        Line2D([], [], linestyle="", marker=marker, color=colour, markerfacecolor=face, markersize=4.5, label=name)
        for name, colour, marker, face in looks
    ]
