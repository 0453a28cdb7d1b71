"""What elastic quantities any microstructure of two materials can have: from the Voigt and the Reuss stiffness.

Every effective stiffness C of two phases lies between R = ⟨C⁻¹⟩⁻¹ and V = ⟨C⟩ in the order of quadratic forms
(Hill 1952, doi:10.1088/0370-1298/65/5/307). So diagonal entries and moduli lie between those of R and V, and as
V − C and C − R have no negative eigenvalue, |C_ij − (V_ij + R_ij)/2| ≤ ½ √((V_ii − R_ii)(V_jj − R_jj)).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from relaxdesign.physics.base import Interval
from relaxdesign.physics.fem.moduli import young_poisson_from_bulk_shear

_FRACTIONS = np.linspace(0.02, 0.5, 13)  # of the second of every ordered pair


ENTRIES = {f"C{i}{j}": (i, j) for i in range(1, 7) for j in range(i, 7)}
"""Entries of the stiffness by name, Voigt order from 1."""
COUPLINGS = frozenset(name for name, (i, j) in ENTRIES.items() if i < j > 3)
"""Those that couple shear with extension or with other shear; where the cell mirrors itself they vanish."""
RATIOS = {"Ex/Ey": ("x", "y"), "Ex/Ez": ("x", "z"), "Ey/Ez": ("y", "z")}
"""Ratios of Young's moduli by name: the axis of the dividend and that of the divisor."""


def elastic_interval(materials: Mapping[str, NDArray[np.float64]], dim: int, name: str) -> Interval:
    """Smallest and largest value of an elastic quantity that no microstructure of two of the materials leaves.

    materials: ``bulk`` and ``shear`` in GPa, (materials,). dim 2: cells that do not vary along z.
    """
    bulk, shear = materials["bulk"], materials["shear"]
    i, j = ENTRIES.get(name, (0, 0))
    if name == "K":
        return float(bulk.min()), float(bulk.max())
    if name == "G" or (i == j and i > 3):
        return float(shear.min()), float(shear.max())
    lower, upper = _of_pairs(bulk, shear, name, dim)
    return float(lower.min()), float(upper.max())


def _of_pairs(bulk: NDArray, shear: NDArray, name: str, dim: int) -> tuple[NDArray, NDArray]:
    """Lower and upper bounds, for every pair of materials and fraction."""
    (voigt_bulk, reuss_bulk), (voigt_shear, reuss_shear) = averages(bulk), averages(shear)
    if name in ("E", "Ex", "Ey", "Ez"):
        # 1/E averages in the Reuss mean. E of the Voigt mean can exceed that of both phases, if their ν differ.
        young, _ = young_poisson_from_bulk_shear(bulk, shear)
        stiffest, _ = young_poisson_from_bulk_shear(voigt_bulk, voigt_shear)
        return young, np.append(stiffest, young)
    if name in ("C11", "C22", "C33"):  # so can the Reuss mean of these lie below that of both
        single = bulk + 4 / 3 * shear
        return np.append(reuss_bulk + 4 / 3 * reuss_shear, single), single
    if name == "nu":  # grows with K and falls with G
        ends = (reuss_bulk, voigt_shear), (voigt_bulk, reuss_shear)
        lower, upper = (young_poisson_from_bulk_shear(*end)[1] for end in ends)
        return lower, upper
    if name == "AU":
        most = 5 * voigt_shear / reuss_shear + voigt_bulk / reuss_bulk - 6
        return np.zeros_like(most), most
    if name in RATIOS:
        stiffest, _ = young_poisson_from_bulk_shear(voigt_bulk, voigt_shear)
        softest, _ = young_poisson_from_bulk_shear(reuss_bulk, reuss_shear)
        across, along = softest / stiffest, stiffest / softest
        if dim == 2 and RATIOS[name][1] == "z":  # along the fibres E is at least the mean (Hill 1964)
            along = stiffest / averages(young_poisson_from_bulk_shear(bulk, shear)[0])[0]
        return across, along
    return _off_diagonal(name, dim, (voigt_bulk, voigt_shear), (reuss_bulk, reuss_shear))


def _off_diagonal(
    name: str, dim: int, voigt: tuple[NDArray, NDArray], reuss: tuple[NDArray, NDArray]
) -> tuple[NDArray, NDArray]:
    """Bounds on an entry of C off its diagonal, e.g. C12 or C16. voigt, reuss: K and G."""
    i, j = ENTRIES[name]
    if dim == 2 and (i in (4, 5)) != (j in (4, 5)):  # the mirror plane z = 0 couples neither to the others
        return np.zeros(1), np.zeros(1)

    def diagonal(k: int, of: tuple[NDArray, NDArray]) -> NDArray:
        return of[0] + 4 / 3 * of[1] if k <= 3 else of[1]

    middle = 0.0
    if j <= 3:
        middle = sum(of[0] - 2 / 3 * of[1] for of in (voigt, reuss)) / 2
    apart = [np.maximum(0.0, diagonal(k, voigt) - diagonal(k, reuss)) for k in (i, j)]
    width = 0.5 * np.sqrt(apart[0] * apart[1])
    return middle - width, middle + width


def averages(values: NDArray) -> tuple[NDArray, NDArray]:
    """Arithmetic and harmonic means (fractions, first, second) of all ordered pairs, at several fractions."""
    vf = _FRACTIONS[:, None, None]
    first, second = values[:, None], values
    return (1 - vf) * first + vf * second, 1 / ((1 - vf) / first + vf / second)
