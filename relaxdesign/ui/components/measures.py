"""What designs are sorted by and compared in: one number per design each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from relaxdesign.microstructure import known_parameters
from relaxdesign.microstructure.base import VOLUME_FRACTION
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.objective import extremes_of, targets_of
from relaxdesign.study.result import Design
from relaxdesign.ui.text import significant


@dataclass(frozen=True)
class Measure:
    """A number of a verified design; None where it is not known.

    quantity: that it is the value of, if of one. good: -1 where a small one was asked for, 1 where a large one, else 0.
    """

    title: str
    unit: str
    of: Callable[[Design], float | None]
    quantity: str = ""
    good: int = 0

    @property
    def label(self) -> str:
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def text(self, design: Design) -> str:
        value = self.of(design)
        if value is None:
            return "–"
        number = significant(value, 3)
        return QUANTITIES[self.quantity].with_unit(number) if self.quantity else f"{number} {self.unit}".rstrip()


def _property(name: str) -> Callable[[Design], float | None]:
    return lambda design: design.value(name)


def _parameter(name: str) -> Callable[[Design], float | None]:
    return lambda design: design.parameters.get(name)


def _value(quantity: str) -> Measure:
    described = QUANTITIES[quantity]
    return Measure(described.title, described.unit, _property(quantity), quantity)


MEASURES = (
    Measure("Largest miss", "%", lambda design: None if design.error is None else 100 * abs(design.error), good=-1),
    _value("density"),
    Measure("Volume fraction", "", lambda design: design.volume_fraction),
    *(
        Measure(parameter.label.capitalize(), parameter.unit or "of the edge", _parameter(name))
        for name, parameter in known_parameters().items()
        if name != VOLUME_FRACTION.name
    ),
    Measure("Spread of K", "GPa", lambda design: design.spread),
    *(_value(name) for name, quantity in QUANTITIES.items() if not quantity.directional and name != "density"),
    _value("AU"),
)


def known(designs: Sequence[Design]) -> dict[str, Measure]:
    """The measures that at least one of these designs has, by title; with several targets, the miss of each first."""
    wanted = designs[0].objectives if designs else ()
    targets = [target.quantity for target in targets_of(wanted)]
    misses = [_miss(name) for name in targets] if len(targets) > 1 else []
    usual = {measure.quantity for measure in MEASURES}
    further = [_value(name) for name in dict.fromkeys(o.quantity for o in wanted) if name not in usual]
    good = {o.quantity: -1 if o.sense == "minimise" else 1 for o in extremes_of(wanted)}
    every = (replace(m, good=good.get(m.quantity, m.good)) for m in (*misses, *MEASURES, *further))
    return {m.title: m for m in every if any(m.of(design) is not None for design in designs)}


def _miss(quantity: str) -> Measure:
    def of(design: Design) -> float | None:
        miss = design.misses.get(quantity)
        return None if miss is None else 100 * abs(miss)

    return Measure(f"Miss of {quantity}", "%", of, good=-1)


def ordered(designs: Sequence[Design], measure: Measure | None) -> list[Design]:
    """Smallest first; those without the number, and failed ones, come last. None: by number."""
    if measure is None:
        return sorted(designs, key=lambda design: design.index)

    def place(design: Design) -> tuple[bool, float, int]:
        value = measure.of(design) if design.ok else None
        return value is None, value or 0.0, design.index

    return sorted(designs, key=place)
