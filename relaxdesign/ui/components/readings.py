"""What the steps of a run measured of every target, as tiles tell it: the value, and a gauge of how far it is off."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from relaxdesign.library import Curves
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import NEAR_TARGET, ON_TARGET
from relaxdesign.study.stiffness import of_stiffness, stiffness_error
from relaxdesign.ui import units
from relaxdesign.ui.text import MET, missed, off, symbol

GAUGE = 0.25
"""Miss at which a gauge is at its end."""

_SHORT = {"conductivity": "k", "cte": "α", "density": "ρ"}


def at_step(curves: Curves, request: DesignRequest, step: int) -> list[list[dict]]:
    """Of every candidate a reading of each objective, in their order, as last measured by a step.

    A reading has ``name``, ``text`` (value with its unit), ``short`` (without), ``off`` (the miss, in words), ``place``
    on its gauge (-1 to 1, 0 on target) and ``state``. The entries of a wanted stiffness are one: its error.
    """
    row = bisect_right(curves.step, step) - 1
    if row < 0:
        return [[] for _ in range(request.count)]
    entries = of_stiffness(request.objectives)
    whole = [_of_stiffness(entries, curves, row, index) for index in range(request.count)] if entries else None
    found = []
    for index in range(request.count):
        rest = [_reading(o, curves, row, index) for o in request.objectives if o not in entries]
        told = [*([whole[index]] if whole else []), *rest]
        found.append([reading for reading in told if reading is not None])
    return found


def measured(curves: Curves, quantity: str) -> list[list[float | None]]:
    """What was measured of a quantity, by step and candidate; empty where nothing was."""
    return curves.values.get(quantity) or {"K": curves.bulk, "density": curves.density}.get(quantity, [])


def _reading(objective: Objective, curves: Curves, row: int, index: int) -> dict | None:
    rows = measured(curves, objective.quantity)
    value = rows[row][index] if row < len(rows) else None
    if value is None:
        return None
    unit = QUANTITIES[objective.quantity].unit
    short = units.text(value, unit, 3)
    told = {
        "name": _SHORT.get(objective.quantity) or symbol(objective.quantity),
        "text": short,
        "short": short.split(" ", 1)[0],
    }
    if objective.sense != "reach":
        return told | {"off": "", "place": None, "state": "none"}
    words = missed(objective, value)
    return told | _gauge(objective.miss(value), "" if words == MET else words)


def _of_stiffness(entries: Sequence[Objective], curves: Curves, row: int, index: int) -> dict | None:
    values = {entry.quantity: curves.values.get(entry.quantity, []) for entry in entries}
    known = {name: rows[row][index] for name, rows in values.items() if row < len(rows)}
    error = stiffness_error(entries, {name: value for name, value in known.items() if value is not None})
    if error is None:
        return None
    return {"name": "Error of C", "text": off(error), "short": off(error)} | _gauge(error, "")


def _gauge(miss: float, words: str) -> dict:
    state = "on" if abs(miss) <= ON_TARGET else "near" if abs(miss) <= NEAR_TARGET else "far"
    return {"off": words, "place": round(max(-1.0, min(1.0, miss / GAUGE)), 3), "state": state}
