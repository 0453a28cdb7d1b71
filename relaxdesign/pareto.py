"""Which of many designs are best in two quantities at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


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
