"""Free form as a family: the two phases of a sample as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from torch import Tensor

from relaxdesign.microstructure.base import Fit, FitError, Parameter
from relaxdesign.microstructure.labelling import label_phases
from relaxdesign.microstructure.shares import plane_shares

_SMOOTHING = 1.0  # voxels
_PARTS = {2: 4, 3: 2}
"""Parts per voxel and axis, each cut by a plane: what is narrower than a voxel counts on every grid alike."""


@dataclass(frozen=True, eq=False)
class LevelSet:
    """Phase 1 is where a periodic function is positive. level: at the voxels' centres (*grid), 1 per voxel."""

    level: NDArray[np.float64]

    def shares(self, grid: int) -> Tensor:
        """Share of phase 1 in every voxel of another grid, float64 (grid,)*dim; between the centres it is linear."""
        dim, edge = self.level.ndim, self.level.shape[0]
        parts = _PARTS[dim]
        fine = grid * parts
        axis = (np.arange(fine) + 0.5) * edge / fine - 0.5
        points = np.stack(np.meshgrid(*(axis,) * dim, indexing="ij"))
        level = torch.from_numpy(map_coordinates(self.level, points, order=1, mode="grid-wrap"))
        slope = [0.5 * (level.roll(-1, axis) - level.roll(1, axis)) for axis in range(dim)]
        inside = plane_shares(level, torch.stack(slope, -1)).reshape((grid, parts) * dim)
        return inside.mean(tuple(range(1, 2 * dim, 2)))

    def moved(self, distance: float) -> LevelSet:
        """The level set raised by a distance in cell edges, its slope being 1 per voxel."""
        return LevelSet(self.level + distance * self.level.shape[0])

    def to_dict(self) -> dict[str, Any]:
        """Nothing: the labels are in the design's files."""
        return {}


@dataclass(frozen=True)
class FreeForm:
    """Any two phases, the smaller one labelled 1. A `Shape` family."""

    name: str = "free-form"
    title: str = "Free form"
    summary: str = "the sampled phase map itself"
    composites: str = "composites"
    phases: tuple[str, ...] = ("matrix", "inclusions")
    directional: bool = True
    parameters: tuple[Parameter, ...] = ()
    shares: tuple[float, float] = (0.03, 0.97)

    def fit(self, clean: Tensor) -> Fit:
        """The two phases of the sample. Raises FitError for a homogeneous one.

        A sample of one channel has given phases, 1 where it is positive; of others the smaller phase becomes 1.
        """
        if len(clean) == 1:
            labels = clean[0].cpu().numpy() > 0
            if labels.all() or not labels.any():
                raise FitError("the sample is all of one phase")
            return Fit((torch.tensor([-1.0]), torch.tensor([1.0])), labels)
        labels, medians, _ = label_phases(clean)
        smaller = bool(labels.mean() < 0.5)
        return Fit((medians[not smaller], medians[smaller]), labels == smaller)

    def level_set(self, labels: NDArray) -> NDArray[np.float64]:
        """Signed distance to the interface in voxels, periodic, positive in phase 1; smoothed so that none tie."""
        labels = labels.astype(bool)
        margin = labels.shape[0] // 2
        tiled = np.pad(labels, margin, mode="wrap")
        inside, outside = (np.asarray(distance_transform_edt(part)) for part in (tiled, ~tiled))
        middle = tuple(slice(margin, margin + edge) for edge in labels.shape)
        distance = np.where(tiled, inside - 0.5, 0.5 - outside)[middle]
        return gaussian_filter(distance, _SMOOTHING, mode="wrap")

    def geometry(self, level: NDArray[np.float64]) -> LevelSet:
        """The cell of a level set."""
        return LevelSet(level)


FREE_FORM = FreeForm()
