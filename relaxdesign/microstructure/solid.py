"""The solid of a cell with voids as something to be made: whether it is one piece, and its smallest feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, label

from relaxdesign.microstructure.connectivity import pieces

_CORNER = 0.8
"""How far from what is left an opening may take voxels away, of its radius, as it rounds off corners (cube: √3 − 1)."""


@dataclass(frozen=True)
class Solid:
    """The solid of a periodic cell.

    connected: whether it is one piece that goes on for ever along all axes. components: its pieces. min_feature: width
    of its thinnest neck or wall, in cell edges.
    """

    connected: bool
    components: int
    min_feature: float

    @staticmethod
    def of(solid: NDArray[np.bool_]) -> Solid:
        """Of its voxels (*grid)."""
        found = pieces(solid)
        return Solid(found.connected, len(found.voxels), smallest_feature(solid) / solid.shape[0])

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Solid | None:
        """That of a record which has its fields; None if it has none."""
        if values.get("connected") is None:
            return None
        return Solid(values["connected"], values["components"], values["min_feature"])


def smallest_feature(phase: NDArray[np.bool_]) -> float:
    """Width in voxels of the thinnest neck or wall of a phase (*grid) in a periodic cell.

    That of the largest disc or ball that goes everywhere in the phase but into corners: opening with it parts nothing
    and takes nothing away that is far from what is left. To half a voxel.
    """
    margin = phase.shape[0] // 2
    axes = [(margin, margin) if edge > 1 else (0, 0) for edge in phase.shape]
    inside = np.asarray(distance_transform_edt(np.pad(phase, axes, mode="wrap")))
    middle = tuple(slice(before, before + edge) for (before, _), edge in zip(axes, phase.shape, strict=True))
    radius = 0.5
    while radius + 0.25 < inside.max():
        wider = radius + 0.25
        opened = np.asarray(distance_transform_edt(inside <= wider)) <= wider
        far = np.asarray(distance_transform_edt(~opened))[middle]
        opened = opened[middle] & phase
        lost = phase & ~opened
        if (far[lost] > _CORNER * wider + 1.0).any() or _parts(lost, opened):
            break
        radius = wider
    return 2.0 * radius


def _parts(lost: NDArray[np.bool_], kept: NDArray[np.bool_]) -> bool:
    """Whether what is lost joined parts that are kept: one of its pieces touches them in two places or more."""
    whole = np.ones((3,) * lost.ndim, dtype=bool)
    numbers, count = label(lost, whole)  # type: ignore[misc]
    for number in range(1, count + 1):
        piece = numbers == number
        if piece.sum() > 1 and label(binary_dilation(piece, whole) & kept, whole)[1] > 1:  # type: ignore[index]
            return True
    return False
