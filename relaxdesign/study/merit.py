"""The cost of quantities that are to be small or large, in units of the squared misses of the targets.

Refinement ranks pairs of materials by this cost, whatever the family, and every search that compares whole designs adds
it to the squared misses, so all methods weigh a low density alike. The cost is linear in the quantity's coordinate
(`relaxdesign.physics.quantities`), which exists for negative values too: a density smaller by a factor of e changes the
coordinate by 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from relaxdesign.study.objective import Objective, extremes_of
from relaxdesign.study.tuning import TUNING


def extreme_cost(objectives: Iterable[Objective], coordinate: Callable[[str], Any]) -> Any:
    """The cost of what is to be small or large: 0.0 if nothing is, lower is better.

    coordinate: gives that of a quantity by its name, a float, an array or a tensor; the result has its shape.
    """
    costs = (TUNING.extreme_worth * o.weight * o.sign * coordinate(o.quantity) for o in extremes_of(objectives))
    return sum(costs, start=0.0)
