"""Which values of a quantity any microstructure of two materials can have."""

from __future__ import annotations

import numpy as np

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.physics.base import Interval
from relaxdesign.physics.quantities import PHYSICS, QUANTITIES
from relaxdesign.physics.voxel_fields import TRACE

__all__ = ["Interval", "reachable_by_any"]


def reachable_by_any(catalogue: Catalogue, dim: int, name: str) -> Interval:
    """Smallest and largest value of a quantity that no microstructure of two of these materials leaves.

    dim 2: cells that do not vary along z. The interval may be wider than what can be reached.
    """
    quantity = QUANTITIES[name]
    physics = PHYSICS[quantity.physics]
    if physics.interval is not None:
        columns = {each.name: catalogue.column(each.name) for each in physics.coefficients}
        traces = {each: np.maximum(column, TRACE * column.max()) for each, column in columns.items()}  # of voids
        return physics.interval(traces, dim, name)
    if quantity.of_material is None:
        raise ValueError(f"nothing is known of the values that {quantity.label} can have")
    single = catalogue.column(quantity.of_material)
    return float(single.min()), float(single.max())
