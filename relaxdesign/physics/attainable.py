"""Which values of a quantity any microstructure of two materials can have."""

from __future__ import annotations

from collections.abc import Sequence

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.physics.base import Interval
from relaxdesign.physics.bounds import Bounds, bulk_bounds, shear_bounds
from relaxdesign.physics.effective_properties import bounds_with
from relaxdesign.physics.quantities import PHYSICS, QUANTITIES
from relaxdesign.physics.voxel_fields import traced

__all__ = ["Interval", "bounds_of", "reachable_by_any"]


def bounds_of(materials: Sequence[Material], shares: Sequence[float]) -> dict[str, Bounds]:
    """Bounds on K and G (GPa) of phases with these volume fractions, of which some may be void."""
    bulk, shear = (traced([getattr(material, name) for material in materials]).tolist() for name in ("bulk", "shear"))
    void = sum(share for material, share in zip(materials, shares, strict=True) if material.void)
    found = {"K": bulk_bounds(bulk, shear, shares), "G": shear_bounds(bulk, shear, shares)}
    return {name: bounds_with(void, bounds) for name, bounds in found.items()}


def reachable_by_any(catalogue: Catalogue, dim: int, name: str) -> Interval:
    """Smallest and largest value of a quantity that no microstructure of two of these materials leaves.

    dim 2: cells that do not vary along z. The interval may be wider than what can be reached.
    """
    quantity = QUANTITIES[name]
    physics = PHYSICS[quantity.physics]
    if physics.interval is not None:
        columns = {each.name: traced(catalogue.column(each.name)) for each in physics.coefficients}
        return physics.interval(columns, dim, name)
    if quantity.of_material is None:
        raise ValueError(f"nothing is known of the values that {quantity.label} can have")
    single = catalogue.column(quantity.of_material)
    return float(single.min()), float(single.max())
