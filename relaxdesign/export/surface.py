"""The surface of one phase of a voxel cell as a closed, oriented triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Polynomial
from scipy.optimize import root_scalar

from relaxdesign.export.cell import ExportError, check_sizes, extruded_thickness
from relaxdesign.export.plates import Plates, Specimen
from relaxdesign.microstructure.contour import zero_surface

_LARGEST_SHIFT = 0.49  # of a point from half-way between two voxel centres, in voxels
MOST_VOXELS = 2**24  # of a tiled block: some hundred MB of triangles at most


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed triangle mesh, outward oriented, lengths in mm.

    It encloses the volume that the phase has, of whose voxels it rounds off the steps: ``mesh_fraction`` is
    ``fraction`` but for round-off.
    """

    points: np.ndarray  # float32 (n, 3)
    triangles: np.ndarray  # int64 (m, 3), counter-clockwise from outside
    fraction: float  # share of the cell that the phase has, of its voxels or its bodies
    size: tuple[float, float, float]  # of the whole cell, mm

    @property
    def volume(self) -> float:
        """Volume enclosed by the mesh, mm³ (divergence theorem)."""
        return _enclosed_volume(self.points, self.triangles)

    @property
    def cell_volume(self) -> float:
        """Volume of the whole cell, mm³."""
        return float(np.prod(self.size))

    @property
    def mesh_fraction(self) -> float:
        """Share of the cell that the mesh encloses."""
        return self.volume / self.cell_volume


def phase_surface(
    phase: np.ndarray,
    cell_size_mm: float = 1.0,
    thickness_mm: float | None = None,
    label: int = 1,
    tile: int = 1,
    plates: Plates | None = None,
) -> Surface:
    """Surface of the voxels with this label, closed at the faces of the cell, with their volume.

    phase: labels (nx, ny, nz). cell_size_mm: length of the x edge of one cell. A cell one voxel thick is extruded to
    ``thickness_mm`` (default: an eighth of the cell size); for others it must be left out. tile: the cell is repeated
    so often along each axis (a cell one voxel thick along x and y), as one body without inner walls.
    plates: that close two ends of the block, beyond its faces; what hangs on neither is left out, and cells lie where
    they do without. Raises ExportError when sizes are unusable, no voxel has the label or plates are not held together.
    """
    phase = np.asarray(phase)
    if phase.ndim != 3 or phase.size == 0:
        raise ExportError(f"the phase array has shape {phase.shape}, expected (nx, ny, nz)")
    inside = phase == label
    if not inside.any():
        raise ExportError(f"no voxel has the label {label}: there is no surface to export")
    flat = phase.shape[2] == 1
    check_sizes(2 if flat else 3, cell_size_mm, thickness_mm, tile)
    voxel = cell_size_mm / phase.shape[0]
    inside = block(inside, tile)
    height = extruded_thickness(thickness_mm, cell_size_mm) if flat else voxel * inside.shape[2]
    size = (voxel * inside.shape[0], voxel * inside.shape[1], height)
    fraction = float(inside.mean())
    if plates is not None:
        inside = Specimen.of(inside, plates.axis).solid
        size, fraction = _with_plates(size, inside, plates)

    points, triangles, outwards = _contour(np.repeat(inside, 2, axis=2) if flat else inside, flat)
    scale = np.array([voxel, voxel, height if flat else voxel])
    if plates is not None:
        points, outwards = _as_thick(points, outwards, plates.axis, inside.shape, plates.thickness_mm / voxel)
    shift = _level_shift(points * scale, triangles, outwards * scale, fraction * float(np.prod(size)))
    return Surface(((points + shift * outwards) * scale).astype(np.float32), triangles, fraction, size)


def block(inside: np.ndarray, tile: int) -> np.ndarray:
    """Voxels (nx, ny, nz) repeated along each edge, those of a 2D cell along x and y.

    Raises ExportError if they are too many.
    """
    flat = inside.shape[2] == 1
    inside = np.tile(inside, (tile, tile, 1 if flat else tile))
    if inside.size > MOST_VOXELS:
        raise ExportError(f"{tile} cells along each edge make {inside.size:.2g} voxels; at most {MOST_VOXELS:.2g} fit")
    return inside


def _with_plates(
    size: tuple[float, float, float], inside: np.ndarray, plates: Plates
) -> tuple[tuple[float, float, float], float]:
    """Size in mm of a block with plates, and its solid share. size: without. inside: with the layers of the plates."""
    axis, both = plates.axis, 2.0 * plates.thickness_mm
    between = float(np.delete(inside, (0, -1), axis).mean())
    x, y, z = (edge + both * (number == axis) for number, edge in enumerate(size))
    return (x, y, z), (between * size[axis] + both) / (size[axis] + both)


def _as_thick(
    points: np.ndarray, outwards: np.ndarray, axis: int, shape: tuple[int, ...], thickness: float
) -> tuple[np.ndarray, np.ndarray]:
    """The points of a contour whose first and last layer of voxels across an axis become plates beyond the faces.

    The faces of the plates stay flat. thickness: of a plate, in voxels.
    """
    along, last = points[:, axis] - 1.0, shape[axis] - 2
    moved, still = points.copy(), outwards.copy()
    moved[:, axis] = along.clip(0, last) + thickness * (along.clip(max=0) + (along - last).clip(min=0))
    still[(along == 0) | (along == last)] = 0.0
    return moved, still


def _enclosed_volume(points: np.ndarray, triangles: np.ndarray) -> float:
    """Volume inside a closed mesh (divergence theorem)."""
    a, b, c = (points[triangles[:, corner]].astype(np.float64) for corner in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def _level_shift(points: np.ndarray, triangles: np.ndarray, outwards: np.ndarray, volume: float) -> float:
    """Computes how far all points must move along ``outwards`` for the mesh to enclose this volume.

    This is the choice of the contour's level: points stay between the same two voxel centres, and the mesh closed.
    """
    if not outwards.any():
        return 0.0
    shifts = np.linspace(-_LARGEST_SHIFT, _LARGEST_SHIFT, 4)
    volumes = [_enclosed_volume(points + shift * outwards, triangles) for shift in shifts]
    cubic = Polynomial.fit(shifts, volumes, 3)  # exact: points move linearly
    if not volumes[0] < volume < volumes[-1]:
        return float(shifts[np.abs(np.array(volumes) - volume).argmin()])
    return float(root_scalar(lambda shift: cubic(shift) - volume, bracket=(shifts[0], shifts[-1])).root)


def _contour(inside: np.ndarray, flat: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contours the voxels half-way between the centres of those inside and outside, with flat lids on the cell's faces.

    The outer voxels are repeated once beyond the faces before empty ones close the surface; what lies out there is
    pushed flat into the faces. So the edges of the cell stay sharp. inside: bool (nx, ny, nz); flat: the layers of an
    extruded cell, two equal ones, whose lids are moved to z = 0 and z = 1.

    Returns:
        Points (n, 3) in voxel edges from the cell's corner, triangles (m, 3), counter-clockwise from outside, and the
        unit vectors (n, 3) from the voxel inside to the one outside, zero in the faces.
    """
    beyond = np.array([1, 1, 0 if flat else 1])
    values = np.pad(np.pad(inside, [(n, n) for n in beyond], mode="edge"), 1)
    points, triangles = zero_surface(np.where(values, 0.5, -0.5))
    axis = np.argmax(points % 1 != 0, axis=1)
    below = np.floor(points).astype(int)
    above = np.ceil(points).astype(int)
    direction = np.where(values[tuple(below.T)], 1.0, -1.0)
    within = (below >= 1).all(axis=1) & (above < np.array(values.shape) - 1).all(axis=1)
    outwards = np.zeros_like(points)
    outwards[np.arange(len(points)), axis] = np.where(within, direction, 0)

    points = points - beyond - 0.5  # centre of the first voxel: 1/2
    points = np.clip(points, 0, inside.shape)
    if flat:
        points[:, 2] = points[:, 2] > 1
    # Along the edges of the cell points now coincide: they become one, and the triangles between them vanish.
    key = np.ravel_multi_index(tuple((2 * points.T).astype(int)), tuple(2 * np.array(inside.shape) + 1))
    first, number = np.unique(key, return_index=True, return_inverse=True)[1:]
    points, outwards, triangles = points[first], outwards[first], number[triangles]
    triangles = triangles[(triangles != np.roll(triangles, 1, axis=1)).all(axis=1)]
    return points, triangles if _enclosed_volume(points, triangles) > 0 else triangles[:, ::-1].copy(), outwards
