"""Closed surfaces (STL) as labels on a voxel grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from relaxdesign.io.fields import FieldError
from relaxdesign.io.shells import orient_shells
from relaxdesign.io.stl import read_stl
from relaxdesign.io.winding import LARGEST_EXTENT, winding_numbers

SMALLEST_GRID, LARGEST_GRID = 4, 256
_WHOLE = 1e-3  # of a voxel: by so much an edge may miss a whole number of voxels
_OUTSIDE = 1e-2  # of a voxel: by so much a surface may reach out of the cell, for coordinates of few digits


@dataclass(frozen=True, eq=False)
class SurfaceCell:
    """A cell with the inside of a surface. Lengths are in the file's unit."""

    labels: np.ndarray  # uint8 (nx, ny, nz), 1 inside; nz is 1 in 2D
    origin: tuple[float, ...]  # first corner of the cell, as many numbers as dimensions
    edges: tuple[float, ...]  # of the cell
    warnings: tuple[str, ...]  # what in the file could have been meant otherwise, one sentence each

    @property
    def voxel(self) -> float:
        """Edge of a voxel."""
        return self.edges[0] / self.labels.shape[0]

    @property
    def extent(self) -> str:
        """The cell in words: "(0, 0, 0) to (10, 10, 5)"."""
        return f"{_point(self.origin)} to {_point(np.add(self.origin, self.edges))}"


def parse_edges(text: str) -> tuple[float, ...]:
    """The edges of a cell from ``10`` or ``10,10,5``. Raises FieldError."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise FieldError(
            f"the cell edges are {text!r}; give one number for a cube, or one per axis, as in 10,10,5"
        ) from None


def load_stl(
    path: str | Path, *, grid: int, dim: int = 3, edges: Sequence[float] | None = None, periodic: bool = False
) -> SurfaceCell:
    """Reads a closed surface as labels of its inside. A voxel belongs to the inside if its centre does.

    Bodies that overlap are united; shells within others are cavities if their normals point the other way
    (`relaxdesign.io.shells.orient_shells`). In 2D the surface is cut half-way up its height.

    Args:
        grid: voxels along the longest edge of the cell.
        edges: of the cell, in the file's unit of length: one number for a cube (a square in 2D), or one per axis,
            each a whole number of voxels. The cell begins at the origin, as files exported here do. None: the
            smallest cube around the surface, with the surface in its middle.
        periodic: what reaches out of the cell comes in again on its other side; needs edges.

    Raises:
        FieldError: the file is no STL or damaged, its surface is not closed, reaches out of a cell that is not
            periodic, or holds no voxel; or an argument is out of range.
    """
    shape, voxel = _grid(grid, dim, edges)
    if periodic and edges is None:
        raise FieldError("a periodic cell needs its edges, the periods: the surface alone does not tell them")
    triangles = read_stl(path)
    try:
        shells, remarks = orient_shells(triangles)
    except FieldError as error:
        raise FieldError(f"{path}: {error}") from None
    triangles = np.concatenate(shells)
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    if edges is None:
        length = (high - low)[:dim].max()
        voxel, origin = length / grid, (low + high)[:dim] / 2 - length / 2
    else:
        origin = np.zeros(dim)
    cell = voxel * np.array(shape)
    if not periodic:
        _check_inside(path, low[:dim], high[:dim], origin, cell, voxel)
    labels = _inside(path, triangles, origin, voxel, shape, periodic)
    if not labels.any():
        raise FieldError(
            f"{path}: no voxel has its centre inside the surface, which reaches from {_point(low)} to "
            f"{_point(high)}; ask for more voxels"
        )
    thin = sum(bool((np.ptp(shell, axis=(0, 1))[:dim] < voxel).any()) for shell in shells)
    if thin:
        remarks.append(
            f"{thin} of {len(shells)} shells: thinner than a voxel, lost in part or whole; ask for more voxels"
        )
    return SurfaceCell(labels, tuple(origin.tolist()), tuple(cell.tolist()), tuple(remarks))


def _grid(grid: int, dim: int, edges: Sequence[float] | None) -> tuple[tuple[int, ...], float]:
    """Voxels along each axis (dim numbers) and the edge of a voxel, 1/grid if the cell is not given."""
    if not SMALLEST_GRID <= grid <= LARGEST_GRID:
        raise FieldError(f"{grid} voxels per edge were asked for; supported are {SMALLEST_GRID} to {LARGEST_GRID}")
    if dim not in (2, 3):
        raise FieldError(f"the dimension is {dim}; it must be 2 or 3")
    if edges is None:
        return (grid,) * dim, 1 / grid
    given = ",".join(f"{edge:g}" for edge in edges)
    if len(edges) not in (1, dim):
        raise FieldError(f"{len(edges)} cell edges were given ({given}); a {dim}D cell has one for all or {dim}")
    if not all(math.isfinite(edge) and edge > 0 for edge in edges):
        raise FieldError(f"the cell edges are {given}; they must be positive lengths")
    lengths = np.broadcast_to(np.asarray(edges, float), dim)
    voxel = lengths.max() / grid
    counts = lengths / voxel
    whole = np.maximum(np.rint(counts), SMALLEST_GRID)
    if (np.abs(counts - whole) > _WHOLE).any():
        fitting = ",".join(f"{edge:.6g}" for edge in whole * voxel)
        raise FieldError(
            f"the cell edges {given} are {' x '.join(f'{n:.4g}' for n in counts)} voxels, as {grid} fill the longest; "
            f"voxels are cubes, at least {SMALLEST_GRID} along each edge: edges {fitting} fit, or take another number "
            "of voxels"
        )
    return tuple(int(n) for n in whole), float(voxel)


def _check_inside(
    path: str | Path, low: np.ndarray, high: np.ndarray, origin: np.ndarray, cell: np.ndarray, voxel: float
) -> None:
    """Raises FieldError if the surface reaches out of the cell, with what would fit."""
    if (low >= origin - _OUTSIDE * voxel).all() and (high <= origin + cell + _OUTSIDE * voxel).all():
        return
    if (low >= -_OUTSIDE * voxel).all():
        remedy = f"an edge of {_rounded_up(high.max())} holds it"
    else:
        smallest = _rounded_up((high - low).max())
        larger = "" if (high - low <= cell).all() else f" and give it an edge of {smallest}"
        remedy = (
            f"move it by {_point(np.maximum(-low, 0))} in the file{larger}, or leave the edge out for the smallest "
            f"cube around it (edge {smallest})"
        )
    raise FieldError(
        f"{path}: the surface reaches from {_point(low)} to {_point(high)}, out of the cell from {_point(origin)} to "
        f"{_point(origin + cell)}; {remedy}; in a periodic cell what reaches out comes in again on the other side"
    )


def _inside(
    path: str | Path, triangles: np.ndarray, origin: np.ndarray, voxel: float, shape: tuple[int, ...], periodic: bool
) -> np.ndarray:
    """Labels uint8 (nx, ny, nz), with those of all cells that the surface reaches into laid over each other."""
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    box = (shape[0], shape[1], shape[2] if len(shape) == 3 else 1)
    corner = np.array([*origin, (low[2] + high[2] - voxel) / 2])[:3]  # in 2D one layer with its centres half-way up
    if ((np.maximum(high, corner) - np.minimum(low, corner))[: len(shape)] > LARGEST_EXTENT * voxel / 2).any():
        raise FieldError(
            f"{path}: the surface reaches from {_point(low)} to {_point(high)}, more than {LARGEST_EXTENT // 2} voxels "
            f"of edge {voxel:g}; give the period of the structure as edges"
        )
    labels = np.zeros(box, bool)
    cell = voxel * np.array(shape)
    images = [
        range(math.floor((a - o) / c), math.ceil((b - o) / c)) if periodic else range(1)
        for a, b, o, c in zip(low, high, origin, cell, strict=False)
    ]
    for image in itertools.product(*images):
        shift = np.zeros(3)
        shift[: len(shape)] = np.multiply(image, cell)
        labels |= winding_numbers(triangles, corner + shift, voxel, box) > 0
    return labels.astype(np.uint8)


def _rounded_up(length: float) -> str:
    """The length in four digits, rounded up unless it is one of them but for round-off."""
    step = 10.0 ** (math.floor(math.log10(length)) - 3)
    return f"{math.ceil(length / step - 0.02) * step:.4g}"


def _point(values: Sequence[float] | np.ndarray) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
