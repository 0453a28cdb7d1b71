"""The registry of all physics: their quantities and coefficients by name.

A new physics is a module beside `relaxdesign.physics.elasticity` and an entry in `PHYSICS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping

from torch import Tensor

from relaxdesign.physics.base import Coefficient, Physics, Quantity, with_unit
from relaxdesign.physics.composite_voxels import Coefficients
from relaxdesign.physics.conduction import CONDUCTION
from relaxdesign.physics.elasticity import ELASTICITY
from relaxdesign.physics.expansion import THERMAL_EXPANSION
from relaxdesign.physics.mass import DENSITY, PRICE, SOLID

PHYSICS: dict[str, Physics] = {
    physics.name: physics for physics in (ELASTICITY, DENSITY, CONDUCTION, THERMAL_EXPANSION, PRICE, SOLID)
}
"""All physics by name, in the order in which they are computed and their coefficients are listed."""

QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity for physics in PHYSICS.values() for quantity in physics.quantities
}
"""All quantities by name."""

BY_AXIS: dict[str, list[str]] = {
    f"{quantity.title}, y, z": [name, *(name.removesuffix("x") + axis for axis in "yz")]
    for name, quantity in QUANTITIES.items()
    if quantity.label.endswith(" along x")
}
"""Quantities along the axes x, y and z of a cell, by what they are together."""

COEFFICIENTS: dict[str, Coefficient] = {
    coefficient.name: coefficient for physics in PHYSICS.values() for coefficient in physics.coefficients
}
"""All coefficients by name."""


def physics_of(names: Iterable[str]) -> tuple[Physics, ...]:
    """The physics that give these quantities, and those that they need, in the registry's order."""
    found: set[str] = set()
    open_ = {QUANTITIES[name].physics for name in names}
    while open_:
        found |= open_
        open_ = {QUANTITIES[name].physics for physics in open_ for name in PHYSICS[physics].needs} - found
    return tuple(physics for name, physics in PHYSICS.items() if name in found)


def coefficients_of(names: Iterable[str]) -> tuple[str, ...]:
    """The coefficients that a phase needs for these quantities, in the registry's order, none twice."""
    needed = {coefficient.name for physics in physics_of(names) for coefficient in physics.coefficients}
    return tuple(name for name in COEFFICIENTS if name in needed)


def mixed(
    physics: Iterable[Physics],
    own: Coefficients,
    rest: Coefficients,
    share: Tensor,
    carrying: Tensor,
    dim: int,
    barriers: Collection[str] = (),
) -> dict[str, Tensor]:
    """Coefficients of voxels of one phase and a share of what else is in them, for these physics.

    own, rest: of the phase and of the rest, by name. share: of the rest. carrying: what counts for it where more than
    an average is taken. barriers: see `relaxdesign.physics.base.Composite`.
    """
    made: dict[str, Tensor] = {}
    for each in physics:
        names = [coefficient.name for coefficient in each.coefficients]
        if each.mixture is not None:
            made |= {name: own[name] + (rest[name] - own[name]) * share for name in names}
            continue
        first, second = ({name: of[name] for name in names} for of in (own, rest))
        made |= each.composite(first, second, carrying, dim, made, barriers)
    return made


def computable(names: Iterable[str], coefficients: Collection[str]) -> frozenset[str]:
    """Those of the quantities that take no other coefficients than these."""
    return frozenset(name for name in names if set(coefficients_of([name])) <= set(coefficients))


def format_value(name: str, value: float) -> str:
    """A value with its symbol's unit, e.g. ``"120 GPa"``."""
    return QUANTITIES[name].with_unit(f"{value:.4g}")


def as_stored(unit: str) -> tuple[str, float]:
    """The unit in which numbers of a unit are told, and what they are multiplied by: as they are."""
    return unit, 1.0


def in_words(
    values: Mapping[str, float],
    number: Callable[[float], str],
    shown: Callable[[str], tuple[str, float]] = as_stored,
) -> list[tuple[str, str]]:
    """The values of a cell as names and texts with units: what no direction counts in, then what is told by axis.

    number: writes a value. shown: of a unit the one that is told, and what values are multiplied by.
    """

    def told(names: list[str]) -> str:
        unit, times = shown(QUANTITIES[names[0]].unit)
        return with_unit(", ".join(number(values[name] * times) for name in names), unit)

    averages = {
        f"{quantity.title}{f' {name}' if len(name) == 1 else ''}": [name]
        for name, quantity in QUANTITIES.items()
        if not quantity.directional
    }
    return [
        (title, told(names)) for title, names in (averages | BY_AXIS).items() if all(name in values for name in names)
    ]


def check_value(name: str, value: float) -> str | None:
    """Why a wanted value is impossible for this quantity, or None."""
    quantity = QUANTITIES[name]
    if not math.isfinite(value):
        return f"{quantity.label} must be a finite number, got {value}"
    if quantity.positive and value <= 0:
        return f"{quantity.label} must be above 0{' ' * bool(quantity.unit)}{quantity.unit}, got {value:g}"
    if quantity.limits is not None and not quantity.limits[0] < value < quantity.limits[1]:
        return f"{quantity.title} must lie between {quantity.limits[0]:g} and {quantity.limits[1]:g}, got {value:g}"
    if quantity.least is not None and value < quantity.least:
        return f"the {quantity.label} is never below {quantity.least:g}, got {value:g}"
    return None
