"""Closed-form estimates of the effective properties of particles in a matrix.

They rank material pairs and give root finding its starting point; every number a user sees is
simulated. All are composite-assemblage results, which equal the Hashin–Shtrikman bound with
the matrix as reference medium:

* 3D, spheres: Hashin 1962 (doi:10.1115/1.3636446) for the bulk modulus, Walpole 1966
  (doi:10.1016/0022-5096(66)90035-4) for the shear modulus;
* 2D, parallel cylinders seen end-on: Hashin & Rosen 1964 (doi:10.1115/1.3629590) for the plane-strain bulk
  modulus k and the axial shear modulus, Hashin 1965 (doi:10.1016/0022-5096(65)90015-3) for the transverse one, and
  Hill's universal relations (1964, doi:10.1016/0022-5096(64)90019-5) for the rest of the stiffness;
* conductivity: Hashin & Shtrikman 1962 (doi:10.1063/1.1728579);
* thermal expansion: Rosen & Hashin 1970, from the stiffness, see `relaxdesign.physics.expansion`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.physics.conduction import CONDUCTION, CONDUCTIVITY
from relaxdesign.physics.elasticity import BULK, ELASTICITY, SHEAR
from relaxdesign.physics.expansion import EXPANSION, THERMAL_EXPANSION, of_two_phases
from relaxdesign.physics.quantities import PHYSICS, QUANTITIES, coefficients_of

Array = NDArray[np.float64]
Phase = Mapping[str, Array]
"""Coefficients of a phase by name."""


@dataclass(frozen=True)
class TransverselyIsotropic:
    """Stiffness of a medium isotropic in the plane x, y: arrays in GPa.

    plane: k, plane-strain bulk modulus. axial: l = C13. along: n = C33. transverse, shear: C66 and C44.
    """

    plane: Array
    axial: Array
    along: Array
    transverse: Array
    shear: Array

    @staticmethod
    def isotropic(bulk: Array, shear: Array) -> TransverselyIsotropic:
        return TransverselyIsotropic(bulk + shear / 3, bulk - 2 / 3 * shear, bulk + 4 / 3 * shear, shear, shear)

    @property
    def bulk(self) -> Array:
        """Voigt average, (4k + 4l + n) / 9."""
        return (4 * self.plane + 4 * self.axial + self.along) / 9

    @property
    def average_shear(self) -> Array:
        """Voigt average of the shear modulus."""
        return (self.plane + self.along - 2 * self.axial + 6 * self.transverse + 6 * self.shear) / 15

    @property
    def compressibility(self) -> tuple[Array, Array]:
        """Three times the strain across the axis and along it per unit pressure, 1/GPa."""
        determinant = 2 * (self.plane * self.along - self.axial**2)
        return 3 * (self.along - self.axial) / determinant, 6 * (self.plane - self.axial) / determinant

    def quantity(self, name: str) -> Array:
        """A quantity of `relaxdesign.physics.quantities` that follows from the stiffness."""
        if name == "K":
            return self.bulk
        if name == "G":
            return self.average_shear
        if name in ("E", "nu"):
            K, G = self.bulk, self.average_shear
            return 9 * K * G / (3 * K + G) if name == "E" else (3 * K - 2 * G) / (6 * K + 2 * G)
        if name.startswith("C"):
            return self._entry(name)
        across, length, poisson = self._engineering()
        ratios = {
            "Ex": across,
            "Ey": across,
            "Ez": length,
            "Ex/Ey": np.ones_like(across),
            "Ex/Ez": across / length,
            "Ey/Ez": across / length,
        }
        return self._anisotropy(across, length, poisson) if name == "AU" else ratios[name]

    def _entry(self, name: str) -> Array:
        entries = {
            "C11": self.plane + self.transverse,
            "C22": self.plane + self.transverse,
            "C12": self.plane - self.transverse,
            "C13": self.axial,
            "C23": self.axial,
            "C33": self.along,
            "C44": self.shear,
            "C55": self.shear,
            "C66": self.transverse,
        }
        return entries[name] if name in entries else np.zeros_like(self.plane)

    def _engineering(self) -> tuple[Array, Array, Array]:
        """E across and along the axis, and the Poisson's ratio of a pull along it."""
        poisson = self.axial / (2 * self.plane)
        length = self.along - self.axial**2 / self.plane
        stretch = 1 + 4 * self.plane * poisson**2 / length
        return 4 * self.plane * self.transverse / (self.plane + stretch * self.transverse), length, poisson

    def _anisotropy(self, across: Array, length: Array, poisson: Array) -> Array:
        S11, S33, S13 = 1 / across, 1 / length, -poisson / length
        S12 = S11 - 1 / (2 * self.transverse)
        reuss_bulk = 1 / (2 * S11 + S33 + 2 * S12 + 4 * S13)
        shears = 2 / self.shear + 1 / self.transverse
        reuss_shear = 15 / (4 * (2 * S11 + S33) - 4 * (S12 + 2 * S13) + 3 * shears)
        return 5 * self.average_shear / reuss_shear + self.bulk / reuss_bulk - 6


def estimate_stiffness(
    matrix_bulk: ArrayLike,
    matrix_shear: ArrayLike,
    particle_bulk: ArrayLike,
    particle_shear: ArrayLike,
    volume_fraction: ArrayLike,
    dim: int,
) -> TransverselyIsotropic:
    """Estimated effective stiffness; arguments in GPa, broadcast against each other."""
    km, gm, kp, gp, vf = (
        np.asarray(value, dtype=np.float64)
        for value in (matrix_bulk, matrix_shear, particle_bulk, particle_shear, volume_fraction)
    )
    if dim == 3:
        zeta = gm * (9 * km + 8 * gm) / (6 * (km + 2 * gm))
        bulk, shear = _assemblage(km, kp, km + 4 / 3 * gm, vf), _assemblage(gm, gp, gm + zeta, vf)
        return TransverselyIsotropic.isotropic(*np.broadcast_arrays(bulk, shear))
    plane_m, plane_p = km + gm / 3, kp + gp / 3
    axial_m, axial_p = km - 2 / 3 * gm, kp - 2 / 3 * gp
    along_m, along_p = km + 4 / 3 * gm, kp + 4 / 3 * gp
    plane = _assemblage(plane_m, plane_p, plane_m + gm, vf)
    # Hill's ratio is indeterminate for equal plane moduli, where both corrections vanish.
    difference = plane_p - plane_m
    equal = np.abs(difference) < 1e-9 * plane_m
    ratio = np.where(equal, 0.0, (axial_p - axial_m) / np.where(equal, 1.0, difference))
    deficit = plane - _mean(plane_m, plane_p, vf)
    return TransverselyIsotropic(
        plane=plane,
        axial=_mean(axial_m, axial_p, vf) + ratio * deficit,
        along=_mean(along_m, along_p, vf) + ratio**2 * deficit,
        transverse=_assemblage(gm, gp, 2 * gm * (plane_m + gm) / (plane_m + 2 * gm), vf),
        shear=_assemblage(gm, gp, 2 * gm, vf),
    )


def estimate_conductivity(matrix: ArrayLike, particle: ArrayLike, volume_fraction: ArrayLike, dim: int) -> Array:
    """Estimated tr(k)/3 in W/(m K) of particles in a matrix of these conductivities."""
    km, kp, vf = (np.asarray(value, dtype=np.float64) for value in (matrix, particle, volume_fraction))
    across = _assemblage(km, kp, dim * km, vf)
    return across if dim == 3 else (2 * across + _mean(km, kp, vf)) / 3


def _estimate_elastic(name: str, matrix: Phase, inclusion: Phase, vf: NDArray, dim: int) -> NDArray[np.float64]:
    K, G = BULK.name, SHEAR.name
    return estimate_stiffness(matrix[K], matrix[G], inclusion[K], inclusion[G], vf, dim).quantity(name)


def _estimate_conduction(name: str, matrix: Phase, inclusion: Phase, vf: NDArray, dim: int) -> NDArray[np.float64]:
    return estimate_conductivity(matrix[CONDUCTIVITY.name], inclusion[CONDUCTIVITY.name], vf, dim)


def _estimate_expansion(name: str, matrix: Phase, inclusion: Phase, vf: NDArray, dim: int) -> NDArray[np.float64]:
    K, G = BULK.name, SHEAR.name
    stiffness = estimate_stiffness(matrix[K], matrix[G], inclusion[K], inclusion[G], vf, dim)
    across, along = stiffness.compressibility
    strains = {"cte": (2 * across + along) / 3, "cte_z": along}
    bulk = matrix[K], inclusion[K]
    return of_two_phases(matrix[EXPANSION.name], inclusion[EXPANSION.name], bulk, strains.get(name, across), vf)


ESTIMATES = {
    ELASTICITY.name: _estimate_elastic,
    CONDUCTION.name: _estimate_conduction,
    THERMAL_EXPANSION.name: _estimate_expansion,
}
"""Closed forms for inclusions, by the name of the physics, arguments as of `relaxdesign.physics.base.Mixture`."""


def estimated(name: str, matrix: Phase, inclusion: Phase, vf: ArrayLike, dim: int) -> NDArray[np.float64]:
    """Estimate of a quantity of inclusions that fill ``vf`` of a matrix; phases as from `phase_of`, broadcast."""
    physics = PHYSICS[QUANTITIES[name].physics]
    closed = physics.mixture or ESTIMATES[physics.name]
    return closed(name, matrix, inclusion, np.asarray(vf, dtype=np.float64), dim)


def phase_of(catalogue: Catalogue, name: str) -> dict[str, Array]:
    """The coefficients that a quantity needs, of all materials, (materials,) by name."""
    return {key: catalogue.column(key) for key in coefficients_of([name])}


def composite_phase(matrix: Phase, inclusion: Phase, vf: float, dim: int, names: Sequence[str]) -> dict[str, Array]:
    """The coefficients by name of a phase that is itself a composite, taken as isotropic."""
    of_material = {quantity.of_material: name for name, quantity in QUANTITIES.items() if quantity.of_material}
    return {name: estimated(of_material[name], matrix, inclusion, vf, dim) for name in names}


def pair_estimates(
    catalogue: Catalogue, fractions: ArrayLike, dim: int, name: str, inclusion: Phase | None = None
) -> NDArray[np.float64]:
    """Estimates (len(fractions), matrix, inclusions) of a quantity for every ordered pair of materials.

    inclusion: coefficients of the inclusions, where they are not those of the materials alone.
    """
    vf = np.asarray(fractions, dtype=np.float64)[:, None, None]
    own = phase_of(catalogue, name)
    matrix = {key: values[:, None] for key, values in own.items()}
    estimate = estimated(name, matrix, own if inclusion is None else inclusion, vf, dim)
    return np.broadcast_to(estimate, (len(vf), len(catalogue), len(catalogue)))


def _mean(matrix, particle, vf):
    return (1 - vf) * matrix + vf * particle


def _assemblage(matrix, particle, reference, vf):
    """matrix + vf·Δ / (1 + (1-vf)·Δ / reference) with Δ = particle − matrix."""
    difference = particle - matrix
    return matrix + vf * difference / (1 + (1 - vf) * difference / reference)
