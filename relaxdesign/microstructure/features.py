"""How thin the parts of a phase are, and a cell without the thinnest ones.

What a disc or ball of some width cannot enter is found by opening. Of that, corners do not count; a part that touches
what is left in one place is a spur, one that joins two places a neck or a wall. A neck that is shorter than it is wide
balls enter from both sides: it is found by erosion, which leaves how a phase hangs together as it is until a neck or a
wall is worn away. Widths are known to a voxel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, find_objects, label, maximum, maximum_filter

from relaxdesign.microstructure.connectivity import euler_characteristic, pieces

Voxels = NDArray[np.bool_]

_CORNER = 0.8
"""How far from what is left an opening may take voxels away, of its radius, as it rounds off corners (cube: √3 − 1)."""
_ROUGH = 0.75
"""Voxels by which what an erosion leaves in several pieces has to be thicker: voxels make ridges of distance uneven."""
_STEP = 0.25  # voxels, of radii
_ROUNDS = 12  # of making what is thinnest thicker
_GROWTH = 1.25  # voxels from the centres of voxels to the interface around them, so that neighbours belong to them
_BESIDE = 2  # voxels within which a neck that an erosion wears away has what is left on both sides
_AWAY = 0.5  # voxels beyond the interface to which spurs are moved


def smallest_feature(phase: Voxels) -> float:
    """Width in voxels of the thinnest neck, wall or spur of a phase (*grid) in a periodic cell, to half a voxel."""
    phase = phase.squeeze()
    inside = distance(phase)
    return 2.0 * (_thinnest(phase, inside, float(inside.max())) - _STEP)


def thickened(level: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A level set (*grid) whose necks and walls are no thinner than a width in voxels, in either phase; without spurs.

    What is thin is widened about its middle. Where both phases are thin, phase 1 is given room.
    """
    for sign in (-1.0, 1.0):
        phase = sign * level > 0
        inside = distance(phase)
        necks, spurs = _thin(phase, inside, width)
        middle = necks & (inside >= maximum_filter(inside, 3, mode="wrap"))
        level = np.where(spurs, -sign * _AWAY, level)
        if middle.any():
            level = sign * np.maximum(sign * level, width / 2.0 - distance(~middle))
    return level


def mended(level: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A level set (*grid) whose smallest feature, of either phase, is no less than a width in voxels if that can be.

    The thinnest necks and walls become thicker by a voxel all around, round after round, and spurs go.
    """
    for _ in range(_ROUNDS):
        before = level > 0
        for sign in (-1.0, 1.0):
            level = sign * _thinnest_mended(sign * level, width)
        if np.array_equal(level > 0, before):
            break
    return level


def thin(level: NDArray[np.float64], width: float) -> tuple[Voxels, Voxels]:
    """Necks and walls of phases 1 and 0 that are thinner than a width in voxels, and what is next to them."""
    first, second = (around_thin(phase, width) for phase in (level > 0, level <= 0))
    return first, second


def around_thin(phase: Voxels, width: float) -> Voxels:
    """Necks and walls of a phase (*grid) that are thinner than a width in voxels, and what is next to them."""
    return _widened(_thin(phase, distance(phase), width)[0], 1)


def middle_of_thin(phase: Voxels, width: float) -> Voxels:
    """The middle of necks and walls of a phase (*grid) that are thinner than a width in voxels, and of thin pieces.

    Spurs and specks, pieces with less voxels than a square (cube) of that width, are left out.
    """
    inside = distance(phase)
    necks, spurs = _thin(phase, inside, width)
    found = pieces(phase, corners=True)
    for number, voxels in enumerate(found.voxels, 1):
        piece = found.numbers == number
        if voxels >= width**phase.ndim and spurs[piece].all():
            necks |= piece
    return necks & (inside >= maximum_filter(inside, 3, mode="wrap"))


def too_thin(phase: Voxels, width: float) -> Voxels:
    """Necks, walls, spurs and specks of a phase (*grid) that are thinner than a width in voxels; short necks too."""
    inside = distance(phase)
    necks, spurs = _thin(phase, inside, width)
    radius = _thinnest(phase, inside, width / 2.0 + _STEP)
    return necks | spurs | (_worn_away(inside, radius) if radius <= width / 2.0 else False)


def distance(phase: Voxels, most: float = np.inf) -> NDArray[np.float64]:
    """Voxels from the centre of each voxel of a phase to the nearest centre outside, periodic; 0 outside.

    most: voxels beyond which it may be too large, which is quicker.
    """
    margin = min(phase.shape[0] // 2, int(min(most, phase.shape[0])) + 1)
    middle = tuple(slice(margin, margin + edge) for edge in phase.shape)
    return np.asarray(distance_transform_edt(np.pad(phase, margin, mode="wrap")))[middle]


@dataclass(frozen=True, eq=False)
class _Part:
    """Too thin. joins: whether it touches what is left in more than one place, or nothing is left and it is endless."""

    voxels: Voxels
    joins: bool


def _thinnest(phase: Voxels, inside: NDArray[np.float64], most: float) -> float:
    """The smallest radius in voxels, by steps, with which something is too thin; that from `most` on if nothing is."""
    erosion, radius = _Erosion(phase, inside), 0.5 + _STEP
    while radius < most and not (erosion.parts(radius) or any(True for _ in _thin_parts(phase, inside, radius))):
        radius += _STEP
    return radius


def _thinnest_mended(level: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A level set whose thinnest necks and walls where it is positive, if thinner than a width in voxels, grow."""
    phase = level > 0
    inside = distance(phase)
    radius = _thinnest(phase, inside, width / 2.0 + _STEP)
    if radius > width / 2.0:
        return level
    necks, spurs = _thin(phase, inside, 2.0 * radius)
    level = np.where(spurs, -_AWAY, level)
    for part, around in ((necks, _GROWTH), (_worn_away(inside, radius), radius + 0.5)):
        if part.any():
            level = np.maximum(level, around - distance(~part))
    return level


class _Erosion:
    """How a phase (*grid) hangs together, against what is left of it by erosions. inside: its distance in voxels."""

    def __init__(self, phase: Voxels, inside: NDArray[np.float64]) -> None:
        self._inside = inside
        self._phase, self._outside = pieces(phase, corners=True), pieces(~phase)
        self._loops = len(self._phase.voxels) - euler_characteristic(phase)

    def parts(self, radius: float) -> bool:
        """Whether an erosion by a radius in voxels wears a neck or a wall away.

        Then a piece is cut in two, goes on along fewer directions or has fewer loops, or what is outside has fewer
        pieces or goes on along more directions.
        """
        core = self._inside > radius
        outside = pieces(~core)
        if len(outside.voxels) < len(self._outside.voxels) or sum(outside.spans) > sum(self._outside.spans):
            return True
        left = pieces(core, corners=True)
        if not len(left.voxels):
            return False
        number = np.arange(1, len(left.voxels) + 1)
        of = np.asarray(maximum(self._phase.numbers, left.numbers, number), dtype=int)
        thick = np.asarray(maximum(self._inside, left.numbers, number)) > radius + _ROUGH
        if np.bincount(of[thick]).max(initial=0) > 1:
            return True
        spans = np.zeros(len(self._phase.voxels) + 1, dtype=int)
        np.maximum.at(spans, of, left.spans)
        if (spans[1:] < self._phase.spans).any():
            return True
        return len(left.voxels) - euler_characteristic(core) < self._loops  # the cavities being as many


def _thin_parts(phase: Voxels, inside: NDArray[np.float64], radius: float) -> Iterator[_Part]:
    """The parts of a phase that a disc or ball cannot enter, but for corners. inside: its distance in voxels."""
    core, corner = inside > radius, _CORNER * radius + 1.0
    opened = (distance(~core, radius) <= radius) & phase if core.any() else np.zeros_like(phase)
    far = distance(~opened, corner) if opened.any() else np.full(phase.shape, np.inf)
    found = pieces(phase & ~opened, corners=True)  # a thin wall may go on across corners
    for number, box in enumerate(find_objects(found.numbers), 1):
        part = found.numbers == number
        places = _places(part, opened, box)
        if places > 1 or (not places and found.spans[number - 1]):
            yield _Part(part, True)
        elif not places or (far[part] > corner).any():
            yield _Part(part, False)


def _thin(phase: Voxels, inside: NDArray[np.float64], width: float) -> tuple[Voxels, Voxels]:
    """Necks and walls of a phase, and spurs, thinner than a width in voxels. inside: its distance in voxels."""
    necks, spurs = np.zeros_like(phase), np.zeros_like(phase)
    for part in _thin_parts(phase, inside, width / 2.0):
        (necks if part.joins else spurs)[part.voxels] = True
    return necks, spurs


def _worn_away(inside: NDArray[np.float64], radius: float) -> Voxels:
    """Of what the last step of an erosion takes away, what has more than one part of what is left close by."""
    core = np.pad(inside > radius, _BESIDE, mode="wrap")
    neighbours, worn = np.ones((3,) * inside.ndim, dtype=bool), (inside > radius - _STEP) & (inside <= radius)
    for at in np.argwhere(worn):
        worn[tuple(at)] = label(core[tuple(slice(i, i + 2 * _BESIDE + 1) for i in at)], neighbours)[1] > 1  # type: ignore[index]
    return worn


def _places(part: Voxels, opened: Voxels, box: tuple[slice, ...]) -> int:
    """In how many places a part, which a box holds, touches what is left."""
    crossing = [axis for axis, s in enumerate(box) if s.start == 0 or s.stop == part.shape[axis]]
    for axis in crossing:  # translated so that nothing crosses a face of the cell, if that can be
        empty = ~part.any(tuple(a for a in range(part.ndim) if a != axis))
        between = np.flatnonzero(empty & np.roll(empty, 1))
        if not len(between):
            return len(pieces(_widened(part, 1) & opened, corners=True).voxels)
        part, opened = (np.roll(each, -between[0], axis) for each in (part, opened))
    if crossing:
        box = find_objects(part.astype(np.uint8))[0]  # type: ignore[assignment]
    around = tuple(slice(s.start - 1, s.stop + 1) for s in box)
    neighbours = np.ones((3,) * part.ndim, dtype=bool)
    return label(binary_dilation(part[around], neighbours) & opened[around], neighbours)[1]  # type: ignore[index]


def _widened(voxels: Voxels, by: int) -> Voxels:
    """With all neighbours, across corners too, in a periodic cell."""
    neighbours = np.ones((3,) * voxels.ndim, dtype=bool)
    middle = (slice(by, -by),) * voxels.ndim
    widened = binary_dilation(np.pad(voxels, by, mode="wrap"), neighbours, iterations=by)
    return np.asarray(widened, dtype=bool)[middle]
