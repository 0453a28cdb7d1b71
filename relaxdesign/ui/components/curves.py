"""What the steps measured, as lines for the browser: the properties asked for, and every loss."""

from __future__ import annotations

from collections.abc import Sequence

from relaxdesign.library import Curves
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import ON_TARGET
from relaxdesign.study.stiffness import of_stiffness, stiffness_error
from relaxdesign.ui import units
from relaxdesign.ui.colours import line_colours
from relaxdesign.ui.components.readings import measured

# Losses reach round-off; below this they are drawn as this.
SMALLEST_LOSS = 1e-8
# Points of a line: more than pixels are of no use.
MOST_POINTS = 320


def describe(curves: Curves, request: DesignRequest) -> dict:
    """One panel per quantity asked for, with its target band, and one per loss, on a common axis of steps.

    The entries of a wanted stiffness have one for all of them: its relative error. ``fold``: of several targets the one
    that a panel belongs to.
    """
    stride = -(-len(curves.step) // MOST_POINTS) or 1
    kept = slice((len(curves.step) - 1) % stride if curves.step else 0, None, stride)  # the newest is always in
    entries = of_stiffness(request.objectives)
    others = [objective for objective in request.objectives if objective not in entries]
    panels = [_stiffness_panel(entries, curves, kept)] if entries else []
    panels += [_quantity_panel(objective, curves, kept) for objective in others]
    told = {QUANTITIES[entry.quantity].label for entry in entries}
    panels += [
        _panel(f"Loss of {name.replace('_', ' ')}", "", rows[kept], floor=SMALLEST_LOSS) | {"fold": name}
        for name, rows in curves.losses.items()
        if name not in told
    ]
    several = bool(entries) + len(others) > 1
    panels = _folded(panels) if several else [panel | {"fold": ""} for panel in panels]
    for panel in panels:
        panel["series"] = panel["series"] or [[] for _ in range(request.count)]  # nothing measured yet
    return {
        "key": f"{len(curves.step)} {[panel['title'] for panel in panels]}",
        "steps": request.steps,
        "step": curves.step[kept],
        "panels": panels,
        "colours": line_colours(request.count),
    }


def _folded(panels: Sequence[dict]) -> list[dict]:
    """The panels by what they belong to: the value of every target, then its loss, then losses of no target."""
    order = list(dict.fromkeys(panel["fold"] for panel in panels))
    return [
        panel | {"fold": fold[:1].upper() + fold[1:].replace("_", " ")}
        for fold in order
        for panel in panels
        if panel["fold"] == fold
    ]


def _quantity_panel(objective: Objective, curves: Curves, kept: slice) -> dict:
    quantity = QUANTITIES[objective.quantity]
    unit, times = units.shown(quantity.unit)
    rows = [
        [None if value is None else value * times for value in row] for row in measured(curves, quantity.name)[kept]
    ]
    title = ", ".join(filter(None, (quantity.label[:1].upper() + quantity.label[1:], unit)))
    band = _band(objective)
    wanted = None if band is None else [None if end is None else end * times for end in band]
    return _panel(title, unit, rows, target=wanted, log=quantity.positive) | {"fold": quantity.label}


def _stiffness_panel(entries: Sequence[Objective], curves: Curves, kept: slice) -> dict:
    """How far the stiffness of every candidate is from the wanted one, in per cent of its norm."""
    measured = [curves.values[entry.quantity][kept] for entry in entries if entry.quantity in curves.values]
    names = [entry.quantity for entry in entries]

    def error(values: tuple[float | None, ...]) -> float | None:
        known = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        off = stiffness_error(entries, known)
        return None if off is None else 100 * off

    whole = len(measured) == len(names)
    rows = (
        [[error(values) for values in zip(*row, strict=True)] for row in zip(*measured, strict=True)] if whole else []
    )
    panel = _panel("Error of the stiffness, % of its norm", "%", rows, target=[None, 100 * ON_TARGET])
    return panel | {"fold": "stiffness"}


def _band(objective: Objective) -> list[float | None] | None:
    """The interval wanted; of a single value what counts as met, within one per cent."""
    if objective.sense != "reach":
        return None
    if objective.value is not None:
        slack = 0.01 * abs(objective.value)
        return [objective.value - slack, objective.value + slack]
    return [objective.low, objective.high]


def _panel(
    title: str, unit: str, rows: list, *, target: list | None = None, floor: float | None = None, log: bool = True
) -> dict:
    series = [[_short(value) for value in line] for line in zip(*rows, strict=True)]
    return {"title": title, "unit": unit, "series": series, "target": target, "floor": floor, "log": log}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
