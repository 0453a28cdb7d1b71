"""Which of many designs are best in several things at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from relaxdesign.quantities import QUANTITIES
from relaxdesign.result import Design


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
