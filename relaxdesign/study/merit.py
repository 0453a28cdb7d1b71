"""What the quantities to be small or large count where designs are compared, against squared misses of the targets.

One weight for all: refinement ranks pairs of materials by it, with both projections, and every search that compares
whole designs minimises it beside its misses, so that no method is told less of a low density than another. It counts
coordinates (`relaxdesign.physics.quantities`), which exist for negative values too: a density smaller by a factor of e
is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from relaxdesign.study.objective import Objective
from relaxdesign.study.tuning import TUNING


def extreme_cost(objectives: Iterable[Objective], coordinate: Callable[[str], Any]) -> Any:
    """The cost of what is to be small or large: 0.0 if nothing is, lower is better.

    coordinate: gives that of a quantity by its name, a float, an array or a tensor; the result has its shape.
    """
    extremes = (objective for objective in objectives if objective.sense != "reach")
    return sum((TUNING.extreme_worth * o.weight * o.sign * coordinate(o.quantity) for o in extremes), start=0.0)
