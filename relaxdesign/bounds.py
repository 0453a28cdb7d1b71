"""Bounds on the effective moduli of isotropic mixtures, from moduli and volume fractions alone.

Voigt and Reuss (Hill 1952, doi:10.1088/0370-1298/65/5/307) hold for every cell. Hashin–Shtrikman (1963,
doi:10.1016/0022-5096(63)90060-7), here in Walpole's form for any number of phases in any order (1966,
doi:10.1016/0022-5096(66)90035-4), assume statistical isotropy: a particular small cell may leave that
band a little. Both are three-dimensional and so apply to 2D cells as to every anisotropic cell.

Moduli in GPa. Plain NumPy, vectorised by broadcasting; torch tensors on the CPU are accepted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Bounds:
    """Bounds on one effective modulus in GPa: reuss ≤ hs_lower ≤ hs_upper ≤ voigt."""

    reuss: NDArray[np.float64] | float
    hs_lower: NDArray[np.float64] | float
    hs_upper: NDArray[np.float64] | float
    voigt: NDArray[np.float64] | float

    def admits(self, modulus: ArrayLike, slack: float = 1e-6) -> NDArray[np.bool_]:
        """Whether a modulus lies between Reuss and Voigt, up to the relative ``slack`` for round-off."""
        modulus = np.asarray(modulus, dtype=np.float64)
        return (modulus >= self.reuss * (1.0 - slack)) & (modulus <= self.voigt * (1.0 + slack))


def bulk_bounds(K: ArrayLike, G: ArrayLike, fractions: ArrayLike | None = None, *, axis: int = -1) -> Bounds:
    """Bounds on the effective bulk modulus of a mixture.

    Hashin–Shtrikman: K = ⟨1 / (K + 4G₀/3)⟩⁻¹ - 4G₀/3 with G₀ the smallest (lower) or largest (upper)
    shear modulus present.

    Args:
        K, G: bulk and shear modulus of the phases in GPa; phases along ``axis``.
        fractions: volume fractions, summing to 1 along ``axis`` (default: equal).
        axis: the axis of the phases.

    Raises:
        ValueError: a modulus is not finite and positive, or the fractions do not sum to 1.
    """
    bulk, shear, shares = _phases(K, G, fractions, axis)
    present = shares > 0
    softest = np.min(shear, axis=axis, keepdims=True, where=present, initial=np.inf)
    stiffest = np.max(shear, axis=axis, keepdims=True, where=present, initial=0.0)
    return _bounds(bulk, shares, 4.0 / 3.0 * softest, 4.0 / 3.0 * stiffest, axis)


def shear_bounds(K: ArrayLike, G: ArrayLike, fractions: ArrayLike | None = None, *, axis: int = -1) -> Bounds:
    """Bounds on the effective shear modulus of a mixture; arguments as in `bulk_bounds`.

    Hashin–Shtrikman–Walpole: G = ⟨1 / (G + ζ)⟩⁻¹ - ζ with ζ = G₀ (9K₀ + 8G₀) / (6 (K₀ + 2G₀)) and K₀, G₀
    the smallest or largest moduli present.
    """
    bulk, shear, shares = _phases(K, G, fractions, axis)
    present = shares > 0

    def zeta(K: NDArray, G: NDArray) -> NDArray:
        return G * (9.0 * K + 8.0 * G) / (6.0 * (K + 2.0 * G))

    lower = [np.min(m, axis=axis, keepdims=True, where=present, initial=np.inf) for m in (bulk, shear)]
    upper = [np.max(m, axis=axis, keepdims=True, where=present, initial=0.0) for m in (bulk, shear)]
    return _bounds(shear, shares, zeta(*lower), zeta(*upper), axis)


def two_phase_bounds(
    matrix_bulk: ArrayLike,
    matrix_shear: ArrayLike,
    particle_bulk: ArrayLike,
    particle_shear: ArrayLike,
    volume_fraction: ArrayLike,
) -> Bounds:
    """Bulk modulus bounds of two-phase composites; all arguments broadcast, e.g. pairs × fractions.

    ``volume_fraction`` is that of the particles, 0 to 1. The interval hs_lower…hs_upper is what isotropic
    composites of the two materials can reach.
    """
    arrays = (matrix_bulk, matrix_shear, particle_bulk, particle_shear, volume_fraction)
    arrays = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in arrays))
    km, gm, kp, gp, vf = arrays
    if not np.all((vf >= 0.0) & (vf <= 1.0)):
        raise ValueError("volume_fraction must lie between 0 and 1 (a share, not per cent)")
    return bulk_bounds(np.stack([km, kp], -1), np.stack([gm, gp], -1), np.stack([1.0 - vf, vf], -1))


def field_bounds(K: ArrayLike, G: ArrayLike) -> Bounds:
    """Bulk modulus bounds of voxel fields, each voxel a phase of equal volume.

    Args:
        K, G: one cell (nx, ny, nz), giving scalars, or cells (batch, nx, ny, nz), giving (batch,).
    """
    return bulk_bounds(_flatten(K, "K"), _flatten(G, "G"))


def field_shear_bounds(K: ArrayLike, G: ArrayLike) -> Bounds:
    """Shear modulus bounds of voxel fields; arguments as in `field_bounds`."""
    return shear_bounds(_flatten(K, "K"), _flatten(G, "G"))


def _flatten(field: ArrayLike, name: str) -> NDArray[np.float64]:
    field = np.asarray(field, dtype=np.float64)
    if field.ndim not in (3, 4):
        raise ValueError(f"{name} has shape {field.shape}, expected (nx, ny, nz) or (batch, nx, ny, nz)")
    return field.reshape(*field.shape[:-3], -1)


def _phases(K: ArrayLike, G: ArrayLike, fractions: ArrayLike | None, axis: int) -> tuple[NDArray, NDArray, NDArray]:
    K, G = np.broadcast_arrays(np.asarray(K, dtype=np.float64), np.asarray(G, dtype=np.float64))
    for name, modulus in (("K", K), ("G", G)):
        bad = ~(np.isfinite(modulus) & (modulus > 0.0))
        if bad.any():
            where = tuple(int(n) for n in np.argwhere(bad)[0])
            raise ValueError(f"{name} is {modulus[where]} at index {where}; moduli must be finite and > 0 GPa")
    if fractions is None:
        fractions = np.full(K.shape, 1.0 / K.shape[axis])
    fractions = np.broadcast_to(np.asarray(fractions, dtype=np.float64), K.shape)
    total = fractions.sum(axis=axis)
    if not (np.all(fractions >= 0.0) and np.allclose(total, 1.0, rtol=0.0, atol=1e-6)):
        raise ValueError(f"fractions must be ≥ 0 and sum to 1 along axis {axis}; a sum is {np.ravel(total)[0]:.6g}")
    return K, G, fractions


def _bounds(modulus: NDArray, fractions: NDArray, softest: NDArray, stiffest: NDArray, axis: int) -> Bounds:
    """Voigt and Reuss means, and ⟨1 / (modulus + shift)⟩⁻¹ - shift for both shifts."""

    def shifted_harmonic(shift: NDArray | float) -> NDArray:
        mean = 1.0 / np.sum(fractions / (modulus + shift), axis=axis, keepdims=True) - shift
        return np.squeeze(mean, axis=axis)

    return Bounds(
        reuss=shifted_harmonic(0.0),
        hs_lower=shifted_harmonic(softest),
        hs_upper=shifted_harmonic(stiffest),
        voigt=np.sum(fractions * modulus, axis=axis),
    )
