"""How a phase hangs together in a periodic cell: its pieces, and along which directions each goes on for ever.

A piece that leaves the cell on one side enters on the other. It goes on for ever along a direction if it meets an image
of itself there: a fibre does along its axis, a grain nowhere, a network everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label


@dataclass(frozen=True, eq=False)
class Pieces:
    """Of one phase, largest first.

    numbers: piece of every voxel from 1 on, 0 elsewhere, (*grid). voxels: of each piece. spans: how many independent
    directions each goes on along for ever, 0 to dim.
    """

    numbers: NDArray[np.int32]
    voxels: NDArray[np.int64]
    spans: tuple[int, ...]

    @property
    def connected(self) -> bool:
        """Whether there is one piece, and it goes on for ever along all axes: what can be held in one's hands."""
        return len(self.voxels) == 1 and self.spans[0] == self.numbers.ndim

    @property
    def largest(self) -> NDArray[np.bool_]:
        """The voxels of the largest piece."""
        return self.numbers == 1

    @property
    def ended(self) -> NDArray[np.bool_]:
        """The voxels of the pieces that go on for ever nowhere: of a void, those that nothing can be taken out of."""
        return np.array([False, *(span == 0 for span in self.spans)])[self.numbers]


def pieces(phase: NDArray[np.bool_], *, corners: bool = False) -> Pieces:
    """The pieces of a phase (*grid) whose voxels share faces, in a cell that is periodic along all axes.

    corners: whether voxels of the cell that share an edge or a corner hang together too. Axes of one voxel do not count
    as directions.
    """
    neighbours = np.ones((3,) * phase.ndim, dtype=bool) if corners else None
    labelled: tuple[NDArray[np.int32], int] = label(phase, neighbours)  # type: ignore[assignment]
    inside, count = labelled  # as if the cell ended at its faces
    links = _links(inside)
    root, turns = _placed(count, links)
    roots, number = np.unique(root, return_inverse=True)
    voxels = np.zeros(len(roots), dtype=np.int64)
    np.add.at(voxels, number, np.bincount(inside.ravel(), minlength=count + 1)[1:])
    order = np.argsort(-voxels, kind="stable")
    rank = np.empty(len(roots), dtype=np.int32)
    rank[order] = np.arange(1, len(roots) + 1)
    numbers = np.concatenate(([0], rank[number])).astype(np.int32)[inside]
    spans = tuple(
        int(np.linalg.matrix_rank(np.array(turns[int(roots[i])]))) if int(roots[i]) in turns else 0 for i in order
    )
    return Pieces(numbers, voxels[order], spans)


def euler_characteristic(phase: NDArray[np.bool_]) -> int:
    """Pieces less tunnels plus cavities of a phase (*grid) in a periodic cell, its voxels sharing corners.

    The alternating sum of corners, edges, faces and interiors of its voxels.
    """
    cells = [(1, phase)]  # sign, and where there is one: interiors of voxels, of which each axis makes faces too
    for axis in range(phase.ndim):
        cells = [each for sign, at in cells for each in ((sign, at), (-sign, at | np.roll(at, 1, axis)))]
    return (-1) ** phase.ndim * sum(sign * int(at.sum()) for sign, at in cells)


def _links(inside: NDArray) -> list[tuple[int, int, int]]:
    """Pairs of pieces (from 1 on) that meet across a face of the cell, each with the axis that is crossed."""
    links = set()
    for axis in range(inside.ndim):
        if inside.shape[axis] == 1:
            continue
        last, first = (inside.take(i, axis).ravel() for i in (-1, 0))
        both = (last > 0) & (first > 0)
        links |= {(int(a), int(b), axis) for a, b in np.unique(np.stack((last[both], first[both]), 1), axis=0)}
    return sorted(links)


def _placed(
    count: int, links: list[tuple[int, int, int]]
) -> tuple[NDArray[np.int64], dict[int, list[NDArray[np.int64]]]]:
    """The root of every piece, and by root the translations that lead from it to itself.

    Breadth first: every piece gets the cell, counted from its root's, in which it is met; a link that leads to a piece
    in another cell than it was met in closes a loop around the periodic cell.
    """
    neighbours: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for a, b, axis in links:
        neighbours[a].append((b, axis, 1))
        neighbours[b].append((a, axis, -1))
    root = np.zeros(count, dtype=np.int64)
    cell: dict[int, NDArray[np.int64]] = {}
    turns: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
    for start in range(1, count + 1):
        if start in cell:
            continue
        cell[start], root[start - 1], open_ = np.zeros(3, dtype=np.int64), start, [start]
        while open_:
            at = open_.pop()
            for there, axis, sign in neighbours[at]:
                place = cell[at].copy()
                place[axis] += sign
                if there not in cell:
                    cell[there], root[there - 1] = place, start
                    open_.append(there)
                elif (turn := place - cell[there]).any():
                    turns[start].append(turn)
    return root, turns
