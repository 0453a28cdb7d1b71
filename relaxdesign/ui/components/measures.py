"""What designs are sorted by and compared in: one number per design each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from relaxdesign.result import Design
from relaxdesign.ui.text import significant


@dataclass(frozen=True)
class Measure:
    """A number of a verified design; None where it is not known."""

    title: str
    unit: str
    of: Callable[[Design], float | None]

    @property
    def label(self) -> str:
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def text(self, design: Design) -> str:
        value = self.of(design)
        return "–" if value is None else f"{significant(value, 3)} {self.unit}".rstrip()


def _property(name: str) -> Callable[[Design], float | None]:
    return lambda design: (design.properties or {}).get(name)


MEASURES = (
    Measure("Miss of the target", "%", lambda design: None if design.error is None else 100 * abs(design.error)),
    Measure("Density", "g/cm³", lambda design: design.density),
    Measure("Volume fraction", "", lambda design: design.volume_fraction),
    Measure("Diameter", "of the edge", lambda design: design.diameter),
    Measure("Spread of K", "GPa", lambda design: design.spread),
    Measure("Bulk modulus", "GPa", lambda design: design.K.realised),
    Measure("Shear modulus", "GPa", _property("G")),
    Measure("Young’s modulus", "GPa", _property("E")),
    Measure("Anisotropy index", "", _property("AU")),
    Measure("Conductivity", "W/(m K)", _property("conductivity")),
)


def known(designs: Sequence[Design]) -> dict[str, Measure]:
    """The measures that at least one of these designs has, by title."""
    return {m.title: m for m in MEASURES if any(m.of(design) is not None for design in designs)}


def ordered(designs: Sequence[Design], measure: Measure | None) -> list[Design]:
    """Smallest first; those without the number, and failed ones, come last. None: by number."""
    if measure is None:
        return sorted(designs, key=lambda design: design.index)

    def place(design: Design) -> tuple[bool, float, int]:
        value = measure.of(design) if design.ok else None
        return value is None, value or 0.0, design.index

    return sorted(designs, key=place)
