"""Signs that a voxel grid cannot carry the details of its cell: warnings beside a result, at no cost of a solve.

The finite element is too stiff where a field turns within a voxel. Three signs are taken from the field: voxels that
stand alone, phases that touch across an edge, where the exact strain is singular, and phases that meet crosswise, as on
a checkerboard of large fields. Measured against grids refined twice to four times, cells beyond the limits below are
off by 5 % to 170 % at contrasts from 10. A fourth is proof: the averages K, G and k of a periodic cell obey the
Hashin–Shtrikman–Walpole bounds in every geometry, as with the same polarisation for all directions of a load the
interaction Γ(ξ) enters by its trace, which does not depend on ξ.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from relaxdesign.physics.bounds import Bounds

JUMP = 5.0
"""Ratio of neighbouring voxels from which they count as different materials here."""
MOST_ALONE, MOST_TOUCHING = 0.05, 0.06
"""Limits of `share_alone` and `share_touching`; resolved discs and spheres stay below (designs at 64² and 32³)."""
ARM = 3
"""Voxels along both axes that are alike on every side of a crossing."""
LEAST_EXCESS = 0.01
"""Relative distance from a bound at which it counts as left."""

HANGS_TOGETHER = 1e-6
"""Share of the Voigt average below which the average of a cell with voids comes from the trace in them."""

REMEDY = "repeat every voxel 2 or 3 times along each axis (numpy.repeat), evaluate again and compare"


def share_alone(values: np.ndarray) -> float:
    """Share of voxels that differ by `JUMP` from both neighbours, to the same side, along two axes or more.

    values: positive, (nx, ny, nz), periodic. A layer one voxel thick is exact and does not count.
    """
    logs, jump = np.log(values), np.log(JUMP)
    axes = np.zeros(values.shape, np.uint8)
    for axis in _long_axes(values):
        before, after = logs - np.roll(logs, 1, axis), logs - np.roll(logs, -1, axis)
        axes += (np.minimum(before, after) > jump) | (np.maximum(before, after) < -jump)
    return float((axes >= 2).mean())


def share_touching(values: np.ndarray) -> float:
    """Share of 2 × 2 blocks at interfaces whose diagonals differ by `JUMP`, as on a checkerboard.

    There two voxels of a phase touch across an edge only. values: as in `share_alone`.
    """
    touching = interfaces = 0
    for _, _, crosswise, parted in _blocks(np.log(values)):
        touching += int(crosswise.sum())
        interfaces += int(parted.sum())
    return touching / max(interfaces, 1)


def crossings(values: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """Where phases that are resolved meet crosswise, by pairs of axes.

    There the field is singular for every grid (Dykhne's checkerboard of ratio 100: +88 % on 32² voxels, +44 % on 256²).
    values: as in `share_alone`. Returns of every pair the axes and the first voxels (n, 3) of 2 × 2 blocks around which
    `ARM` × `ARM` voxels of each quarter are alike, and those before and after along the third axis: spheres that touch
    in a point, and staircases, are none.
    """
    found, logs = [], np.log(values)
    for first, second, crosswise, _ in _blocks(logs):
        blocks = np.argwhere(crosswise)
        alike = np.ones(len(blocks), bool)
        axes = [first, second, 3 - first - second]
        for (i, j), u, v, w in product(product((0, 1), repeat=2), range(ARM), range(ARM), (-1, 0, 1)):
            near, far = blocks.copy(), blocks.copy()
            near[:, axes] += i, j, 0
            far[:, axes] += i + (2 * i - 1) * u, j + (2 * j - 1) * v, w
            here, there = (logs[tuple((each % values.shape).T)] for each in (near, far))
            alike &= abs(here - there) < np.log(JUMP)
        found.append((first, second, blocks[alike]))
    return found


def _blocks(logs: np.ndarray) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Of every pair of long axes, of all 2 × 2 blocks: whether diagonals differ by `JUMP`, and whether any two do."""
    jump, axes = np.log(JUMP), _long_axes(logs)
    for first, second in ((a, b) for a in axes for b in axes if a < b):
        right = np.roll(logs, -1, first)
        above, opposite = np.roll(logs, -1, second), np.roll(right, -1, second)
        low, high = np.minimum(logs, opposite), np.maximum(logs, opposite)
        other_low, other_high = np.minimum(right, above), np.maximum(right, above)
        crosswise = (low - other_high > jump) | (other_low - high > jump)
        yield first, second, crosswise, np.maximum(high, other_high) - np.minimum(low, other_low) > jump


def grid_warnings(name: str, values: np.ndarray) -> list[str]:
    """What the field of a property, for example ``E`` in GPa, says of its grid; empty for a resolved one."""
    alone, touching = share_alone(values), share_touching(values)
    contrast = f"contrast {float(values.max() / values.min()):.3g}"
    if alone > MOST_ALONE:
        why = f"{100 * alone:.3g} % of the voxels are details of a single voxel in {name} ({contrast})"
    elif touching > MOST_TOUCHING:
        why = f"{100 * touching:.3g} % of the interface are voxels that touch across an edge in {name} ({contrast})"
    elif crossed := sum(len(blocks) for _, _, blocks in crossings(values)):
        return [
            f"phases meet crosswise in {crossed} place(s) in {name} ({contrast}), as on a checkerboard, where the "
            "field is singular: the result is too high on this and on every finer grid, by tens of per cent at high "
            "contrasts"
        ]
    else:
        return []
    return [f"the grid cannot carry this cell: {why}; the result can be far too high: {REMEDY}"]


def bound_warnings(name: str, value: float, bounds: Bounds) -> list[str]:
    """Whether an average modulus or conductivity of a periodic cell lies outside its Hashin–Shtrikman bounds."""
    for bound, side, excess in (
        (float(bounds.hs_upper), "above", value / float(bounds.hs_upper) - 1.0),
        (float(bounds.hs_lower), "below", 1.0 - value / float(bounds.hs_lower) if bounds.hs_lower else 0.0),
    ):
        if excess > LEAST_EXCESS:
            return [
                f"{name} = {value:.5g} lies {100 * excess:.3g} % {side} its Hashin–Shtrikman bound {bound:.5g}, which "
                f"no cell passes: the grid is too coarse, so {REMEDY}"
            ]
    return []


def loose_warnings(name: str, value: float, bounds: Bounds) -> list[str]:
    """Whether the solid of a cell with voids, whose lower bound is 0, is in pieces that pass nothing on."""
    if bounds.reuss or value > HANGS_TOGETHER * float(bounds.voigt):
        return []
    return [f"{name} is practically 0: the solid does not hang together, voids part it in at least one direction"]


def _long_axes(values: np.ndarray) -> list[int]:
    return [axis for axis in range(3) if values.shape[axis] > 1]
