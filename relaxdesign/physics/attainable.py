"""Which values of a quantity any microstructure of two materials, or of given phases, can have."""

from __future__ import annotations

import math
from collections.abc import Sequence

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.physics.base import Interval
from relaxdesign.physics.bounds import Bounds, bounds_with, bulk_bounds, shear_bounds
from relaxdesign.physics.quantities import PHYSICS, QUANTITIES
from relaxdesign.physics.voxel_fields import traced

__all__ = ["BOUNDED", "Interval", "bounds_of", "bounds_on", "reachable_by_any"]

BOUNDED = {
    **dict.fromkeys(("K", "G", "E"), "Hashin–Shtrikman"),
    **dict.fromkeys(("Ex", "Ey", "Ez", "C11", "C22", "C33", "C44", "C55", "C66"), "Voigt–Reuss"),
}
"""Quantities that volume fractions bound, with the bounds that hold for every cell."""


def bounds_of(materials: Sequence[Material], shares: Sequence[float]) -> dict[str, Bounds]:
    """Bounds on K and G (GPa) of phases with these volume fractions, of which some may be void."""
    bulk, shear = (traced([getattr(material, name) for material in materials]).tolist() for name in ("bulk", "shear"))
    void = sum(share for material, share in zip(materials, shares, strict=True) if material.void)
    found = {"K": bulk_bounds(bulk, shear, shares), "G": shear_bounds(bulk, shear, shares)}
    return {name: bounds_with(void, bounds) for name, bounds in found.items()}


def bounds_on(name: str, materials: Sequence[Material], shares: Sequence[float]) -> Interval:
    """Lower and upper bound of a quantity of `BOUNDED`, GPa, for cells of phases with these volume fractions."""
    of = bounds_of(materials, shares)
    pairs = ((b.hs_lower, b.hs_upper) if name in ("K", "G", "E") else (b.reuss, b.voigt) for b in of.values())
    low, high = (_combined(name, float(bulk), float(shear)) for bulk, shear in zip(*pairs, strict=True))
    return low, high


def _combined(name: str, bulk: float, shear: float) -> float:
    """The quantity of an isotropic stiffness; it grows with both moduli, as bounds on it do."""
    if name == "K":
        return bulk
    if name in ("G", "C44", "C55", "C66"):
        return shear
    if name.startswith("C"):
        return bulk + 4.0 / 3.0 * shear
    return 9.0 * bulk * shear / (3.0 * bulk + shear) if bulk and shear else 0.0


def reachable_by_any(catalogue: Catalogue, dim: int, name: str) -> Interval:
    """Smallest and largest value of a quantity that no microstructure of two of these materials leaves.

    Of more given phases than two, that no microstructure of all of them leaves; infinite where nothing is known. dim 2:
    cells that do not vary along z. The interval may be wider than what can be reached.
    """
    quantity = QUANTITIES[name]
    physics = PHYSICS[quantity.physics]
    if physics.pairs_alone and catalogue.given:
        solids = [float(getattr(m, physics.name)) for m in catalogue.materials if not m.void]
        if len(solids) == 1:  # beside voids it does as it does alone
            return solids[0], solids[0]
        if len(catalogue) > 2:
            return -math.inf, math.inf
    if physics.interval is not None:
        columns = {
            each.name: traced(column) if each.positive else column
            for each in physics.coefficients
            for column in (catalogue.column(each.name),)
        }
        return physics.interval(columns, dim, name)
    if quantity.of_material is None:
        raise ValueError(f"nothing is known of the values that {quantity.label} can have")
    single = catalogue.column(quantity.of_material)
    return float(single.min()), float(single.max())
