"""What the rows say: growth with the number of voxels, agreement between codes, and whether the goals are met."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .cases import HEADLINE_GRID, OURS
from .others import LIBRARIES

LARGE = {2: 128, 3: 32}
"""Grids from which growth is fitted: below, fixed costs hide it."""
SAME_VALUE = 1e-6
OTHER_ELEMENT = 0.05
"""How far K may differ where the other code has the fully integrated element only."""
"""Codes whose K differs by more from ours, relatively, did not solve the same problem."""


@dataclass(frozen=True)
class Goal:
    """A promise of the evaluator on two CPU cores, and what was measured of it."""

    what: str
    kind: str
    """"time" (s), "memory" (MB), "exponent", "at most" or "at least" (factors)."""
    limit: float
    measured: float | None
    """None: not measured."""
    rows: tuple[dict, ...] = ()
    """What it was measured on."""

    @property
    def met(self) -> bool | None:
        compare = operator.ge if self.kind == "at least" else operator.le
        return None if self.measured is None else compare(self.measured, self.limit)


def find(rows: list[dict], **wanted) -> dict | None:
    """The row with these fields; defaults: ours, batch 1, float64, successful (``status=None``: any)."""
    wanted = {"solver": OURS, "batch": 1, "dtype": "float64", "status": "ok"} | wanted
    return next((row for row in rows if all(row[k] == v for k, v in wanted.items() if v is not None)), None)


def growth_exponent(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """p of the least-squares fit ``value = c · size^p`` in logarithms; None with fewer than two sizes."""
    if len(sizes) < 2 or min(values) <= 0.0:
        return None
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def large_cells(rows: list[dict], dim: int, output: str, batch: int) -> list[dict]:
    """Our float64 rows from which growth is fitted, by size."""
    wanted = {"solver": OURS, "dim": dim, "output": output, "batch": batch, "dtype": "float64", "status": "ok"}
    found = [r for r in rows if all(r[k] == v for k, v in wanted.items()) and r["grid"] >= LARGE[dim]]
    return sorted(found, key=lambda row: row["grid"])


def growth(rows: list[dict], field: str) -> float | None:
    """Exponent of time or memory in the number of voxels of these rows."""
    return growth_exponent([row["voxels"] for row in rows], [row[field] for row in rows])


def deviation(rows: list[dict], row: dict) -> float | None:
    """Relative difference of a row's K from ours on the same cell."""
    ours = find(rows, output="K+gradient", dim=row["dim"], grid=row["grid"])
    return None if ours is None else row["value"][0] / ours["value"][0] - 1.0


def best_competitor(rows: list[dict], grid: int) -> dict | None:
    """Fastest other code that reached the same K on a 3D cell, whether or not it gave a gradient."""
    valid = [
        row
        for row in rows
        if row["solver"] in LIBRARIES
        and row["status"] == "ok"
        and (row["dim"], row["grid"]) == (3, grid)
        and abs(deviation(rows, row) or 0.0)
        < (OTHER_ELEMENT if LIBRARIES[row["solver"]].full_integration else SAME_VALUE)
    ]
    return min(valid, key=lambda row: row["seconds_median"], default=None)


def goals(rows: list[dict]) -> list[Goal]:
    """All promises, in the order in which they are reported."""
    headline = find(rows, output="K+gradient", dim=3, grid=HEADLINE_GRID)
    guidance = find(rows, output="K+gradient", dim=2, grid=64, batch=8, dtype="float32")
    large = find(rows, output="K+gradient", dim=3, grid=128)
    stiffness = find(rows, output="C", dim=3, grid=HEADLINE_GRID)
    other = best_competitor(rows, HEADLINE_GRID)
    result = [
        _at_most("K with gradient, 32³: time", "time", 0.25, headline),
        _at_most("K with gradient, 32³: growth of memory", "memory", 400.0, headline),
        _at_most("guidance, 64×64, batch 8, residual 1e-4: time per cell", "time", 0.008, guidance),
        _at_most("K with gradient, 128³: time", "time", 40.0, large),
        _at_most("K with gradient, 128³: growth of memory", "memory", 4000.0, large),
    ]
    for dim in (3, 2):
        fitted = large_cells(rows, dim, "K+gradient", 1)
        what = f"K with gradient, {dim}D: p of time ~ N^p"
        result.append(Goal(what, "exponent", 1.15, growth(fitted, "seconds_median"), tuple(fitted)))
    result += [
        _factor("full C (six load cases) against K with gradient, 32³: time", "at most", 5.0, stiffness, headline),
        _factor("faster than the best of the other codes, 32³", "at least", 10.0, other, headline),
    ]
    return result


def _at_most(what: str, kind: str, limit: float, row: dict | None) -> Goal:
    if row is None:
        return Goal(what, kind, limit, None)
    value = row["memory_MB"] if kind == "memory" else row["seconds_median"] / row["batch"]
    return Goal(what, kind, limit, value, (row,))


def _factor(what: str, kind: str, limit: float, row: dict | None, reference: dict | None) -> Goal:
    if row is None or reference is None:
        return Goal(what, kind, limit, None)
    return Goal(what, kind, limit, row["seconds_median"] / reference["seconds_median"], (row, reference))
