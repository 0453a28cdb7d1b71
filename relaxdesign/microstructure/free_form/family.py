"""Free form as a family: the two phases of a sample as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from relaxdesign.microstructure.base import Fit, FitError, Parameter
from relaxdesign.microstructure.features import distance
from relaxdesign.microstructure.free_form.stored import packed
from relaxdesign.microstructure.labelling import label_phases
from relaxdesign.microstructure.shares import plane_shares

if TYPE_CHECKING:
    from manifold3d import Manifold

_SMOOTHING = 1.0  # voxels
_PARTS = {2: 4, 3: 2}
"""Parts per voxel and axis, each cut by a plane: what is narrower than a voxel counts on every grid alike."""

_BESIDE = 1e-3  # voxels to either side of an interface: on a face of parts it has two derivatives, whose mean counts


@dataclass(frozen=True, eq=False)
class LevelSet:
    """Phase 1 is where a periodic function is positive. level: at the voxels' centres (*grid), 1 per voxel."""

    level: NDArray[np.float64]

    def shares(self, grid: int) -> Tensor:
        """Share of phase 1 in every voxel of another grid, float64 (grid,)*dim; between the centres it is linear."""
        inside = plane_shares(*self._parts(grid)).reshape((grid, self._per_axis) * self.level.ndim)
        return inside.mean(tuple(range(1, 2 * self.level.ndim, 2)))

    def by_level(self, by_share: Tensor) -> NDArray[np.float64]:
        """Derivatives (count, *level) by the level, of functions of the shares that have these derivatives by them.

        by_share: (count, *grid).
        """
        dim, grid, parts = self.level.ndim, by_share.shape[-1], self._per_axis
        level, slope = (part.requires_grad_() for part in self._parts(grid))
        both = plane_shares(level + _BESIDE, slope) + plane_shares(level - _BESIDE, slope)
        rise, turn = torch.autograd.grad(both.sum() / (2.0 * parts**dim), (level, slope))
        by_part = by_share
        for axis in range(1, dim + 1):
            by_part = by_part.repeat_interleave(parts, axis)
        by_level = by_part * rise
        for axis in range(dim):  # the adjoint of the slope's central difference
            turned = by_part * turn[..., axis]
            by_level += 0.5 * (turned.roll(1, axis + 1) - turned.roll(-1, axis + 1))
        return _along_all_axes(by_level, self._interpolation(grid).T).numpy()

    def _parts(self, grid: int) -> tuple[Tensor, Tensor]:
        """Level (fine,)*dim and slope (*, dim) in the parts of the voxels of a grid."""
        level = _along_all_axes(torch.from_numpy(self.level)[None], self._interpolation(grid))[0]
        return level, torch.stack([0.5 * (level.roll(-1, a) - level.roll(1, a)) for a in range(level.ndim)], -1)

    def _interpolation(self, grid: int) -> Tensor:
        """Matrix of periodic linear interpolation along an axis, from the centres to the parts of a grid's voxels."""
        edge, fine = self.level.shape[0], grid * self._per_axis
        at = (np.arange(fine) + 0.5) * edge / fine - 0.5
        below = np.floor(at).astype(int)
        weights = np.zeros((fine, edge))
        weights[np.arange(fine), below % edge] = 1.0 - (at - below)
        weights[np.arange(fine), (below + 1) % edge] += at - below
        return torch.from_numpy(weights)

    @property
    def _per_axis(self) -> int:
        return _PARTS[self.level.ndim]

    def moved(self, distance: float) -> LevelSet:
        """The level set raised by a distance in cell edges, its slope being 1 per voxel."""
        return LevelSet(self.level + distance * self.level.shape[0])

    def to_dict(self) -> dict[str, Any]:
        """See `relaxdesign.microstructure.free_form.stored`."""
        return packed(self.level[None])


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
            sampled = clean[0].double().cpu().numpy()
            labels = sampled > 0
            if labels.all() or not labels.any():
                raise FitError("the sample is all of one phase")
            return Fit((torch.tensor([-1.0]), torch.tensor([1.0])), labels, sampled=sampled)
        labels, medians, _ = label_phases(clean)
        smaller = bool(labels.mean() < 0.5)
        return Fit((medians[not smaller], medians[smaller]), labels == smaller)

    def level_set(self, shares: NDArray) -> NDArray[np.float64]:
        """Signed distance to the interface in voxels, periodic, positive in phase 1.

        shares: of phase 1 in every voxel, which tell where in it the interface lies, or labels: of those the distance
        is smoothed, so that none tie.
        """
        inside, outside = (distance(part) for part in (shares > 0.5, shares <= 0.5))
        beside = np.maximum(inside, outside) <= 1.0
        level = np.where(beside, shares - 0.5, np.where(inside > 0, inside - 0.5, 0.5 - outside))
        crisp = np.issubdtype(shares.dtype, np.floating)
        return level if crisp else gaussian_filter(level, _SMOOTHING, mode="wrap")

    def geometry(self, level: NDArray[np.float64]) -> LevelSet:
        """The cell of a level set."""
        return LevelSet(level)

    def labels(self, level: NDArray[np.float64]) -> NDArray:
        """Whether a voxel is of phase 1, bool (*grid)."""
        return level > 0

    def body(self, geometry: Mapping[str, Any], tile: int, height: float, chord: float, phase: int = 0) -> Manifold:
        """See `relaxdesign.microstructure.free_form.bodies`; facets follow the grid, whatever the chord."""
        from relaxdesign.microstructure.free_form.bodies import free_form_body  # its libraries load where it is used

        return free_form_body(geometry, tile, height, phase)


def _along_all_axes(values: Tensor, matrix: Tensor) -> Tensor:
    """A matrix (m, n) applied to fields (count, n, …, n) along each of their axes: (count, m, …, m)."""
    for _ in range(1, values.ndim):
        values = torch.tensordot(values, matrix, dims=([1], [1]))  # type: ignore[arg-type]  # the axis goes to the end, the next one comes first
    return values


FREE_FORM = FreeForm()
