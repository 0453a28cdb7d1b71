"""Closed-form estimates of the effective bulk modulus of particles in a matrix.

They rank material pairs and give root finding its starting point; every number a user sees is
simulated. Both are the composite-assemblage results, which equal the Hashin–Shtrikman bound with
the matrix as reference medium:

* 3D, spheres: Hashin 1962 (doi:10.1115/1.3636446);
* 2D, parallel cylinders seen end-on: Hashin & Rosen 1964 (doi:10.1115/1.3629590) for the plane-strain bulk
  modulus k, and Hill's universal relations (1964, doi:10.1016/0022-5096(64)90019-5) for the rest of
  the stiffness. The reported modulus is the Voigt average (4k + 4l + n)/9 with l = C13, n = C33, as
  everywhere in this package.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relaxdesign.catalogue import Catalogue
from relaxdesign.composite import VOLUME_FRACTION_RANGE


def estimate_bulk(
    matrix_bulk: ArrayLike,
    matrix_shear: ArrayLike,
    particle_bulk: ArrayLike,
    particle_shear: ArrayLike,
    volume_fraction: ArrayLike,
    dim: int,
) -> NDArray[np.float64]:
    """Estimated effective bulk modulus (GPa); arguments in GPa, broadcast against each other."""
    km, gm, kp, gp, vf = (
        np.asarray(value, dtype=np.float64)
        for value in (matrix_bulk, matrix_shear, particle_bulk, particle_shear, volume_fraction)
    )
    if dim == 3:
        return _assemblage(km, kp, km + 4 / 3 * gm, vf)
    plane_m, plane_p = km + gm / 3, kp + gp / 3
    axial_m, axial_p = km - 2 / 3 * gm, kp - 2 / 3 * gp
    along_m, along_p = km + 4 / 3 * gm, kp + 4 / 3 * gp
    plane = _assemblage(plane_m, plane_p, plane_m + gm, vf)
    # Hill's ratio is indeterminate for equal plane moduli, where both corrections vanish.
    difference = plane_p - plane_m
    equal = np.abs(difference) < 1e-9 * plane_m
    ratio = np.where(equal, 0.0, (axial_p - axial_m) / np.where(equal, 1.0, difference))
    deficit = plane - _mean(plane_m, plane_p, vf)
    axial = _mean(axial_m, axial_p, vf) + ratio * deficit
    along = _mean(along_m, along_p, vf) + ratio**2 * deficit
    return (4 * plane + 4 * axial + along) / 9


def _mean(matrix, particle, vf):
    return (1 - vf) * matrix + vf * particle


def _assemblage(matrix, particle, reference, vf):
    """matrix + vf·Δ / (1 + (1-vf)·Δ / reference) with Δ = particle − matrix."""
    difference = particle - matrix
    return matrix + vf * difference / (1 + (1 - vf) * difference / reference)


def pair_estimates(catalogue: Catalogue, volume_fractions: ArrayLike, dim: int) -> NDArray[np.float64]:
    """Estimates (len(volume_fractions), matrix, particle) for every ordered pair of materials, GPa."""
    bulk, shear = catalogue.properties.bulk.numpy(), catalogue.properties.shear.numpy()
    fractions = np.asarray(volume_fractions, dtype=np.float64)[:, None, None]
    return estimate_bulk(bulk[:, None], shear[:, None], bulk, shear, fractions, dim)


def reachable_bulk(catalogue: Catalogue, dim: int) -> tuple[float, float]:
    """Smallest and largest effective bulk modulus (GPa) that two different materials can reach.

    Raises ValueError for a catalogue of a single material.
    """
    if len(catalogue) < 2:
        raise ValueError("a composite needs two materials: tick at least one more")
    estimates = pair_estimates(catalogue, VOLUME_FRACTION_RANGE, dim)
    different = ~np.eye(len(catalogue), dtype=bool)
    return float(estimates[:, different].min()), float(estimates[:, different].max())
