"""Free form of three phases: what is not of the first is told by one level set, of which of the others by a second.

A void and two solids are the case that is meant. The second level set runs through the whole cell; where the first
phase is it says nothing, so that a solid that grows has the phase that its place says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.microstructure.base import Fit, FitError
from relaxdesign.microstructure.free_form.family import FREE_FORM, FreeForm, LevelSet
from relaxdesign.microstructure.free_form.stored import packed, unpacked


@dataclass(frozen=True, eq=False)
class TwoLevelSets:
    """Phase 0 is where a periodic function is not positive, elsewhere phase 2 is where another one is, else phase 1.

    level: both at the voxels' centres (2, *grid), 1 per voxel. In a voxel that both interfaces cut the phases are taken
    to be independent of one another.
    """

    level: NDArray[np.float64]

    def shares(self, grid: int) -> Tensor:
        """Shares of phases 1 and 2 in every voxel of another grid, float64 (2, *(grid,)*dim)."""
        others, last = (each.shares(grid) for each in self._each)
        return torch.stack([others * (1.0 - last), others * last])

    def by_level(self, by_share: Tensor) -> NDArray[np.float64]:
        """Derivatives (count, 2, *level) by the level sets, of functions with these derivatives by the shares.

        by_share: (count, 2, *grid).
        """
        others, last = (each.shares(by_share.shape[-1]) for each in self._each)
        first, second = by_share.unbind(1)
        by_each = first * (1.0 - last) + second * last, others * (second - first)
        return np.stack([each.by_level(by) for each, by in zip(self._each, by_each, strict=True)], 1)

    def moved(self, distance: float) -> TwoLevelSets:
        """With the interface of phase 0 moved into it by a distance in cell edges."""
        return TwoLevelSets(np.stack([self._each[0].moved(distance).level, self.level[1]]))

    def to_dict(self) -> dict[str, Any]:
        """See `relaxdesign.microstructure.free_form.stored`."""
        return packed(self.level)

    @cached_property
    def _each(self) -> tuple[LevelSet, LevelSet]:
        return LevelSet(self.level[0]), LevelSet(self.level[1])


@dataclass(frozen=True)
class FreeFormOfThree(FreeForm):
    """Three given phases. A `Shape` family whose level sets are arrays (2, *grid)."""

    def fit(self, clean: Tensor) -> Fit:
        """The three phases of a sample of two channels. Raises FitError if one of them is missing."""
        sampled = clean.double().cpu().numpy()
        labels = self.labels(sampled)
        missing = [phase for phase in range(3) if not (labels == phase).any()]
        if missing:
            raise FitError(f"the sample lacks {len(missing)} of its three phases")
        ends = torch.tensor([[-1.0, 0.0], [1.0, -1.0], [1.0, 1.0]])
        return Fit(tuple(ends), labels, sampled=sampled)

    def level_set(self, shares: NDArray) -> NDArray[np.float64]:
        """As of two phases, (2, *grid).

        shares: in every voxel of both phases but the first, and of the last one in these, (2, *grid).
        """
        return np.stack([super(FreeFormOfThree, self).level_set(each) for each in shares])

    def geometry(self, level: NDArray[np.float64]) -> TwoLevelSets:  # type: ignore[override]
        """The cell of two level sets."""
        return TwoLevelSets(level)

    def labels(self, level: NDArray[np.float64]) -> NDArray:
        """Phase of every voxel, uint8 (*grid)."""
        return np.where(level[0] > 0, np.where(level[1] > 0, 2, 1), 0).astype(np.uint8)


FREE_FORM_OF_THREE = FreeFormOfThree()


def restored(geometry: Mapping[str, Any]) -> LevelSet | TwoLevelSets:
    """The cell of a design of the family, from what its geometry tells (`LevelSet.to_dict`)."""
    levels = unpacked(geometry)
    return LevelSet(levels[0]) if len(levels) == 1 else TwoLevelSets(levels)


def free_form_of(phases: int) -> FreeForm:
    """The family for so many given phases, 2 or 3."""
    return FREE_FORM_OF_THREE if phases == 3 else FREE_FORM
