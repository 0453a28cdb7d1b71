"""How thin the parts of a phase are, and a cell without the thinnest ones.

What a disc or ball of some width cannot enter is found by opening. Of that, corners do not count; a part that touches
what is left in one place is a spur, one that joins two places a neck or a wall.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, find_objects, label, maximum_filter

from relaxdesign.microstructure.connectivity import pieces

Voxels = NDArray[np.bool_]

_CORNER = 0.8
"""How far from what is left an opening may take voxels away, of its radius, as it rounds off corners (cube: √3 − 1)."""
_AWAY = 0.5  # voxels beyond the interface to which spurs are moved


def smallest_feature(phase: Voxels) -> float:
    """Width in voxels of the thinnest neck, wall or spur of a phase (*grid) in a periodic cell, to half a voxel."""
    phase = phase.squeeze()
    radius, widest = 0.5, float(distance(phase).max())
    while radius + 0.25 < widest and not any(True for _ in _thin_parts(phase, radius + 0.25)):
        radius += 0.25
    return 2.0 * radius


def thickened(level: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A level set (*grid) whose necks and walls are no thinner than a width in voxels, in either phase; without spurs.

    What is thin is widened about its middle. Where both phases are thin, phase 1 is given room.
    """
    for sign in (-1.0, 1.0):
        phase = sign * level > 0
        necks, spurs = _thin(phase, width)
        inside = distance(phase)
        middle = necks & (inside >= maximum_filter(inside, 3, mode="wrap"))
        level = np.where(spurs, -sign * _AWAY, level)
        if middle.any():
            level = sign * np.maximum(sign * level, width / 2.0 - distance(~middle))
    return level


def thin(level: NDArray[np.float64], width: float) -> tuple[Voxels, Voxels]:
    """Necks and walls of phases 1 and 0 that are thinner than a width in voxels, and what is next to them."""
    first, second = (_widened(_thin(phase, width)[0], 1) for phase in (level > 0, level <= 0))
    return first, second


def distance(phase: Voxels) -> NDArray[np.float64]:
    """Voxels from the centre of each voxel of a phase to the nearest centre outside, periodic; 0 outside."""
    margin = phase.shape[0] // 2
    middle = tuple(slice(margin, margin + edge) for edge in phase.shape)
    return np.asarray(distance_transform_edt(np.pad(phase, margin, mode="wrap")))[middle]


@dataclass(frozen=True, eq=False)
class _Part:
    """Too thin. joins: whether it touches what is left in more than one place, or nothing is left and it is endless."""

    voxels: Voxels
    joins: bool


def _thin_parts(phase: Voxels, radius: float) -> Iterator[_Part]:
    """The parts of a phase that a disc or ball cannot enter, but for corners."""
    core = distance(phase) > radius
    opened = (distance(~core) <= radius) & phase if core.any() else np.zeros_like(phase)
    far = distance(~opened) if opened.any() else np.full(phase.shape, np.inf)
    found = pieces(phase & ~opened, corners=True)  # a thin wall may go on across corners
    for number, box in enumerate(find_objects(found.numbers), 1):
        part = found.numbers == number
        places = _places(part, opened, box)
        if places > 1 or (not places and found.spans[number - 1]):
            yield _Part(part, True)
        elif not places or (far[part] > _CORNER * radius + 1.0).any():
            yield _Part(part, False)


def _thin(phase: Voxels, width: float) -> tuple[Voxels, Voxels]:
    """Necks and walls of a phase, and spurs, that are thinner than a width in voxels."""
    necks, spurs = np.zeros_like(phase), np.zeros_like(phase)
    for part in _thin_parts(phase, width / 2.0):
        (necks if part.joins else spurs)[part.voxels] = True
    return necks, spurs


def _places(part: Voxels, opened: Voxels, box: tuple[slice, ...]) -> int:
    """In how many places a part, which a box holds, touches what is left."""
    inside = all(s.start > 0 and s.stop < edge for s, edge in zip(box, part.shape, strict=True))
    if inside:  # so that nothing crosses a face of the cell
        around = tuple(slice(s.start - 1, s.stop + 1) for s in box)
        neighbours = np.ones((3,) * part.ndim, dtype=bool)
        return label(binary_dilation(part[around], neighbours) & opened[around], neighbours)[1]  # type: ignore[index]
    return len(pieces(_widened(part, 1) & opened, corners=True).voxels)


def _widened(voxels: Voxels, by: int) -> Voxels:
    """With all neighbours, across corners too, in a periodic cell."""
    neighbours = np.ones((3,) * voxels.ndim, dtype=bool)
    middle = (slice(by, -by),) * voxels.ndim
    widened = binary_dilation(np.pad(voxels, by, mode="wrap"), neighbours, iterations=by)
    return np.asarray(widened, dtype=bool)[middle]
