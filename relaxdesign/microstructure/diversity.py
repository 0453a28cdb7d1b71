"""How different cells are from each other: share of voxels that differ however one is laid on the other, and topology.

Plain NumPy; cells are periodic, so that each may be shifted, and turned and mirrored as their voxels allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations, product

import numpy as np
from numpy.typing import NDArray


def difference(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Share of voxels that differ, 0 to 1, the second cell shifted, turned and mirrored so that fewest do.

    first, second: one phase of each cell, (n, n) or (n, n, n).
    """
    if first.shape != second.shape or len(set(first.shape)) != 1:
        raise ValueError(f"cells of shapes {first.shape} and {second.shape}: give two of the same cubic grid")
    spectrum = np.fft.rfftn(first.astype(np.float64))
    most = max(_most_common(spectrum, turned) for turned in _turned(second))
    return float(first.sum() + second.sum() - 2.0 * most) / first.size


def mean_difference(cells: Sequence[NDArray[np.bool_]]) -> float | None:
    """Mean of `difference` over all pairs of cells; None of fewer than two."""
    found = [difference(first, second) for first, second in combinations(cells, 2)]
    return float(np.mean(found)) if found else None


def betti_numbers(phase: NDArray[np.bool_]) -> tuple[int, ...]:
    """Pieces, independent loops and, in 3D, closed surfaces of a phase (*grid) in its periodic cell.

    Voxels that share a corner hang together. Raises ModuleNotFoundError without GUDHI (extra ``baselines``).
    """
    try:
        from gudhi import PeriodicCubicalComplex
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'Betti numbers need the extra "baselines": pip install "relaxdesign[baselines]" ({error.name} is missing)'
        ) from None

    cells = np.where(phase, 0.0, 1.0)
    complex_ = PeriodicCubicalComplex(top_dimensional_cells=cells, periodic_dimensions=[True] * phase.ndim)
    complex_.compute_persistence(homology_coeff_field=2, min_persistence=-1)
    return tuple(complex_.persistent_betti_numbers(0.0, 0.5)[: phase.ndim])


def _most_common(spectrum: NDArray[np.complex128], cell: NDArray[np.bool_]) -> int:
    """Most voxels that a cell of this spectrum and another have in common, over all shifts."""
    common = np.fft.irfftn(spectrum * np.fft.rfftn(cell.astype(np.float64)).conj(), cell.shape, range(cell.ndim))
    return round(float(common.max()))


def _turned(cell: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """A cell in all orientations: 8 in 2D, 48 in 3D, mirrored ones too."""
    for axes in permutations(range(cell.ndim)):
        for flips in product((False, True), repeat=cell.ndim):
            flipped = tuple(axis for axis, flip in enumerate(flips) if flip)
            yield np.flip(cell.transpose(axes), flipped)
