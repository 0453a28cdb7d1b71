"""The effective quantities a design can be asked for: names, units, and how a miss is counted.

A miss is measured in a *coordinate* of the quantity in which equal distances count alike: its logarithm where it is
positive (so misses are relative), a softened one where it may vanish or change its sign.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from relaxdesign.physics.fem.moduli import young_poisson_from_bulk_shear
from relaxdesign.physics.fem.stiffness import universal_anisotropy, voigt_bulk, voigt_shear

Source = Literal["bulk", "stiffness", "density", "conductivity", "price"]
Kind = Literal["logarithm", "softened", "plain"]


@dataclass(frozen=True)
class Quantity:
    """An effective quantity of a cell.

    source: what has to be computed for it. kind: its coordinate, see `coordinate`. scale: of the coordinates that are
    not logarithms, chosen so that a difference of 0.01 is about as noticeable as 1 % of a modulus.
    """

    name: str
    label: str
    unit: str
    source: Source
    kind: Kind = "logarithm"
    scale: float = 1.0

    def coordinate(self, value: Any) -> Any:
        """The coordinate of a value (float, array or tensor): ln v, asinh(v / scale) or v / scale."""
        if isinstance(value, Tensor):
            return value.log() if self.kind == "logarithm" else self._scaled(value, torch.asinh)
        if self.kind == "logarithm":
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.log(value)
        return self._scaled(value, np.arcsinh)

    def _scaled(self, value: Any, asinh: Any) -> Any:
        return asinh(value / self.scale) if self.kind == "softened" else value / self.scale

    @property
    def title(self) -> str:
        """The label as the beginning of a line; names and symbols in it keep their capitals."""
        return self.label[0].upper() + self.label[1:]

    @property
    def positive(self) -> bool:
        """Whether it is always above zero, so that its misses are relative."""
        return self.kind == "logarithm"

    def miss(self, value: float, wanted: float) -> float:
        """Signed distance of a value from the wanted one: relative if positive, else in coordinates."""
        return value / wanted - 1.0 if self.positive else float(self.coordinate(value) - self.coordinate(wanted))


def _stiffness_entries() -> list[Quantity]:
    """The 21 entries of C; those that need not be positive count misses below 1 GPa as absolute."""
    return [
        Quantity(f"C{i}{j}", f"stiffness C{i}{j}", "GPa", "stiffness", "logarithm" if i == j else "softened")
        for i in range(1, 7)
        for j in range(i, 7)
    ]


QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("K", "bulk modulus", "GPa", "bulk"),
        Quantity("G", "shear modulus", "GPa", "stiffness"),
        Quantity("E", "Young's modulus", "GPa", "stiffness"),
        Quantity("nu", "Poisson's ratio", "", "stiffness", "plain", 0.3),
        Quantity("Ex", "Young's modulus along x", "GPa", "stiffness"),
        Quantity("Ey", "Young's modulus along y", "GPa", "stiffness"),
        Quantity("Ez", "Young's modulus along z", "GPa", "stiffness"),
        Quantity("Ex/Ey", "ratio of Young's moduli, x to y", "", "stiffness"),
        Quantity("Ex/Ez", "ratio of Young's moduli, x to z", "", "stiffness"),
        Quantity("Ey/Ez", "ratio of Young's moduli, y to z", "", "stiffness"),
        Quantity("AU", "universal anisotropy index", "", "stiffness", "softened"),
        *_stiffness_entries(),
        Quantity("density", "density", "g/cm³", "density"),
        Quantity("conductivity", "thermal conductivity", "W/(m K)", "conductivity"),
        Quantity("price", "price", "per kg", "price"),
    )
}
"""All quantities by name. E, ν: of the isotropic averages K and G. conductivity: tr(k)/3. price: per mass."""

DIRECTIONAL = frozenset(name for name in QUANTITIES if name.startswith(("C", "E")) and name != "E") | {"AU"}
"""Quantities for which the placement is the design: particles placed at random cannot be asked for them."""


def quantities_of_stiffness(C: Tensor) -> dict[str, Tensor]:
    """Every quantity that follows from stiffnesses (batch, 6, 6) in GPa; differentiable."""
    bulk, shear = voigt_bulk(C), voigt_shear(C)
    compliance = torch.linalg.inv_ex(C).inverse
    average_young, poisson = young_poisson_from_bulk_shear(bulk, shear)
    young = 1.0 / compliance.diagonal(dim1=-2, dim2=-1)[..., :3]
    x, y, z = young.unbind(-1)
    entries = {f"C{i + 1}{j + 1}": C[..., i, j] for i in range(6) for j in range(i, 6)}
    return entries | {
        "K": bulk,
        "G": shear,
        "E": average_young,
        "nu": poisson,
        "Ex": x,
        "Ey": y,
        "Ez": z,
        "Ex/Ey": x / y,
        "Ex/Ez": x / z,
        "Ey/Ez": y / z,
        "AU": universal_anisotropy(C, compliance),
    }


def format_value(name: str, value: float) -> str:
    """A value with its symbol's unit, e.g. ``"120 GPa"``."""
    unit = QUANTITIES[name].unit
    return f"{value:.4g} {unit}" if unit else f"{value:.4g}"


def check_value(name: str, value: float) -> str | None:
    """Why a wanted value is impossible for this quantity, or None."""
    quantity = QUANTITIES[name]
    if not math.isfinite(value):
        return f"{quantity.label} must be a finite number, got {value}"
    if quantity.positive and value <= 0:
        return f"{quantity.label} must be above 0{' ' * bool(quantity.unit)}{quantity.unit}, got {value:g}"
    if name == "nu" and not -1 < value < 0.5:
        return f"Poisson's ratio must lie between -1 and 0.5, got {value:g}"
    if name == "AU" and value < 0:
        return f"the anisotropy index is never below 0, got {value:g}"
    return None
