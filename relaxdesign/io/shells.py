"""The shells of a closed surface: split, oriented, and told apart as bodies, cavities and copies.

A shell is a closed surface in one piece. When all are oriented, the surface winds around its material: the winding
number (`relaxdesign.io.winding`) is positive inside bodies, however many overlap, and zero in cavities and outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from relaxdesign.io.fields import FieldError

_SAMPLES = 16  # points just inside a shell; it lies in another one if all of them do


@dataclass(frozen=True, eq=False)
class _Shell:
    triangles: np.ndarray  # int64 (n, 3), points by number, all counter-clockwise from the same side
    corners: np.ndarray  # float64 (n, 3, 3)
    volume: float  # negative: the normals point inwards

    @property
    def box(self) -> np.ndarray:
        """Lowest and highest coordinates (2, 3)."""
        return np.stack([self.corners.min(axis=(0, 1)), self.corners.max(axis=(0, 1))])

    @property
    def samples(self) -> np.ndarray:
        """Some points (k, 3) just inside, spread over the triangles."""
        a, b, c = np.moveaxis(self.corners, 1, 0)
        normal = np.cross(b - a, c - a)
        size = np.linalg.norm(normal, axis=1)
        chosen = np.flatnonzero(size > 0)
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(_SAMPLES, len(chosen))).astype(int)]
        step = 1e-3 * np.sign(self.volume) / np.sqrt(size[chosen])
        return self.corners[chosen].mean(axis=1) - step[:, None] * normal[chosen]


def orient_shells(corners: np.ndarray) -> tuple[list[np.ndarray], list[str]]:
    """Orients the shells of a surface as bodies (normals outwards) or cavities (inwards).

    A shell in no other is a body, whichever way its normals point. One that lies in others is a cavity if its normals
    point the other way than those of the outermost shell around it, else a body. Copies of a shell are left out.

    Args:
        corners: of the triangles, (n, 3, 3); their orientation may differ within a shell.

    Returns:
        The triangles of every shell (m, 3, 3), and for the user what could have been meant otherwise, one sentence
        each.

    Raises:
        FieldError: the surface is not closed, or has a shell without an inside. The text names no file.
    """
    every = [shell for shell in _split(corners) if shell.volume != 0]
    if not every:
        raise FieldError("the surface encloses no volume")
    shells = _without_copies(every)
    around = _containers(shells)
    outermost = [next((outer for outer in outers if not around[outer]), inner) for inner, outers in enumerate(around)]
    given = np.array([-1 if shell.volume < 0 else 1 for shell in shells])
    turned = given[outermost] < 0
    oriented = [shell.corners[:, ::-1] if turn else shell.corners for shell, turn in zip(shells, turned, strict=True)]
    remarks = _remarks(shells, around, given, np.where(turned, -given, given), len(every))
    return oriented, remarks


def _remarks(
    shells: Sequence[_Shell], around: Sequence[Sequence[int]], given: np.ndarray, sign: np.ndarray, total: int
) -> list[str]:
    """What could have been meant otherwise. given, sign: 1 for normals outwards, −1 inwards, before and after."""
    depth = np.array([sign[outers].sum() if outers else 0 for outers in map(list, around)])
    outermost = np.array([not outers for outers in around])
    upright = [shells[i] for i in np.flatnonzero(outermost & (given > 0)).tolist()]
    inverted = [shells[i] for i in np.flatnonzero(outermost & (given < 0)).tolist()]
    found = {
        "copies of others, counted once": total - len(shells),
        "inside others with the same orientation, counted as solid; turn their normals inwards to make cavities": (
            np.count_nonzero((sign > 0) & (depth > 0))
        ),
        "cavities where bodies overlap, counted as solid": np.count_nonzero((sign < 0) & (depth > 1)),
        "cavities inside cavities, counted as empty; turn their normals outwards to make bodies": (
            np.count_nonzero((sign < 0) & (depth < 1))
        ),
        "with normals inwards and crossing others, counted as bodies; subtract them if they are meant to cut": (
            sum(any(_overlap(shell, body) for body in upright) for shell in inverted)
        ),
    }
    return [f"{count} of {total} shells: {what}" for what, count in found.items() if count]


def _split(corners: np.ndarray) -> list[_Shell]:
    """Splits triangles (n, 3, 3) into shells, each with all its triangles oriented as most of them are."""
    triangles, points = _merged(corners)
    distinct = (triangles != np.roll(triangles, 1, axis=1)).all(axis=1)
    triangles = triangles[distinct]
    n = len(triangles)
    if n == 0:
        return []
    one, other, opposed = _neighbours(triangles)
    # Every triangle twice, as it is and turned; neighbours are linked as they fit together.
    fits = np.where(opposed, 0, n)
    links = np.stack([np.r_[one, one + n], np.r_[other + fits, other + n - fits]])
    piece = connected_components(coo_array((np.ones(links.shape[1], bool), links), (2 * n, 2 * n)), directed=False)[1]
    if one_sided := np.count_nonzero(piece[:n] == piece[n:]):
        raise FieldError(f"the surface has no inside at {one_sided} of its triangles, as a Möbius strip; repair it")
    shell = np.minimum(piece[:n], piece[n:])
    as_given = np.bincount(shell, piece[:n] == shell) >= np.bincount(shell) / 2
    turn = (piece[:n] == shell) != as_given[shell]
    triangles[turn] = triangles[turn, ::-1]
    order = np.argsort(shell, kind="stable")
    parts = np.split(triangles[order], np.flatnonzero(np.diff(shell[order])) + 1)
    return [_Shell(part, points[part], _volume(points[part])) for part in parts]


def _merged(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles by the numbers of their points, (n, 3), and the points (m, 3); equal corners are one point."""
    points = corners.reshape(-1, 3)
    number = np.zeros(len(points), np.int64)
    for coordinate in points.T:
        values, rank = np.unique(coordinate, return_inverse=True)
        first, number = np.unique(number * len(values) + rank, return_index=True, return_inverse=True)[1:]
    return number.reshape(-1, 3), points[first]


def _neighbours(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of triangles that share an edge, one pair per edge of a shell, and whether they run along it oppositely.

    Where bodies touch, more than two triangles share an edge. They are paired so that orientations fit, and in the
    order of the file, as files write one body after the other.
    """
    start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    edge = np.minimum(start, end) * (triangles.max() + 1) + np.maximum(start, end)
    edge = np.unique(edge, return_inverse=True)[1]
    forward = start < end
    uses = np.bincount(edge)
    if loose := np.count_nonzero(uses % 2):
        raise FieldError(f"the surface is not closed ({loose} open edges); repair it so that it has an inside")
    position = np.arange(len(edge))
    order = np.lexsort((position, forward, edge))
    run = np.flatnonzero(np.r_[True, (np.diff(edge[order]) != 0) | (np.diff(forward[order].astype(int)) != 0)])
    rank = np.empty(len(edge), np.int64)  # among the uses of this edge in this direction
    rank[order] = position - np.repeat(run, np.diff(np.r_[run, len(edge)]))
    balanced = 2 * np.bincount(edge, forward) == uses
    order = np.lexsort((forward, np.where(balanced[edge], rank, position), edge))
    one, other = order[0::2], order[1::2]
    return one // 3, other // 3, forward[one] != forward[other]


def _volume(corners: np.ndarray) -> float:
    """The enclosed volume by the divergence theorem."""
    a, b, c = np.moveaxis(corners - corners[0, 0], 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def _without_copies(shells: Sequence[_Shell]) -> list[_Shell]:
    """The shells without those that have the very triangles of an earlier one."""
    first: dict[bytes, _Shell] = {}
    for shell in shells:
        rows = np.sort(shell.triangles, axis=1)
        first.setdefault(rows[np.lexsort(rows.T)].tobytes(), shell)
    return list(first.values())


def _containers(shells: Sequence[_Shell]) -> list[list[int]]:
    """For every shell the others that it lies in."""
    boxes = np.stack([shell.box for shell in shells])
    volumes = np.abs([shell.volume for shell in shells])
    around: list[list[int]] = [[] for _ in shells]
    for outer, (low, high) in enumerate(boxes):
        within = (boxes[:, 0] >= low).all(axis=1) & (boxes[:, 1] <= high).all(axis=1) & (volumes < volumes[outer])
        candidates = np.flatnonzero(within).tolist()
        if candidates:
            samples = [shells[inner].samples for inner in candidates]
            enclosed = np.split(
                _enclosed(np.concatenate(samples), shells[outer]), np.cumsum([len(points) for points in samples])[:-1]
            )
            for inner, lies_in in zip(candidates, enclosed, strict=True):
                if lies_in.all():
                    around[inner].append(outer)
    return around


def _overlap(one: _Shell, other: _Shell) -> bool:
    """Whether two shells, neither of which lies in the other, have an inside in common."""
    (low, high), (other_low, other_high) = one.box, other.box
    if (low >= other_high).any() or (other_low >= high).any():
        return False
    return bool(_enclosed(one.samples, other).any() or _enclosed(other.samples, one).any())


def _enclosed(points: np.ndarray, shell: _Shell) -> np.ndarray:
    """Which of the points (k, 3) lie inside a shell, bool (k,)."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersModeling import vtkSelectEnclosedPoints

    def poly_data(coordinates: np.ndarray) -> vtkPolyData:
        data, vtk_points = vtkPolyData(), vtkPoints()
        vtk_points.SetData(numpy_to_vtk(coordinates, deep=True))
        data.SetPoints(vtk_points)
        return data

    number, triangles = np.unique(shell.triangles, return_inverse=True)
    coordinates = np.empty((len(number), 3))
    coordinates[triangles.reshape(-1)] = shell.corners.reshape(-1, 3)
    surface, faces = poly_data(coordinates), vtkCellArray()
    faces.SetData(3, numpy_to_vtk(triangles.reshape(-1).astype(np.int64), deep=True))
    surface.SetPolys(faces)
    select = vtkSelectEnclosedPoints()
    select.SetInputData(poly_data(points))
    select.SetSurfaceData(surface)
    select.SetTolerance(1e-9)
    select.Update()
    return vtk_to_numpy(select.GetOutput().GetPointData().GetArray("SelectedPoints")).astype(bool)
