"""Bounds on the effective moduli and conductivity of mixtures, from their values and volume fractions alone.

Voigt and Reuss (Hill 1952, doi:10.1088/0370-1298/65/5/307) hold for every cell. Hashin–Shtrikman (1963,
doi:10.1016/0022-5096(63)90060-7), here in Walpole's form for any number of phases in any order (1966,
doi:10.1016/0022-5096(66)90035-4), assume isotropy, but hold for the averages K, G and tr(k)/3 of every periodic cell
as well (see `relaxdesign.physics.resolution`): only the error of a coarse grid passes them. Both are three-dimensional
and so apply to 2D cells as to every anisotropic cell.

Moduli in GPa, conductivity in W/(m K). Plain NumPy, vectorised by broadcasting; torch tensors on the CPU are accepted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Bounds:
    """Bounds on one effective modulus (GPa) or conductivity: reuss ≤ hs_lower ≤ hs_upper ≤ voigt."""

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
    (bulk, shear), shares = _phases({"K": K, "G": G}, fractions, axis)
    softest, stiffest = _extremes(shear, shares, axis)
    return _bounds(bulk, shares, 4.0 / 3.0 * softest, 4.0 / 3.0 * stiffest, axis)


def shear_bounds(K: ArrayLike, G: ArrayLike, fractions: ArrayLike | None = None, *, axis: int = -1) -> Bounds:
    """Bounds on the effective shear modulus of a mixture; arguments as in `bulk_bounds`.

    Hashin–Shtrikman–Walpole: G = ⟨1 / (G + ζ)⟩⁻¹ - ζ with ζ = G₀ (9K₀ + 8G₀) / (6 (K₀ + 2G₀)) and K₀, G₀
    the smallest or largest moduli present.
    """
    (bulk, shear), shares = _phases({"K": K, "G": G}, fractions, axis)

    def zeta(K: NDArray, G: NDArray) -> NDArray:
        return G * (9.0 * K + 8.0 * G) / (6.0 * (K + 2.0 * G))

    (lower_bulk, upper_bulk), (lower_shear, upper_shear) = (_extremes(m, shares, axis) for m in (bulk, shear))
    return _bounds(shear, shares, zeta(lower_bulk, lower_shear), zeta(upper_bulk, upper_shear), axis)


def conductivity_bounds(k: ArrayLike, fractions: ArrayLike | None = None, *, axis: int = -1) -> Bounds:
    """Bounds on the effective conductivity of a mixture in W/(m K); ``fractions`` and ``axis`` as in `bulk_bounds`.

    The arithmetic and harmonic means (Wiener 1912), here named ``voigt`` and ``reuss``, hold in every direction.
    Hashin–Shtrikman (1962, doi:10.1063/1.1728579): k = ⟨1 / (k + 2k₀)⟩⁻¹ - 2k₀ with k₀ the smallest (lower) or
    largest (upper) conductivity present. It holds for tr(k)/3 of every cell, isotropic or not, because the trace
    of the polarisation's interaction is the same in all geometries; only the finite element's error, which
    raises k, can take a coarse cell above the upper one.
    """
    (conductivity,), shares = _phases({"k": k}, fractions, axis, unit="W/(m K)")
    lowest, highest = _extremes(conductivity, shares, axis)
    return _bounds(conductivity, shares, 2.0 * lowest, 2.0 * highest, axis)


def expansion_bounds(
    K: ArrayLike, G: ArrayLike, expansion: ArrayLike, fractions: ArrayLike | None = None, *, axis: int = -1
) -> Bounds:
    """Bounds on the mean thermal expansion of a mixture, in the unit of ``expansion``; the rest as in `bulk_bounds`.

    ``reuss`` and ``voigt`` are here the lower and the upper end of what uniform stress and uniform strain allow
    (Schapery 1968, doi:10.1177/002199836800200308), ``hs_lower`` and ``hs_upper`` those of what Hashin–Shtrikman's two
    reference media do (Rosen & Hashin 1970, doi:10.1016/0020-7225(70)90066-2). A reference of shear modulus G₀ gives a
    quadratic form in pressure p and temperature T, B p² + 2β pT + D T², which bounds that of the mixture from above for
    the smallest G₀ and from below for the largest; so β, three times the expansion, lies within half the root of
    (B₁ - B₂)(D₁ - D₂) of the mean of both. Of two phases that is where Levin's relation takes the bounds on K.
    """
    (bulk, shear), shares = _phases({"K": K, "G": G}, fractions, axis)
    swelling = 3.0 * np.broadcast_to(np.asarray(expansion, dtype=np.float64), bulk.shape)
    if not np.isfinite(swelling).all():
        raise ValueError("an expansion is not finite")
    # Relative to their mean: what all have in common would only be rounded off.
    common = np.sum(shares * swelling, axis=axis, keepdims=True)
    swelling = swelling - common
    softest, stiffest = _extremes(shear, shares, axis)
    hs, elementary = (
        _between(*(_heated_mixture(bulk, swelling, shares, stiffness, axis) for stiffness in ends))
        for ends in ((4.0 / 3.0 * softest, 4.0 / 3.0 * stiffest), (0.0, np.inf))
    )
    ends = ((end + np.squeeze(common, axis)) / 3.0 for end in (elementary[0], *hs, elementary[1]))
    return Bounds(*ends)


def in_plane_upper_bounds(bulk: float, shear: float, fraction: float) -> tuple[float, float]:
    """Hashin–Shtrikman's upper bounds on k and G in the plane of cells of a solid and voids that go on across it.

    Plane strain: k is (C11 + C22 + 2 C12) / 4, and of the solid k₁ = K + G/3 (Hashin 1965,
    doi:10.1016/0022-5096(65)90015-3). bulk, shear: K and G of the solid in GPa; fraction: of the solid.
    """
    plane = bulk + shear / 3.0
    other = plane * shear / (plane + 2.0 * shear)
    return (
        fraction * plane * shear / (shear + (1.0 - fraction) * plane),
        1.0 / (fraction / (shear + other) + (1.0 - fraction) / other) - other,
    )


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


def field_conductivity_bounds(k: ArrayLike) -> Bounds:
    """Bounds on tr(k)/3 of voxel fields, one cell (nx, ny, nz) or cells (batch, nx, ny, nz)."""
    return conductivity_bounds(_flatten(k, "k"))


def field_expansion_bounds(K: ArrayLike, G: ArrayLike, expansion: ArrayLike) -> Bounds:
    """Bounds on the mean thermal expansion of voxel fields, one cell (nx, ny, nz) or cells (batch, nx, ny, nz)."""
    return expansion_bounds(_flatten(K, "K"), _flatten(G, "G"), _flatten(expansion, "the expansion"))


def _heated_mixture(
    bulk: NDArray, swelling: NDArray, shares: NDArray, reference: NDArray | float, axis: int
) -> tuple[NDArray, NDArray, NDArray]:
    """B, β and D of a mixture whose phases a reference of stiffness 4G₀/3 holds together; infinite: uniform strain."""

    def mean(values: NDArray) -> NDArray:
        return np.sum(shares * values, axis=axis)

    if np.all(np.isinf(reference)):
        stiff, pull, heat = mean(bulk), mean(bulk * swelling), mean(bulk * swelling**2)
        return 1.0 / stiff, pull / stiff, pull**2 / stiff - heat
    y = np.squeeze(np.broadcast_to(np.asarray(reference, dtype=np.float64), bulk.shape).take([0], axis), axis)
    spring = np.expand_dims(y, axis)
    a, b = mean(1.0 / (bulk + spring)), mean(bulk * swelling / (bulk + spring))
    c = mean(bulk * spring * swelling**2 / (bulk + spring))
    compliance, volume = a / (1.0 - a * y), b / (1.0 - a * y)
    return compliance, volume, volume**2 / compliance - b**2 / a - c


def _between(soft: tuple[NDArray, ...], stiff: tuple[NDArray, ...]) -> tuple[NDArray, NDArray]:
    """Smallest and largest β between two quadratic forms (B, β, D)."""
    middle = 0.5 * (soft[1] + stiff[1])
    width = 0.5 * np.sqrt(np.maximum(0.0, (soft[0] - stiff[0]) * (soft[2] - stiff[2])))
    return middle - width, middle + width


def bounds_with(void: float, bounds: Bounds) -> Bounds:
    """Bounds of a cell of which so much is void: the lower ones are 0 if any is, whatever trace was solved with."""
    return bounds if void == 0.0 else replace(bounds, reuss=0.0, hs_lower=0.0)


def bounds_dict(bounds: Bounds) -> dict[str, float]:
    """Bounds on one number as JSON."""
    return {name: float(asdict(bounds)[name]) for name in ("voigt", "reuss", "hs_lower", "hs_upper")}


def _flatten(field: ArrayLike, name: str) -> NDArray[np.float64]:
    field = np.asarray(field, dtype=np.float64)
    if field.ndim not in (3, 4):
        raise ValueError(f"{name} has shape {field.shape}, expected (nx, ny, nz) or (batch, nx, ny, nz)")
    return field.reshape(*field.shape[:-3], -1)


def _phases(
    values: dict[str, ArrayLike], fractions: ArrayLike | None, axis: int, *, unit: str = "GPa"
) -> tuple[list[NDArray], NDArray]:
    """The values of the phases, broadcast and checked, and their volume fractions."""
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values.values()))
    for name, array in zip(values, arrays, strict=True):
        bad = ~(np.isfinite(array) & (array > 0.0))
        if bad.any():
            where = tuple(int(n) for n in np.argwhere(bad)[0])
            raise ValueError(f"{name} is {array[where]} at index {where}; it must be finite and > 0 {unit}")
    shape = arrays[0].shape
    if fractions is None:
        fractions = np.full(shape, 1.0 / shape[axis])
    fractions = np.broadcast_to(np.asarray(fractions, dtype=np.float64), shape)
    total = fractions.sum(axis=axis)
    if not (np.all(fractions >= 0.0) and np.allclose(total, 1.0, rtol=0.0, atol=1e-6)):
        raise ValueError(f"fractions must be ≥ 0 and sum to 1 along axis {axis}; a sum is {np.ravel(total)[0]:.6g}")
    return list(arrays), fractions


def _extremes(values: NDArray, fractions: NDArray, axis: int) -> tuple[NDArray, NDArray]:
    """Smallest and largest value among the phases that are present, keeping the axis."""
    present = fractions > 0
    return (
        np.min(values, axis=axis, keepdims=True, where=present, initial=np.inf),
        np.max(values, axis=axis, keepdims=True, where=present, initial=0.0),
    )


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
