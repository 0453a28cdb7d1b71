"""What refinement comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from relaxdesign.microstructure.base import Geometry
from relaxdesign.physics.evaluator import Effective


class RefinementError(ValueError):
    """No pair of materials near the sample reached the targets; the text says what was tried."""


@dataclass(frozen=True, eq=False)
class Realised:
    """The exported cell.

    pair: indices of the materials of its phases. labels: (*grid), whole numbers or bool. geometry: what the labels are
    voxels of. effective: the verifying float64 solve of this one cell. parameters: of the family. deviation: standard
    deviation of K over placements, GPa; None of a cell that is not placed. remark: what is unusual.
    """

    pair: tuple[int, int]
    labels: Tensor
    effective: Effective
    geometry: Geometry
    parameters: Mapping[str, float] = field(default_factory=dict)
    deviation: float | None = None
    remark: str = ""

    @property
    def values(self) -> dict[str, float]:
        return {name: float(value[0]) for name, value in self.effective.values.items()}
