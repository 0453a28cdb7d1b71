"""By which process a solid is made into a lattice, a foam or another cell with voids.

The rows of ``assets/shaping.csv`` name processes of substances, with the thinnest wall that they make and what is left
in voids and has to be taken out of them. Of the rows that match, the first decides; others of its level are named.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

from relaxdesign.data import data_file
from relaxdesign.materials.material import Material
from relaxdesign.materials.substances import Substance, substances
from relaxdesign.materials.verdict import LEVELS, Level, Verdict, unknown

SHAPING_FILE = data_file("assets/shaping.csv")


@dataclass(frozen=True)
class Shaping:
    """A process that gives a solid its shape, or, without a route, what speaks against any.

    dim: of the cells that it makes, 2 for prismatic ones; 0: any. solid: selector of substances, see
    `Substance.matches`. wall_mm: thinnest wall, mm. left: what is left in voids, e.g. loose powder.
    """

    level: Level
    route: str
    dim: int
    solid: str
    wall_mm: float | None
    left: str
    reason: str
    source: str


def shaped(solid: Material, dim: int, enclosed: int = 0) -> Verdict:
    """Whether and how a cell of void and a solid can be made.

    dim: 2 asks for prismatic cells, 3 for any. enclosed: voids of the cell that nothing can be taken out of.
    """
    substance = substances().get(solid.substance)
    if substance is None:
        return unknown(solid.name)
    rows = _rows(substance, dim)
    first = rows[0]
    parts = [first.reason]
    if first.wall_mm is not None:
        parts.append(f"walls from {first.wall_mm:g} mm on")
    if first.left and dim == 3:
        parts.append(_left(first.left, enclosed))
    others = {row.route for row in rows if row.level == first.level} - {first.route}
    if others and first.route:
        parts.append(f"also by {', '.join(sorted(others))}")
    if solid.porous:
        parts.append(f"{solid.name} has pores of its own")
    return Verdict(first.level, first.route, "; ".join(parts), first.wall_mm)


def ways(substance: Substance, dim: int) -> list[Shaping]:
    """The processes that can shape a substance, the usual one first; none if it is unlikely to be shaped at all."""
    rows = _rows(substance, dim)
    return [row for row in rows if row.route and rows[0].route]


def _rows(substance: Substance, dim: int) -> list[Shaping]:
    """The rows that match, in the order of the table; at least one."""
    return [row for row in shapings() if row.dim in (0, dim) and substance.matches(row.solid)]


def _left(what: str, enclosed: int) -> str:
    if not enclosed:
        return f"{what} has to leave: open voids"
    return f"{what} stays in {'its enclosed void' if enclosed == 1 else f'its {enclosed} enclosed voids'}"


@lru_cache(maxsize=1)
def shapings() -> tuple[Shaping, ...]:
    """All rows, in the order of their table. Raises ValueError for unknown levels."""
    with SHAPING_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if strange := {row["level"] for row in rows} - {*LEVELS}:
        raise ValueError(f"{SHAPING_FILE.name}: unknown level {', '.join(strange)}; known are {', '.join(LEVELS)}")
    return tuple(Shaping(**row | _numbers(row)) for row in rows)  # type: ignore[arg-type]


def _numbers(row: dict[str, str]) -> dict[str, float | None]:
    return {"dim": int(row["dim"] or 0), "wall_mm": float(row["wall_mm"]) if row["wall_mm"] else None}
