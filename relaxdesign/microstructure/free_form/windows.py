"""Periodic cells of two phases cut from images, which are larger and mostly not periodic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

_OVERLAP = 8
"""An eighth of a cell's edge is made of both ends of its window."""
_DRAWS = 50  # of a window, until one holds both phases


@dataclass(frozen=True, eq=False)
class Windows:
    """Random windows of images, made periodic.

    images: bool (nx, ny) or (nx, ny, nz), true in phase 1. grid: voxels per edge of a cell. mirror: windows of half the
    edge with their mirror images, instead of whole ones whose ends are blended. periodic: of every image, whether it is
    a periodic cell of the grid already, which is taken whole.
    """

    images: tuple[NDArray[np.bool_], ...]
    grid: int
    mirror: bool = False
    periodic: tuple[bool, ...] = ()

    @property
    def edge(self) -> int:
        """Voxels per edge of a window."""
        return self.grid // 2 if self.mirror else self.grid + self.grid // _OVERLAP

    def draw(self, count: int, generator: torch.Generator, among: Sequence[int] | None = None) -> Tensor:
        """``count`` cells, bool (count, *grid). among: positions of the images that serve; None: all, each as often."""
        chosen = range(len(self.images)) if among is None else among
        picks = torch.randint(len(chosen), (count,), generator=generator).tolist()
        return torch.stack([torch.from_numpy(self._cell(chosen[pick], generator)) for pick in picks])

    def _cell(self, position: int, generator: torch.Generator) -> NDArray[np.bool_]:
        """A cell of an image, shifted at random and turned by 180° (in 3D: inverted) or not: directions stay."""
        image = self.images[position]
        if self.periodic and self.periodic[position]:
            cell = image
        else:
            window = self._window(image, generator)
            cell = mirrored(window) if self.mirror else blended(window, self.grid)
        if torch.rand((), generator=generator) < 0.5:
            cell = np.flip(cell)
        shift = torch.randint(self.grid, (cell.ndim,), generator=generator).tolist()
        return np.roll(cell, shift, tuple(range(cell.ndim)))

    def _window(self, image: NDArray[np.bool_], generator: torch.Generator) -> NDArray[np.bool_]:
        """A window at random, of those that hold both phases if they can be found."""
        window = image
        for _ in range(_DRAWS):
            corner = [int(torch.randint(n - self.edge + 1, (), generator=generator)) for n in image.shape]
            window = image[tuple(slice(first, first + self.edge) for first in corner)]
            if window.any() and not window.all():
                break
        return window


def mirrored(window: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The window with its mirror images: periodic, of twice the edge."""
    return np.pad(window, [(0, n) for n in window.shape], mode="symmetric")


def blended(window: NDArray[np.bool_], grid: int) -> NDArray[np.bool_]:
    """A periodic cell (grid, …) of a window that is a little larger.

    Across a face, the voxels beyond the cell's end go over into those at its beginning: signed distances to the
    interface are weighed linearly, axis by axis, and what is largest is of phase 1: as much as of both ends, weighed
    alike.
    """
    field, overlap = _signed_distance(window), window.shape[0] - grid
    for axis in range(window.ndim):
        weight = (np.arange(overlap) + 0.5) / overlap
        weight = weight.reshape([-1 if other == axis else 1 for other in range(window.ndim)])
        first, last = (np.take(field, range(n, n + overlap), axis) for n in (0, grid))
        rest = np.take(field, range(overlap, grid), axis)
        share = np.mean(weight * (first > 0) + (1 - weight) * (last > 0))
        between = weight * first + (1 - weight) * last
        field = np.concatenate([between - np.quantile(between, 1 - share), rest], axis)
    return field > 0


def _signed_distance(window: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Voxels to the interface, positive in phase 1; far from it the same everywhere, as it is where there is none."""
    limit = float(window.shape[0])
    if window.all() or not window.any():
        return np.where(window, limit, -limit)
    inside, outside = (np.asarray(distance_transform_edt(phase)) for phase in (window, ~window))
    return np.clip(inside - outside, -limit, limit)
