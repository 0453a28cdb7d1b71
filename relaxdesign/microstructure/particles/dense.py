"""Dense random packings of unlike particles.

Overlaps count as the energy of springs, Σ (overlap)² / 4 over pairs, which is descended from random places until none
is left: below jamming such places exist, at fractions that force-biased packing of `packing` does not reach
(O'Hern et al. 2003, doi:10.1103/PhysRevE.68.011306). Only neighbours are looked at, found anew every few steps.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.spatial import KDTree

from relaxdesign.microstructure.base import PlacementError

_CLEARANCE = 1.003
"""Particles are pushed a little further apart than they must be, so that the descent ends after finitely many steps."""
_ATTEMPTS = 24
_LESS_GAP = 6  # attempts after which no gap is asked for any more
_ROUNDS, _STEPS = 60, 30
_STEP = 0.05  # of the largest diameter: how far all particles together move in the first step
_SKIN, _FIRST_SKIN, _FIRST_ROUNDS = 0.05, 0.3, 4  # of the largest diameter: beyond contact, pairs that are looked at

Array = NDArray[np.float64]


def pack_apart(diameters: Array, gap: float, dim: int, generator: torch.Generator) -> Array:
    """Random centres (count, dim) in [0, 1), surfaces ``gap`` apart or, where that fails, less.

    Args:
        diameters: (count,), like the gap in fractions of the edge.
        generator: of the places that the descent starts from.

    Raises:
        PlacementError: no placement without overlap was found.
    """
    for attempt in range(_ATTEMPTS):
        kept = gap * max(0.0, 1.0 - attempt / _LESS_GAP)
        start = torch.rand(len(diameters), dim, generator=generator, dtype=torch.float64)
        centres = pushed_apart(start.numpy(), 0.5 * (diameters + kept))
        if centres is not None:
            return centres
    raise PlacementError(
        f"no placement of {len(diameters)} particles of diameters {diameters.min():.3f} to {diameters.max():.3f} "
        f"without overlap was found in {_ATTEMPTS} attempts; ask for a smaller volume fraction"
    )


def pushed_apart(centres: Array, radii: Array) -> Array | None:
    """Centres at which no two particles overlap; None if the descent ends where some do."""
    largest = 2.0 * _CLEARANCE * radii.max()
    for rounds in range(_ROUNDS):
        centres = centres % 1.0
        skin = (_FIRST_SKIN if rounds < _FIRST_ROUNDS else _SKIN) * largest
        first, second, apart = _neighbours(centres, _CLEARANCE * radii, largest, skin)
        if (apart >= radii[first] + radii[second]).all():
            return centres
        centres = _descended(centres, first, second, _CLEARANCE * (radii[first] + radii[second]), _STEP * largest)
    return None


def _neighbours(centres: Array, radii: Array, largest: float, skin: float) -> tuple[NDArray, NDArray, Array]:
    """Pairs of particles nearer than a skin, and the distances of their centres' nearest images."""
    if largest + skin < 0.5:
        first, second = KDTree(centres, boxsize=1.0).query_pairs(largest + skin, output_type="ndarray").T
    else:  # few large particles: all pairs
        first, second = np.triu_indices(len(centres), 1)
    offset = centres[first] - centres[second]
    apart = np.linalg.norm(offset - np.round(offset), axis=1)
    near = apart < radii[first] + radii[second] + skin
    return first[near], second[near], apart[near]


def _descended(centres: Array, first: NDArray, second: NDArray, wanted: Array, unit: float) -> Array:
    """Centres after some steps down the energy of overlaps. wanted: distances of the pairs. unit: of the steps."""
    count, dim = centres.shape

    def energy(places: Array) -> tuple[float, Array]:
        at = places.reshape(count, dim) * unit
        offset = at[first] - at[second]
        offset -= np.round(offset)
        apart = np.linalg.norm(offset, axis=1) + 1e-12
        overlap = np.maximum(wanted - apart, 0.0)
        push = (overlap / apart)[:, None] * offset
        slope = [np.bincount(second, along, count) - np.bincount(first, along, count) for along in push.T]
        value = 0.25 * float(np.square(overlap).sum()) / unit**2
        return value, np.stack(slope, 1, dtype=np.float64).ravel() * np.float64(0.5 / unit)

    options = {"maxiter": _STEPS, "ftol": 0.0, "gtol": 1e-12}
    found = minimize(energy, centres.ravel() / unit, jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(count, dim) * unit
