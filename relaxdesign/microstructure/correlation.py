"""What a microstructure says of itself: its two-point correlation.

Plain NumPy. Phases are labels (nx, ny, nz) of a periodic cell; a 2D cell has nz = 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def two_point_correlation(phase: ArrayLike) -> NDArray[np.float64]:
    """S₂(r): the probability that two points a distance r apart both lie in the phase labelled 1.

    Exact for the periodic voxel cell, by the Wiener–Khinchin theorem (Torquato 2002, Random Heterogeneous Materials,
    sec. 2.2): S₂(0) is the volume fraction φ, and S₂ → φ² where there is no order at long range.

    Args:
        phase: labels (nx, ny, nz), 1 or True in the phase.

    Returns:
        S₂ by the shift in voxels (nx, ny, nz), r = 0 in the middle, at index (nx // 2, ny // 2, nz // 2).
    """
    inside = np.asarray(phase)
    if inside.ndim != 3 or inside.size == 0:
        raise ValueError(f"the phase has shape {inside.shape}, expected (nx, ny, nz)")
    spectrum = np.fft.fftn(inside.astype(np.float64))
    correlation = np.fft.ifftn(np.abs(spectrum) ** 2).real / inside.size
    return np.fft.fftshift(correlation)


def radial_average(correlation: ArrayLike) -> tuple[NDArray, NDArray]:
    """Mean over all directions of what `two_point_correlation` returned.

    Returns:
        Distances r in voxel edges, from 0 to half of the cell (beyond, the periodic images repeat), and the mean in
        shells one voxel thick around them; the first is r = 0 alone.
    """
    values = np.asarray(correlation, dtype=np.float64)
    axes = np.meshgrid(*(np.arange(n) - n // 2 for n in values.shape), indexing="ij")
    shell = np.rint(np.sqrt(sum(axis.astype(np.float64) ** 2 for axis in axes))).astype(np.int64).ravel()
    largest = min(n for n in values.shape if n > 1) // 2 if max(values.shape) > 1 else 0
    total = np.bincount(shell, weights=values.ravel())
    count = np.bincount(shell)
    return np.arange(largest + 1, dtype=np.float64), (total / np.maximum(count, 1))[: largest + 1]
