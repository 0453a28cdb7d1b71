"""A finite element mesh of a periodic cell: nodes, elements with their phase, and which nodes are images of others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from relaxdesign.materials import Material

_NEAR = 1e-6
"""Of the longest edge: as near two nodes are one after a translation by edges of the cell."""


@dataclass(frozen=True)
class Element:
    """A kind of element. vtk: its name in meshio. abaqus: of the type in Abaqus and CalculiX. corners: of its nodes.

    Nodes are in the order of Abaqus, which VTK has too for these kinds.
    """

    vtk: str
    abaqus: str
    corners: int


HEXAHEDRON = Element("hexahedron", "C3D8", 8)
TETRAHEDRON = Element("tetra", "C3D4", 4)
TETRAHEDRON_10 = Element("tetra10", "C3D10", 4)
WEDGE = Element("wedge", "C3D6", 6)
WEDGE_15 = Element("wedge15", "C3D15", 6)

_EDGES = {
    TETRAHEDRON: ((0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)),
    WEDGE: ((0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)),
}
_QUADRATIC = {TETRAHEDRON: TETRAHEDRON_10, WEDGE: WEDGE_15}


@dataclass(frozen=True, eq=False)
class Twins:
    """Pairs of nodes on opposite faces. image, node: (n,) of each pair; no image is the node of another pair.

    offset: (n, 3) from the node to its image, in edges of the cell, of -1, 0 and 1.
    """

    image: NDArray[np.int64]
    node: NDArray[np.int64]
    offset: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Elements that fill the solid phases of one cell.

    points: float64 (n, 3), mm, every one a node of an element. elements: (m, nodes of an element), from 0. phase:
    uint8 (m,), label of each. kind: of all elements. size: edges of the cell in mm, its corner lies in the origin.
    names, materials: of all phases, by label. told: what there is to say of it, in sentences.
    """

    points: NDArray[np.float64]
    elements: NDArray[np.int64]
    phase: NDArray[np.uint8]
    kind: Element
    size: tuple[float, float, float]
    names: tuple[str, ...]
    materials: tuple[Material, ...]
    told: tuple[str, ...] = ()

    @property
    def phases(self) -> list[int]:
        """Labels of the phases that have elements."""
        return np.unique(self.phase).tolist()

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """Volume of every element by its corners, mm³; negative where they are in the wrong order."""
        corner = [self.points[self.elements[:, i]] for i in range(self.kind.corners)]
        volumes = np.zeros(len(self.elements))
        for a, b, c, d in _SPLIT[self.kind.corners]:
            across = np.cross(corner[b] - corner[a], corner[c] - corner[a])
            volumes += np.einsum("ij,ij->i", across, corner[d] - corner[a]) / 6.0
        return volumes

    @property
    def shares(self) -> tuple[float, ...]:
        """Volume of the elements of each phase over that of the cell."""
        volume = np.bincount(self.phase, self.volumes, minlength=len(self.names))
        return tuple(float(share) for share in volume / np.prod(self.size))

    @cached_property
    def twins(self) -> Twins:
        """The nodes on faces of the cell that are images of others, of each group the first being the node."""
        size = np.array(self.size)
        near = _NEAR * size.max()
        on_face = np.flatnonzero(((self.points < near) | (self.points > size - near)).any(axis=1))
        at = self.points[on_face]
        turns = np.where(at > size - near, 1, 0)
        pairs = KDTree(at - turns * size).query_pairs(2 * near, output_type="ndarray")
        links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(at),) * 2)
        group = connected_components(links, directed=False)[1]
        order = np.lexsort((turns.sum(axis=1), group))  # of each group the node with the fewest turns comes first
        first = np.concatenate(([True], np.diff(group[order]) > 0)) if len(order) else np.zeros(0, bool)
        leader = order[first][group[order]]
        image, node = order[~first], leader[~first]
        return Twins(on_face[image], on_face[node], turns[image] - turns[node])

    def quadratic(self) -> Mesh:
        """The same with a node in the middle of every edge of an element."""
        ends = np.sort(self.elements[:, _EDGES[self.kind]], axis=2)
        edges, number = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True)
        middles = len(self.points) + number.reshape(len(self.elements), -1)
        points = np.concatenate([self.points, self.points[edges].mean(axis=1)])
        kind = _QUADRATIC[self.kind]
        elements = np.concatenate([self.elements, middles], axis=1)
        return Mesh(points, elements, self.phase, kind, self.size, self.names, self.materials, self.told)

    def linear(self) -> Mesh:
        """The same with the corners of its elements alone."""
        kind = {quadratic: linear for linear, quadratic in _QUADRATIC.items()}.get(self.kind, self.kind)
        points, elements = used(self.points, self.elements[:, : kind.corners])
        return Mesh(points, elements, self.phase, kind, self.size, self.names, self.materials, self.told)


_SPLIT = {
    4: ((0, 1, 2, 3),),
    6: ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5)),
    8: ((0, 1, 2, 5), (0, 2, 3, 7), (0, 5, 7, 4), (2, 7, 5, 6), (0, 2, 7, 5)),
}
"""Tetrahedra that an element is divided into, by its number of corners."""


def used(points: NDArray[np.float64], elements: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The points that elements have as nodes, and the elements renumbered to them."""
    kept, number = np.unique(elements, return_inverse=True)
    return points[kept], number.reshape(elements.shape).astype(np.int64)
