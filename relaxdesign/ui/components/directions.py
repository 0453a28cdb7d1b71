"""Young's modulus by direction, wanted against present: small polar charts beside the curves of a run, and one figure.

Wanted is a curve where every entry of the stiffness has a value wanted, else what is asked for along single axes.
Present is what the steps measured anyway: the entries that were asked for, or the moduli along those axes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from relaxdesign.library import Curves
from relaxdesign.physics.anisotropy import PLANES, young_in_plane, young_in_plane_strain
from relaxdesign.study.objective import Objective, targets_of
from relaxdesign.study.stiffness import IN_PLANE_ORDER, known_stiffness, wanted_stiffness
from relaxdesign.ui.colours import DISTINCT

COUNT = 73
"""Angles of a curve, 0 … 360°."""
ANGLES = np.linspace(0.0, 360.0, COUNT)
RIM = 1.3
"""Of a chart, relative to the largest modulus that is wanted: it stays while the present ones come in."""
HEIGHT = 300
_GRID = "rgba(128,140,158,0.4)"  # to be seen on light and dark
POLAR = {
    "radialaxis": {"rangemode": "tozero", "nticks": 4, "angle": 45, "gridcolor": _GRID},
    "angularaxis": {"dtick": 45, "gridcolor": _GRID, "linecolor": _GRID},
    "bgcolor": "rgba(0,0,0,0)",  # the theme colours the page behind, not the disc
}
"""Axes of a chart of moduli by direction."""

WANTED = DISTINCT[5]
_PRESENT = (DISTINCT[0], DISTINCT[2], DISTINCT[3])
_AXES = {"Ex": "x", "Ey": "y", "Ez": "z"}


@dataclass(frozen=True, eq=False)
class Directions:
    """What is wanted of Young's modulus by direction.

    planes: those that are shown. curves: by plane, at ANGLES from its first axis, GPa. limits: by axis, (at least, at
    most). dim: 2 for curves under plane strain, as a stiffness in the plane alone gives no others.
    """

    dim: int
    planes: tuple[str, ...]
    curves: dict[str, NDArray[np.float64]]
    limits: dict[str, tuple[float | None, float | None]]

    @staticmethod
    def of(objectives: Sequence[Objective], dim: int) -> Directions | None:
        """None where nothing is wanted of a direction whose modulus could be drawn."""
        targets = targets_of(objectives)
        wanted = wanted_stiffness(targets, dim)
        curves = {} if wanted is None else curves_of(wanted)
        limits = {_AXES[t.quantity]: (t.low, t.high) for t in targets if t.quantity in _AXES}
        drawn = ("xy",) if dim == 2 else tuple(PLANES)
        planes = tuple(curves) or _planes_of([plane for plane in drawn if limits.keys() & set(plane)], limits)
        return Directions(dim, planes, curves, limits) if planes else None

    @property
    def title(self) -> str:
        return f"Young’s modulus by direction, GPa{', plane strain' if self.dim == 2 and self.curves else ''}"

    @property
    def rim(self) -> float:
        """The largest modulus that a chart reaches, GPa."""
        ends = [end for limit in self.limits.values() for end in limit if end is not None]
        return RIM * max([*ends, *(float(curve.max()) for curve in self.curves.values())])

    def describe(self) -> dict:
        """What does not change in a run, for the browser."""
        return {
            "title": self.title,
            "planes": self.planes,
            "rim": self.rim,
            "wanted": {plane: _short(curve) for plane, curve in self.curves.items()},
            "limits": self.limits,
        }

    def present(self, curves: Curves, step: int, count: int) -> list[dict]:
        """Of each of so many candidates what was last measured by a step: ``curves`` by plane, ``points`` by axis."""
        rows = range(bisect_right(curves.step, step) - 1, -1, -1)
        return [self._last_known(curves, rows, candidate) for candidate in range(count)]

    def _last_known(self, curves: Curves, rows: Sequence[int], candidate: int) -> dict:
        for row in rows:
            values = {name: measured[row][candidate] for name, measured in curves.values.items()}
            points = {axis: values[name] for name, axis in _AXES.items() if values.get(name) and axis in self.limits}
            stiffness = known_stiffness(values, self.dim) if self.curves else None
            drawn = {} if stiffness is None else curves_of(stiffness)
            if drawn or points:
                return {"curves": {plane: _short(drawn[plane]) for plane in drawn}, "points": points}
        return {"curves": {}, "points": {}}

    def figure(self, stiffness: ArrayLike) -> go.Figure:
        """Wanted against what a cell of stiffness C (6, 6), GPa, has."""
        C, within = np.asarray(stiffness), np.array(IN_PLANE_ORDER) - 1
        present = curves_of(C[np.ix_(within, within)] if self.dim == 2 and self.curves else C)
        shown = go.Figure()
        for plane, colour in zip(self.planes, _PRESENT, strict=False):
            if plane in present:
                name = f"{plane} plane" if len(self.planes) > 1 else "This cell"
                shown.add_trace(_line(present[plane], name, colour))
        for number, plane in enumerate(self.planes):  # on top: in the end both are the same
            if plane in self.curves:
                shown.add_trace(_line(self.curves[plane], "Wanted", WANTED, dash="dash", legend=number == 0))
            for axis, (low, high) in self.limits.items():
                if axis in plane:
                    shown.add_trace(_mark(90.0 * plane.index(axis), axis, low, high))
        shown.update_layout(
            height=HEIGHT,
            margin={"l": 32, "r": 32, "t": 28, "b": 8},
            legend={"orientation": "h", "y": -0.1, "x": 0.5, "xanchor": "center"},
            polar=POLAR,
            uirevision="kept",
        )
        return shown


def curves_of(stiffness: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Young's modulus at ANGLES, by plane, of C (6, 6); of what is in the plane (3, 3) under plane strain.

    None of a stiffness that a solve which is not finished leaves indefinite.
    """
    C = np.asarray(stiffness)
    try:
        if C.shape == (3, 3):
            return {"xy": young_in_plane_strain(C, COUNT)[1]}
        return {plane: young_in_plane(C, plane, COUNT)[1] for plane in PLANES}
    except ValueError:
        return {}


def _planes_of(candidates: Sequence[str], limits: Mapping[str, object]) -> tuple[str, ...]:
    """Those whose two axes are asked for; of a single axis the first plane that has it."""
    return tuple(plane for plane in candidates if set(plane) <= limits.keys()) or tuple(candidates[:1])


def _line(young: NDArray, name: str, colour: str, *, dash: str = "solid", legend: bool = True) -> go.Scatterpolar:
    return go.Scatterpolar(
        r=young, theta=ANGLES, mode="lines", name=name, showlegend=legend,
        line={"color": colour, "dash": dash, "width": 1.8 if dash == "dash" else 2.5},
        hovertemplate=f"{name}, %{{theta:.0f}}°: %{{r:.4g}} GPa<extra></extra>",
    )  # fmt: skip


def _mark(angle: float, axis: str, low: float | None, high: float | None) -> go.Scatterpolar:
    """What is wanted along an axis, in both of its directions."""
    ends = [end for end in dict.fromkeys((low, high)) if end is not None]
    return go.Scatterpolar(
        r=[*ends, *ends], theta=[angle] * len(ends) + [angle + 180] * len(ends), mode="markers",
        name=f"Wanted along {axis}", showlegend=False,
        marker={"symbol": "diamond-open", "size": 11, "color": WANTED, "line": {"width": 2}},
        hovertemplate=f"Wanted along {axis}: %{{r:.4g}} GPa<extra></extra>",
    )  # fmt: skip


def _short(values: NDArray) -> list[float]:
    return [float(f"{value:.3g}") for value in values]
