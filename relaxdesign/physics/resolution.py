"""Signs that a voxel grid cannot carry the details of its cell: warnings beside a result, at no cost of a solve.

The finite element is too stiff where a field turns within a voxel. Two signs are taken from the field: voxels that
stand alone, and phases that touch across an edge, where the exact strain is singular. Measured against grids refined
twice to four times, cells beyond the limits below are off by 5 % to 170 % at contrasts from 10. A third is proof: the
averages K, G and k of a periodic cell obey the Hashin–Shtrikman–Walpole bounds in every geometry, as with the same
polarisation for all directions of a load the interaction Γ(ξ) enters by its trace, which does not depend on ξ.
"""

from __future__ import annotations

import numpy as np

from relaxdesign.physics.bounds import Bounds

JUMP = 5.0
"""Ratio of neighbouring voxels from which they count as different materials here."""
MOST_ALONE, MOST_TOUCHING = 0.05, 0.06
"""Limits of `share_alone` and `share_touching`; resolved discs and spheres stay below (designs at 64² and 32³)."""
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
    logs, jump = np.log(values), np.log(JUMP)
    touching = interfaces = 0
    axes = _long_axes(values)
    for first, second in ((a, b) for a in axes for b in axes if a < b):
        right = np.roll(logs, -1, first)
        above, opposite = np.roll(logs, -1, second), np.roll(right, -1, second)
        low, high = np.minimum(logs, opposite), np.maximum(logs, opposite)
        other_low, other_high = np.minimum(right, above), np.maximum(right, above)
        touching += int(((low - other_high > jump) | (other_low - high > jump)).sum())
        interfaces += int((np.maximum(high, other_high) - np.minimum(low, other_low) > jump).sum())
    return touching / max(interfaces, 1)


def grid_warnings(name: str, values: np.ndarray) -> list[str]:
    """What the field of a property, for example ``E`` in GPa, says of its grid; empty for a resolved one."""
    alone, touching = share_alone(values), share_touching(values)
    contrast = f"contrast {float(values.max() / values.min()):.3g}"
    if alone > MOST_ALONE:
        why = f"{100 * alone:.3g} % of the voxels are details of a single voxel in {name} ({contrast})"
    elif touching > MOST_TOUCHING:
        why = f"{100 * touching:.3g} % of the interface are voxels that touch across an edge in {name} ({contrast})"
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
