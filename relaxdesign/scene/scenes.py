"""What a three-dimensional scene shows: the forming phase of a sample, the phases of a cell, or a field painted on it.

A scene is a list of layers in edges of the cell, with the light and the camera that all views of it share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import cast

import numpy as np
import pyvista as pv
from numpy.typing import NDArray
from scipy import ndimage

from relaxdesign.scene.bodies import Exact
from relaxdesign.scene.surfaces import SLAB, cell_size, on_walls, smooth_surface, voxels_at

OUTLINE = "#8894A6"  # to be seen on light and dark
BACKGROUNDS = {False: "#FFFFFF", True: "#12171F"}  # by "dark"

LIGHTS = (((0.0, 0.0, 1.0), 0.55), ((-0.6, 0.9, 1.0), 0.55))
"""Position beside the camera (right, up, towards the viewer) and intensity of each light."""


@dataclass(frozen=True)
class Finish:
    """How a surface takes the light: shares of it, and how narrow its highlights are."""

    ambient: float
    diffuse: float
    specular: float = 0.0
    power: float = 1.0


BODY = Finish(0.25, 0.8, 0.12, 20.0)
PAPER = Finish(0.8, 0.2)
"""Of what is painted on a surface and read against a scale: light hardly changes its colours."""

# Of the standard camera: where it stands from its focus, in longest edges, how far that lies below the middle of the
# cell, and its angle of view.
_DIRECTION = np.array((2.1, 1.5, 1.25))
_DISTANCE = 3.2
_LOWERED = 0.04
VIEW_ANGLE = 30.0

COATING, CORE = 1, 2
"""Phases of coated inclusions."""

_BLUR = 0.7  # voxels: what noise leaves of a surface is smoothed, particles of some voxels are not
SMOOTHING = 20
_CLASSES = 256
_MARGIN = 0.002  # edges of the cell by which what fills it reaches beyond it: faces in one plane would flicker


@dataclass(frozen=True)
class Cut:
    """What is left of a cell along x, y and z: shares of its edges from the origin."""

    x: float = 1.0
    y: float = 1.0
    z: float = 1.0

    def voxels(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Voxels left along each axis, at least one."""
        kept = [max(1, round(share * n)) for share, n in zip((self.x, self.y, self.z), shape, strict=True)]
        return kept[0], kept[1], kept[2]


@dataclass(frozen=True, eq=False)
class Layer:
    """One mesh of a scene. colours: uint8 (points or triangles, 3), or one colour #RRGGBB for all of it.

    moves: by how much the points move as the cell deforms, (points, 3); None where that is not shown.
    """

    name: str
    mesh: pv.PolyData
    colours: NDArray[np.uint8] | str
    opacity: float = 1.0
    finish: Finish = BODY
    moves: NDArray[np.float32] | None = None

    def deformed(self, share: float) -> Layer:
        """With its points moved by a share of their way."""
        if self.moves is None:
            return self
        mesh = self.mesh.copy()
        mesh.points = mesh.points + share * self.moves
        return replace(self, mesh=mesh)


Camera = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Position, focal point and the direction that is up."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Layers of triangles in the outline of a cell. size: edges of the whole cell, the first of them 1.

    copies: how often the layers are drawn along each axis, so much smaller that they fill the outline.
    """

    layers: tuple[Layer, ...]
    size: tuple[float, float, float]
    copies: int = 1

    @property
    def corners(self) -> list[tuple[float, ...]]:
        """Where the copies of the layers begin."""
        places = product(range(self.copies), repeat=3)
        return [tuple(i * edge / self.copies for i, edge in zip(at, self.size, strict=True)) for at in places]

    def deformed(self, share: float) -> Scene:
        """With all points moved by a share of their way."""
        return replace(self, layers=tuple(layer.deformed(share) for layer in self.layers))

    def camera_turned(self, angle: float) -> Camera:
        """The camera, turned about the vertical through its focus by an angle in radians."""
        position, focus, up = (np.array(each) for each in self.camera)
        across, along = np.cos(angle), np.sin(angle)
        turn = np.array(((across, -along, 0.0), (along, across, 0.0), (0.0, 0.0, 1.0)))
        return tuple(focus + turn @ (position - focus)), tuple(focus), tuple(up)

    @property
    def outline(self) -> pv.PolyData:
        """The twelve edges of the cell."""
        return _outline(self.size)

    @property
    def camera(self) -> Camera:
        """From where all of the cell is seen."""
        longest = max(self.size)
        focus = np.array(self.size) / 2 - (0.0, 0.0, _LOWERED * longest)  # perspective makes the near corner large
        away = _DISTANCE * longest * _DIRECTION / np.linalg.norm(_DIRECTION)
        return tuple(focus + away), tuple(focus), (0.0, 0.0, 1.0)


@lru_cache(maxsize=16)
def _outline(size: tuple[float, float, float]) -> pv.PolyData:
    return pv.Box([bound for edge in size for bound in (0.0, edge)]).extract_feature_edges(30)


def lattice(values: NDArray, times: int) -> NDArray:
    """A periodic cell so many times along each axis; a single layer stays one."""
    return np.tile(values, (times, times, 1 if values.shape[2] == 1 else times))


def best_limit(young: NDArray) -> float:
    """The modulus (GPa) that parts the log-moduli of a field best into two classes.

    Otsu 1979, doi:10.1109/TSMC.1979.4310076.
    """
    counts, edges = np.histogram(np.log(young), bins=_CLASSES)
    middles = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts), young.size
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / (total - below)
        between = np.nan_to_num(below * (total - below) * gap**2)[:-1]
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))  # all limits between two crisp phases are as good
    return float(np.exp((edges[1 + best[0]] + edges[1 + best[-1]]) / 2))


def forming_scene(
    young: NDArray,
    paint: Callable[[NDArray], NDArray[np.uint8]],
    *,
    limit: float | None = None,
    soft: bool = False,
    cut: Cut | None = None,
    times: int = 1,
) -> Scene:
    """Shows the stiff (or soft) phase of a relaxed field as it forms: a smooth surface coloured by modulus.

    Args:
        young: Young's moduli (nx, ny, nz), GPa.
        paint: colours uint8 (n, 3) of moduli (n,).
        limit: modulus between the phases, GPa; None: see `best_limit`.
        soft: the soft phase instead of the stiff one.
        cut: what is left of the cell; the faces of the cut show the field's own moduli.
        times: how often the cell is shown along each axis.
    """
    limit = best_limit(young) if limit is None else limit
    whole = cut is None or cut == Cut()
    if not whole:  # another one in each copy
        young = lattice(young, times)
    kept = (cut or Cut()).voxels(young.shape)
    sign = -1.0 if soft else 1.0
    blur = (_BLUR, _BLUR, 0.0 if young.shape[2] == 1 else _BLUR)
    field = ndimage.gaussian_filter(sign * np.log(young), blur, mode="wrap")[: kept[0], : kept[1], : kept[2]]
    mesh = smooth_surface(field, sign * float(np.log(limit)), periodic=whole and times > 1)
    if mesh.n_points == 0:
        return Scene((), cell_size(young.shape))
    # Just inside a surface lies the smeared rim of the phase; what it is made of is its most pronounced neighbour.
    extreme = ndimage.minimum_filter if soft else ndimage.maximum_filter
    voxels = tuple(voxels_at(mesh.points, mesh.point_data["Normals"], kept).T)
    walls = on_walls(mesh.points, kept)
    moduli = np.where(walls, young[voxels], extreme(young, 3, mode="wrap")[voxels])
    layer = layer_of("phase", mesh, young.shape, paint(moduli))
    return Scene((layer,), cell_size(young.shape), times if whole else 1)


def phase_scene(
    labels: NDArray[np.integer],
    colours: Sequence[str],
    *,
    opacities: Sequence[float] | None = None,
    void: int | None = None,
    cut: Cut | None = None,
    coated: bool = False,
    exact: Exact | None = None,
) -> Scene:
    """Shows the phases of a cell: one fills what is left of it, the others have smooth surfaces of their own.

    Args:
        labels: phases (nx, ny, nz), from 0.
        colours, opacities: of each phase; without opacities the one that fills the cell is seen through.
        void: the phase that is void, if any: it fills the cell, unseen without opacities. Else the first fills it.
        cut: what is left of the cell.
        coated: whether phase 1 lies around phase 2, so thinly that voxels leave holes in it: it is drawn as the
            outside of both, and phase 2 in it where the cell's walls, or a coating that is seen through, show it.
        exact: what the inclusions are, to be shown instead of their voxels.
    """
    filling = void or 0
    if opacities is None:
        opacities = [1.0] * len(colours)
        opacities[filling] = 0.2 if void is None else 0.0
    kept = (cut or Cut()).voxels(labels.shape)
    left = labels[: kept[0], : kept[1], : kept[2]]
    layers = []
    for phase in range(len(colours)):
        if phase == filling:
            continue
        paint: NDArray[np.uint8] | str = colours[phase]
        if exact is not None:
            mesh = exact.surface(phase, len(colours), labels.shape, kept)
        else:
            around = coated and phase == COATING
            outside = (left == phase) | (around & (left == CORE))
            mesh = smooth_surface(outside.astype(np.float32), 0.5, smoothing=SMOOTHING)
            paint = _on_walls(mesh, left, colours, phase) if around and mesh.n_points else paint
        if mesh.n_points and opacities[phase] > 0:
            layers.append(layer_of(f"phase {phase}", mesh, labels.shape, paint, opacities[phase]))
    if opacities[filling] > 0:
        margin = _MARGIN * labels.shape[0]
        margins = (margin, margin, _MARGIN / SLAB if labels.shape[2] == 1 else margin)
        bounds = [bound for n, m in zip(kept, margins, strict=True) for bound in (-m, n + m)]
        box = pv.Box(bounds).triangulate()
        box = cast(pv.PolyData, box.compute_normals(cell_normals=False, split_vertices=True))
        layers.append(layer_of(f"phase {filling}", box, labels.shape, colours[filling], opacities[filling]))
    return Scene(tuple(layers), cell_size(labels.shape))


def _on_walls(mesh: pv.PolyData, labels: NDArray[np.integer], colours: Sequence[str], phase: int) -> NDArray[np.uint8]:
    """Colours (triangles, 3) of a surface: that of a phase, and in the walls of the array those of their voxels."""
    palette = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours], dtype=np.uint8)
    triangles = mesh.regular_faces
    middles = mesh.points[triangles].mean(1)
    normals = mesh.point_data["Normals"][triangles].mean(1)
    shown = labels[tuple(voxels_at(middles, normals, labels.shape).T)]
    return palette[np.where(on_walls(middles, labels.shape), shown, phase)]


def layer_of(
    name: str,
    mesh: pv.PolyData,
    shape: tuple[int, ...],
    colours: NDArray[np.uint8] | str,
    opacity: float = 1.0,
    finish: Finish = BODY,
    moves: NDArray | None = None,
) -> Layer:
    """Takes a mesh, and how its points move, from voxels to edges of the cell."""
    voxel = 1.0 / shape[0]
    edges = np.array((voxel, voxel, SLAB if shape[2] == 1 else voxel))
    mesh.points = (mesh.points * edges).astype(np.float32)
    return Layer(name, mesh, colours, opacity, finish, None if moves is None else (moves * edges).astype(np.float32))
