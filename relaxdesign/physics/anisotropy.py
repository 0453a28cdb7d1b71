"""What a stiffness says beyond single numbers: Young's modulus by direction.

Plain NumPy. Stiffnesses are (6, 6) in GPa, Voigt order xx, yy, zz, yz, xz, xy, engineering shear, as in
`relaxdesign.physics.fem`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

PLANES = {"xy": (0, 1), "yz": (1, 2), "xz": (0, 2)}
"""Coordinate planes by name, as the axes they contain."""


def directional_young(C: ArrayLike, directions: ArrayLike) -> NDArray[np.float64]:
    """Young's modulus of uniaxial tension along n: E(n) = 1 / (n⊗n : S : n⊗n) with the compliance S = C⁻¹, GPa.

    Args:
        C: stiffness (6, 6) in GPa, positive definite.
        directions: vectors (..., 3); their length does not matter.

    Returns:
        E(n), shape (...), GPa (Nye 1957, Physical Properties of Crystals, ch. VIII).

    Raises:
        ValueError: C is no positive definite (6, 6) matrix, or a direction is zero or not finite.
    """
    compliance = np.linalg.inv(_checked_stiffness(C))
    n = np.asarray(directions, dtype=np.float64)
    length = np.linalg.norm(n, axis=-1, keepdims=True)
    if n.shape[-1] != 3 or not np.all(np.isfinite(length) & (length > 0)):
        raise ValueError("directions must be finite vectors (..., 3) that are not zero")
    x, y, z = np.moveaxis(n / length, -1, 0)
    stress = np.stack([x * x, y * y, z * z, y * z, x * z, x * y], axis=-1)
    return 1.0 / np.einsum("...a,ab,...b->...", stress, compliance, stress)


def young_in_plane(C: ArrayLike, plane: str = "xy", count: int = 181) -> tuple[NDArray, NDArray]:
    """Angles 0 … 2π from the plane's first axis, and E(n) there in GPa, both (count,)."""
    if plane not in PLANES:
        raise ValueError(f"plane {plane!r} is unknown; planes are {', '.join(PLANES)}")
    angles = np.linspace(0.0, 2.0 * np.pi, count)
    directions = np.zeros((count, 3))
    first, second = PLANES[plane]
    directions[:, first], directions[:, second] = np.cos(angles), np.sin(angles)
    return angles, directional_young(C, directions)


def young_in_plane_strain(C: ArrayLike, count: int = 181) -> tuple[NDArray, NDArray]:
    """Young's modulus of tension along directions of the plane x, y while nothing strains along z, nor shears with it.

    Args:
        C: what is in the plane of a stiffness, (3, 3) in GPa, order xx, yy, xy.
        count: of angles.

    Returns:
        Angles 0 … 2π from x, and the modulus there in GPa, both (count,). It is above E(n) of the same stiffness.
    """
    compliance = np.linalg.inv(_checked_stiffness(C, "xx, yy, xy"))
    angles = np.linspace(0.0, 2.0 * np.pi, count)
    x, y = np.cos(angles), np.sin(angles)
    stress = np.stack([x * x, y * y, x * y], axis=-1)
    return angles, 1.0 / np.einsum("...a,ab,...b->...", stress, compliance, stress)


def young_surface(C: ArrayLike, count: int = 61) -> tuple[NDArray, NDArray]:
    """Unit vectors (count, 2 count - 1, 3) on a grid of polar and azimuthal angles, and E(n) there in GPa.

    The surface E(n) n is a sphere if and only if Young's modulus is isotropic.
    """
    polar = np.linspace(0.0, np.pi, count)[:, None]
    azimuth = np.linspace(0.0, 2.0 * np.pi, 2 * count - 1)[None]
    directions = np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar) + 0 * azimuth], axis=-1
    )
    return directions, directional_young(C, directions)


def is_stable(C: NDArray) -> bool:
    """Whether a stiffness is finite and positive definite: every strain costs energy."""
    return bool(np.isfinite(C).all()) and float(np.linalg.eigvalsh((C + C.T) / 2).min()) > 0


def _checked_stiffness(C: ArrayLike, order: str = "xx, yy, zz, yz, xz, xy") -> NDArray[np.float64]:
    stiffness, size = np.asarray(C, dtype=np.float64), len(order.split(", "))
    if stiffness.shape != (size, size):
        raise ValueError(f"C has shape {stiffness.shape}, expected {(size, size)} in the order {order}")
    if not is_stable(stiffness):
        raise ValueError("C is not positive definite: it is no stiffness of a stable material")
    return stiffness
