"""Which of many designs are best in several things at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from relaxdesign.quantities import QUANTITIES
from relaxdesign.result import Design

_NEAR = 0.05
"""Largest miss with which targets count as met together."""


def pareto_front(x: ArrayLike, y: ArrayLike, *, small_x: bool, small_y: bool) -> np.ndarray:
    """Indices of the points that no other betters in one quantity without being worse in the other, by rising x.

    x, y: (n,); points with a NaN are never on the front. small_x, small_y: whether small values are the good ones.
    One sweep after sorting, O(n log n) (Kung, Luccio & Preparata 1975, doi:10.1145/321906.321910).
    """
    a = np.asarray(x, float) * (1 if small_x else -1)
    b = np.asarray(y, float) * (1 if small_y else -1)
    order = np.lexsort((b, a))  # by a, then b; NaN last
    order = order[np.isfinite(a[order]) & np.isfinite(b[order])]
    before = np.concatenate([[np.inf], np.minimum.accumulate(b[order])[:-1]]) if len(order) else np.empty(0)
    front = order[b[order] < before]
    return front if small_x else front[::-1]


def best_designs(designs: Iterable[Design]) -> list[Design]:
    """The designs that no other betters in every objective (size of the miss; value of what is small or large)."""
    done = [design for design in designs if design.ok and design.properties is not None]
    scores = [_scores(design) for design in done]

    def dominated(score: tuple[float, ...]) -> bool:
        return any(other != score and all(a <= b for a, b in zip(other, score, strict=True)) for other in scores)

    return [design for design, score in zip(done, scores, strict=True) if not dominated(score)]


def trade_offs(designs: Iterable[Design]) -> list[Design]:
    """The `best_designs` where there is more than one objective to weigh, else none."""
    found = best_designs(designs)
    return found if found and len(found[0].objectives) > 1 else []


def conflict(designs: Iterable[Design]) -> str:
    """A remark where no design comes near all of several targets; empty otherwise."""
    done = [design for design in designs if design.ok]
    if not done or len(done[0].misses) < 2 or min(abs(design.error or 0.0) for design in done) <= _NEAR:
        return ""
    targets = " and ".join(str(objective) for objective in done[0].objectives if objective.sense == "reach")
    numbers = ", ".join(str(design.index + 1) for design in best_designs(done))
    return f"no design meets {targets} together; candidates that no other betters in everything: {numbers}"


def _scores(design: Design) -> tuple[float, ...]:
    """One number per objective, smaller is better."""
    properties = design.properties or {}
    signs = {"minimise": 1.0, "maximise": -1.0}
    return tuple(
        abs(o.miss(properties[o.quantity]))
        if o.sense == "reach"
        else signs[o.sense] * float(QUANTITIES[o.quantity].coordinate(properties[o.quantity]))
        for o in design.objectives
    )
