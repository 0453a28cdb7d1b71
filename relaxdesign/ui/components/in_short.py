"""The outcome of a run in one sentence: how many designs, how many on target, and in what they differ."""

from __future__ import annotations

from collections.abc import Sequence

from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design
from relaxdesign.ui import units
from relaxdesign.ui.components import candidates
from relaxdesign.ui.text import escape, plural, significant

DIFFERENT = 0.03
"""Ranges that are wider than this share of the largest value are told."""


def sentence(designs: Sequence[Design], request: DesignRequest) -> str:
    """The outcome of a run, as Markdown."""
    made = [design for design in designs if design.ok]
    if not made:
        return "**No candidate became a design.**"
    number = plural(len(made), "design")
    if len(made) < request.count:
        number += f" of {plural(request.count, 'candidate')}"
    differences = _differences(made)
    differ = f"; they differ in {differences}" if differences else ""
    return f"**{number}, {_aim(made, request)}{differ}.**{_nearest(made)}"


def _aim(made: Sequence[Design], request: DesignRequest) -> str:
    """How many are on target."""
    close = sum(candidates.on_target(design) for design in made)
    wanted = "the target" if len(request.targets) == 1 else "all targets"
    if not request.targets:
        return "verified"
    if close == len(made):
        return f"within 1 % of {wanted}" if len(made) == 1 else f"all within 1 % of {wanted}"
    return f"{close or 'none'} of them within 1 % of {wanted}" if len(made) > 1 else f"not within 1 % of {wanted}"


def _nearest(made: Sequence[Design]) -> str:
    """Where no design is on target: which targets the nearest one misses, and by how much."""
    nearest = candidates.best(made)
    shortfall = "" if nearest is None else candidates.shortfall(nearest)
    if nearest is None or not shortfall or any(candidates.on_target(design) for design in made):
        return ""
    return f" :orange[The nearest, candidate {nearest.index + 1}, misses {escape(shortfall)}.]"


def _differences(made: Sequence[Design]) -> str:
    """In what designs differ, with the ranges; empty for one alone."""
    if len(made) == 1:
        return ""
    combinations = {tuple(material.id for material in design.materials) for design in made}
    unit, times = units.shown("g/cm³")
    inclusions = "share of solid" if made[0].cell.void is not None else f"share of {made[0].phases[-1].lower()}"
    ranges = [
        _range("density", [design.value("density") for design in made], times, f" {unit}"),
        _range(inclusions, [_filled(design) for design in made], 100.0, " %"),
        _range("cost of materials per kg", [design.value("price") for design in made], 1.0, money(made)),
    ]
    parts = [f"materials ({len(combinations)} combinations)"] if len(combinations) > 1 else []
    parts += [part for part in ranges if part]
    if not parts:
        return "the arrangement of their phases alone"
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def money(designs: Sequence[Design]) -> str:
    """The currency of all prices of designs' materials, after a space; empty where they have none or several."""
    named = {material.money for design in designs for material in design.materials if not material.void}
    return f" {escape(named.pop())}" if len(named) == 1 and all(named) else ""


def _filled(design: Design) -> float | None:
    """The share of the cell that is not its first phase, or not its void."""
    return design.volume_fraction if design.cell.void is None else 1.0 - design.shares[design.cell.void]


def _range(name: str, values: Sequence[float | None], times: float, unit: str) -> str:
    """``density (2.7 to 3.9 g/cm³)``; empty where a value is unknown or all are about the same."""
    known = [value * times for value in values if value is not None]
    if len(known) < len(values) or max(known) - min(known) <= DIFFERENT * max(known):
        return ""
    return f"{name} ({significant(min(known), 2)} to {significant(max(known), 2)}{unit})"
