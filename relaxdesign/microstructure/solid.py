"""The solid of a cell with voids as something to be made: its pieces, its smallest feature, and what it encloses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.features import smallest_feature


@dataclass(frozen=True)
class Solid:
    """The solid of a periodic cell.

    connected: whether it is one piece that goes on for ever along all axes. components: its pieces. min_feature: width
    of its thinnest neck or wall, in cell edges. enclosed: number of voids that nothing can be taken out of; of a 2D
    cell all are open, along the third axis.
    """

    connected: bool
    components: int
    min_feature: float
    enclosed: int = 0

    @staticmethod
    def of(solid: NDArray[np.bool_]) -> Solid:
        """Of its voxels (*grid)."""
        found = pieces(solid)
        enclosed = pieces(~solid).spans.count(0) if solid.ndim == 3 else 0
        return Solid(found.connected, len(found.voxels), smallest_feature(solid) / solid.shape[0], enclosed)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Solid | None:
        """That of a record which has its fields; None if it has none."""
        if values.get("connected") is None:
            return None
        return Solid(values["connected"], values["components"], values["min_feature"], values.get("enclosed", 0))
