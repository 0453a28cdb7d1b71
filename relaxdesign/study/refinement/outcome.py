"""What refinement comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from relaxdesign.microstructure.base import Geometry, Placement
from relaxdesign.study.simulation import CellValues
from relaxdesign.study.trust import Resolution


class RefinementError(ValueError):
    """No pair of materials near the sample reached the targets; the text says what was tried."""


@dataclass(frozen=True, eq=False)
class Refined:
    """Materials and volume fraction whose mean quantities meet the targets, and the placements measured."""

    pair: tuple[int, int]
    placements: tuple[Placement, ...]
    values: CellValues
    miss: float  # largest residual of the mean


@dataclass(frozen=True, eq=False)
class Realised:
    """The exported cell.

    pair: indices of the materials of its phases, three where so many are given. labels: (*grid), whole numbers or
    bool. geometry: what the labels are voxels of. resolution: the verifying solves of this one cell. parameters: of the
    family. deviation: standard deviations over placements, by quantity; empty of a cell that is not placed. remark:
    what is unusual.
    """

    pair: tuple[int, ...]
    labels: Tensor
    geometry: Geometry
    resolution: Resolution
    parameters: Mapping[str, float] = field(default_factory=dict)
    deviation: Mapping[str, float] = field(default_factory=dict)
    remark: str = ""

    @property
    def values(self) -> dict[str, float]:
        """All quantities, at the limit of fine grids."""
        return self.resolution.values
