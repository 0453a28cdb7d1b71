"""Point symmetry of periodic cells: fields averaged over it, and noise that has it.

The mirror planes go through the centre of the cell: across an axis of n voxels, voxel i and voxel n - 1 - i are images
of each other. An orthotropic cell has one across every axis (2D: p2mm, 3D: mmm), of a cubic one all axes are alike too
(2D: p4mm, 3D: m-3m). The voxels that are images of one another are an *orbit*.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Name = Literal["none", "orthotropic", "cubic"]
Field = TypeVar("Field", NDArray[np.float64], Tensor)


@dataclass(frozen=True)
class Symmetry:
    """A group of mirrors, and of exchanges of axes, that acts on the last ``dim`` axes of fields (..., *grid)."""

    name: Name = "none"
    dim: int = 2

    def averaged(self, field: Field) -> Field:
        """The symmetric field that is nearest: every voxel has the mean of its orbit.

        Images are equal to the last bit, and symmetric fields stay as they are. Of tensors it is differentiable.
        """
        if self.name == "none":
            return field
        if not isinstance(field, Tensor):
            return self.averaged(torch.from_numpy(np.array(field))).numpy()
        orbits = _orbits(self.name, tuple(field.shape[-self.dim :]))
        first = self.copied(field)
        off = (field - first).flatten(-self.dim)
        number = orbits.number.to(field.device)
        sums = off.new_zeros(*off.shape[:-1], len(orbits.sizes)).scatter_add(-1, number.expand_as(off), off)
        return first + (sums / orbits.sizes.to(sums))[..., number].view(field.shape)

    def copied(self, field: Field) -> Field:
        """The symmetric field that has in every voxel the value of the first one of its orbit.

        Independent noise keeps its variance so, which the mean would lower.
        """
        if self.name == "none":
            return field
        if not isinstance(field, Tensor):
            return self.copied(torch.from_numpy(np.array(field))).numpy()
        orbits = _orbits(self.name, tuple(field.shape[-self.dim :]))
        first = orbits.first[orbits.number].to(field.device)
        return field.flatten(-self.dim)[..., first].view(field.shape)

    def lowest(self, field: NDArray[np.float64]) -> NDArray[np.float64]:
        """The symmetric field (*grid) that has in every voxel the lowest value of its orbit.

        Of a level that is negative in a region it is the level of the region and of all its images.
        """
        if self.name == "none":
            return field
        orbits = _orbits(self.name, field.shape)
        number, values = orbits.number, torch.from_numpy(np.array(field)).ravel()
        least = torch.full((len(orbits.sizes),), torch.inf, dtype=values.dtype)
        return least.scatter_reduce(0, number, values, "amin")[number].view(field.shape).numpy()


NO_SYMMETRY = Symmetry()


@dataclass(frozen=True, eq=False)
class _Orbits:
    """Of the voxels of a grid. number: of each voxel's, (voxels,). sizes, first: number of voxels and first of each."""

    number: Tensor
    sizes: Tensor
    first: Tensor


@lru_cache(maxsize=8)
def _orbits(name: Name, grid: tuple[int, ...]) -> _Orbits:
    """Raises ValueError for a cubic cell of unequal edges."""
    if name == "cubic" and len(set(grid)) > 1:
        raise ValueError(f"a cell whose axes are all alike has equal edges, got {' × '.join(map(str, grid))} voxels")
    first = np.arange(np.prod(grid)).reshape(grid)
    for axis in range(first.ndim):
        first = np.minimum(first, np.flip(first, axis))
    if name == "cubic":
        first = np.minimum.reduce([first.transpose(order) for order in permutations(range(first.ndim))])
    firsts, number, sizes = np.unique(first, return_inverse=True, return_counts=True)
    return _Orbits(*(torch.from_numpy(each.ravel()) for each in (number, sizes, firsts)))
