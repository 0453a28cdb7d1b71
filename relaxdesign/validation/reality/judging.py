"""Whether a measured and a predicted value agree, and whether any geometry of the constituents explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from relaxdesign.physics.bounds import Bounds, bulk_bounds, conductivity_bounds, expansion_bounds, shear_bounds
from relaxdesign.physics.fem.moduli import young_poisson_from_bulk_shear
from relaxdesign.physics.voxel_fields import traced
from relaxdesign.study.trust import Trust
from relaxdesign.validation.reality.composites import Composite, Measured

_HINTS = {
    -1: "below every geometry of these constituents: an interface, pores or cracks, or their numbers are too high",
    0: "within the bounds: shape or arrangement of the phases may explain it",
    1: "above every geometry of these constituents: their numbers are too low, or the fraction",
}


@dataclass(frozen=True)
class Compared:
    """A measured value beside its prediction.

    trust: the prediction with its interval (95 %), None where there is none. low, high: what isotropic composites of
    the constituents reach at this fraction (Hashin–Shtrikman). All in the quantity's unit.
    """

    quantity: str
    measured: Measured
    low: float
    high: float
    trust: Trust | None = None

    @property
    def difference(self) -> float | None:
        """Predicted over measured value, minus 1."""
        return None if self.trust is None else self.trust.value / self.measured.value - 1.0

    @property
    def covered(self) -> bool | None:
        """Whether the measured value with its scatter and the interval of the prediction meet."""
        if self.trust is None:
            return None
        return abs(self.trust.value - self.measured.value) <= self.trust.width + self.measured.scatter

    @property
    def outside(self) -> int:
        """Whether the measured value with its scatter lies below (-1) or above (1) the bounds, or not (0)."""
        value, scatter = self.measured.value, self.measured.scatter
        return int(value - scatter > self.high) - int(value + scatter < self.low)

    def why(self, remark: str) -> str:
        """Why the prediction misses: the remark of the row, else what the bounds suggest; empty unless it does."""
        return "" if self.covered is not False else remark or _HINTS[self.outside]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "quantity": self.quantity,
            "measured": self.measured.value,
            "scatter": self.measured.scatter,
            "predicted": None if self.trust is None else self.trust.to_dict(),
            "bounds": [self.low, self.high],
            "difference": self.difference,
            "covered": self.covered,
            "outside": self.outside,
        }


@dataclass(frozen=True)
class Judged:
    """A composite with its comparisons. geometry: what was solved in its place, or why nothing was."""

    composite: Composite
    geometry: str
    compared: tuple[Compared, ...]

    @property
    def predicted(self) -> bool:
        return all(each.trust is not None for each in self.compared)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        own = self.composite
        return {
            "id": own.id,
            "family": own.family,
            "fraction": own.fraction,
            "read": own.read,
            "geometry": self.geometry,
            "values": [each.to_dict() for each in self.compared],
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any], composite: Composite) -> Judged:
        """The inverse of ``to_dict``, for a composite as its table tells it now."""
        known = {each["quantity"]: each["predicted"] for each in values["values"]}
        trusts = {name: Trust.from_dict(predicted) for name, predicted in known.items() if predicted}
        return judged(composite, values["geometry"], trusts)


def judged(composite: Composite, geometry: str, predictions: Mapping[str, Trust]) -> Judged:
    """Every measured value of a composite beside its prediction, if there is one."""
    compared = [
        Compared(name, measured, *attainable(composite, name), predictions.get(name))
        for name, measured in composite.measured.items()
    ]
    return Judged(composite, geometry, tuple(compared))


def attainable(composite: Composite, quantity: str) -> tuple[float, float]:
    """What isotropic composites of its constituents reach at its fraction, by Hashin–Shtrikman's bounds.

    E rises with K and with G, ν with K / G: theirs are those of opposite ends. Pores have a trace of stiffness.
    """
    shares = [1.0 - composite.fraction, composite.fraction]
    bulk, shear, conductivity = (
        traced([float(getattr(material, name) or 0.0) for material in composite.materials])
        for name in ("bulk", "shear", "conductivity")
    )
    if quantity == "conductivity":
        return _ends(conductivity_bounds(conductivity, shares))
    if quantity == "cte":
        expansion = [float(material.expansion or 0.0) for material in composite.materials]
        if any(material.void for material in composite.materials):
            return expansion[0], expansion[0]  # pores follow the solid, whatever their shape
        return _ends(expansion_bounds(bulk, shear, expansion, shares))
    (low_bulk, high_bulk), (low_shear, high_shear) = (
        _ends(bounds(bulk, shear, shares)) for bounds in (bulk_bounds, shear_bounds)
    )
    if quantity in ("K", "G"):
        return (low_bulk, high_bulk) if quantity == "K" else (low_shear, high_shear)
    if quantity == "E":
        ends = young_poisson_from_bulk_shear(np.array([low_bulk, high_bulk]), np.array([low_shear, high_shear]))[0]
    else:
        ends = young_poisson_from_bulk_shear(np.array([low_bulk, high_bulk]), np.array([high_shear, low_shear]))[1]
    return float(ends[0]), float(ends[1])


def _ends(bounds: Bounds) -> tuple[float, float]:
    return float(bounds.hs_lower), float(bounds.hs_upper)
