"""Density, price and solid fraction: averages over the volume or the mass, in which the geometry does not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from relaxdesign.physics.base import Coefficient, Computed, Physics, Quantity, Task

Phase = Mapping[str, NDArray]
"""Coefficients by name."""

DENSITY_OF_PHASE = Coefficient("density", "density", "g/cm³")
PRICE_OF_PHASE = Coefficient("price", "price", "per kg")
SOLID_OF_PHASE = Coefficient("solid", "solid", "", positive=False)


def compute_density(task: Task) -> Computed:
    """Mean density ⟨ρ⟩."""
    return Computed({"density": task.fields["density"].flatten(1).mean(1)})


def compute_price(task: Task) -> Computed:
    """Price per mass ⟨ρ p⟩ / ⟨ρ⟩ and per litre ⟨ρ p⟩, as g/cm³ are kg per litre."""
    density, price = task.fields["density"], task.fields["price"]
    per_litre = (density * price).flatten(1).mean(1)
    return Computed({"price": per_litre / density.flatten(1).mean(1), "price_per_litre": per_litre})


def compute_solid(task: Task) -> Computed:
    """Volume fraction of what is not void."""
    return Computed({"solid": task.fields["solid"].flatten(1).mean(1)})


def mixed_solid(name: str, matrix: Phase, particle: Phase, vf: NDArray, dim: int) -> NDArray:
    """Solid fraction of two phases; exact."""
    return (1 - vf) * matrix["solid"] + vf * particle["solid"]


def mixed_density(name: str, matrix: Phase, particle: Phase, vf: NDArray, dim: int) -> NDArray:
    """Density of two phases; exact."""
    return (1 - vf) * matrix["density"] + vf * particle["density"]


def mixed_price(name: str, matrix: Phase, particle: Phase, vf: NDArray, dim: int) -> NDArray:
    """Price of two phases, per mass or per litre; exact."""
    densities, prices = ((matrix[key], particle[key]) for key in ("density", "price"))
    return mixed_prices(densities, prices, (1 - vf, vf))[name]


def mixed_prices(densities: Sequence[Any], prices: Sequence[Any], shares: Sequence[Any]) -> dict[str, Any]:
    """Prices of a mixture per mass and per litre, by their quantities' names; exact.

    densities: of the phases in g/cm³. prices: per kg. shares: volume fractions. Numbers or arrays.
    """
    mass = sum(share * density for share, density in zip(shares, densities, strict=True))
    per_litre = sum(v * density * price for v, density, price in zip(shares, densities, prices, strict=True))
    return {"price": per_litre / mass, "price_per_litre": per_litre}


DENSITY = Physics(
    "density",
    (DENSITY_OF_PHASE,),
    (Quantity("density", "density", "g/cm³", "density", of_material="density"),),
    compute_density,
    mixture=mixed_density,
)
SOLID = Physics(
    "solid",
    (SOLID_OF_PHASE,),
    (Quantity("solid", "solid fraction", "", "solid", "plain", of_material="solid", limits=(0.0, 1.0 + 1e-9)),),
    compute_solid,
    mixture=mixed_solid,
)
PRICE = Physics(
    "price",
    (DENSITY_OF_PHASE, PRICE_OF_PHASE),
    (
        Quantity("price", "price", "per kg", "price", of_material="price"),
        Quantity("price_per_litre", "price per litre", "per l", "price", of_material="price_per_litre"),
    ),
    compute_price,
    mixture=mixed_price,
)
