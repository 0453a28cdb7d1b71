"""Whether a composite of two materials, or a lattice of one, can be made, by which process, and why.

A pair is *established* if it is of a known class of composites, *plausible* if a process of the matrix leaves the
particles as they are and nothing is known against it, *unlikely* if it could be made but nobody does, *impossible* if
the particles do not survive any process of the matrix or react with it. What is known stands in two tables:
``assets/substances.csv`` (see `relaxdesign.materials.substances`) and the rules of ``assets/compatibility.csv``, which
name known classes and known reactions with their source. Lattices are judged by `relaxdesign.materials.shaping`.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from relaxdesign.data import data_file
from relaxdesign.materials.material import VOID, VOID_NAMES, Material
from relaxdesign.materials.naming import find_material
from relaxdesign.materials.shaping import shaped
from relaxdesign.materials.substances import ROUTES, Route, Substance, substances
from relaxdesign.materials.verdict import LEVELS, Level, Verdict, unknown

RULES_FILE = data_file("assets/compatibility.csv")

Makeable = Literal["established", "plausible", "any"]
"""The least level of pairs that a request takes; any: all pairs."""


@dataclass(frozen=True)
class Judged:
    """A pair of a list. matrix, particle: names of the materials. expected, routes: as the list says, empty if it does
    not; any of the routes will do."""

    matrix: str
    particle: str
    expected: str
    routes: tuple[str, ...]
    found: Verdict

    @property
    def right(self) -> bool:
        """Whether it was found as expected; of absurd pairs it does not matter how absurd they are."""
        absurd = ("unlikely", "impossible")
        level = self.found.level == self.expected or (self.expected in absurd and self.found.level in absurd)
        return level and (not self.routes or self.found.route in self.routes)


@dataclass(frozen=True)
class Rule:
    """A row of the rules: a known class of composites (established), or what speaks against pairs.

    Of the rows that match, the first decides. matrix, particle: selectors of substances, see `Substance.matches`.
    route: of the matrix; empty: any. most: largest volume fraction of the class. reason: the class of composites, or
    what happens.
    """

    level: Level
    route: str
    matrix: str
    particle: str
    most: float
    reason: str
    source: str


@dataclass(frozen=True)
class _Way:
    """The verdict of one process. most: largest volume fraction of particles for which it holds."""

    verdict: Verdict
    most: float = 1.0


def verdict(matrix: Material, particle: Material, dim: int = 3, share: float = 0.0) -> Verdict:
    """Whether particles of one material in another can be made. dim: 2 asks for parallel fibres, 3 for particles.

    share: their volume fraction, which not every process reaches. Of materials whose substance is not known (own ones
    without it) nothing speaks against it. One of the two may be void: then it is a lattice of the other.
    """
    if matrix.void or particle.void:
        return shaped(particle if matrix.void else matrix, dim)
    known = substances()
    host, guest = known.get(matrix.substance), known.get(particle.substance)
    if host is None or guest is None:
        return unknown((matrix if host is None else particle).name)
    ways = _ways(host.id, guest.id, dim)
    best = ways[0].verdict.rank
    fitting = (way for way in ways if way.verdict.rank == best and way.most >= share)
    return next(fitting, ways[0]).verdict


def judged_pairs(path: Path, materials: Sequence[Material]) -> list[Judged]:
    """The pairs of a CSV file with columns ``matrix``, ``particle`` and, if they are known, ``expected`` and ``route``,
    several with ``|`` between them; ``dim`` is 3 if it is not given.

    They are named as in `material_named`. Raises ValueError for a missing column, an unknown material or level.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"matrix", "particle"} <= rows[0].keys():
        raise ValueError(f"{path.name}: give columns matrix and particle, and pairs below them")
    judged = []
    for row in rows:
        expected = (row.get("expected") or "").strip()
        if expected not in ("", *LEVELS):
            raise ValueError(f"{path.name}: expected is {expected!r}; known are {', '.join(LEVELS)}")
        matrix, particle = (material_named(row[role], materials) for role in ("matrix", "particle"))
        routes = tuple(filter(None, (row.get("route") or "").split("|")))
        found = verdict(matrix, particle, int(row.get("dim") or 3))
        judged.append(Judged(matrix.name, particle.name, expected, routes, found))
    return judged


def material_named(text: str, materials: Sequence[Material]) -> Material:
    """The material with this id or name, void, or any grade of a substance with this id. Raises ValueError."""
    wanted = text.strip().casefold()
    if wanted in VOID_NAMES:
        return VOID
    grade = next((material for material in materials if material.substance == wanted), None)
    return grade or find_material(materials, text)


def most_at(matrix: str, particle: str, makeable: Makeable, dim: int) -> float:
    """Largest volume fraction at which pairs of two substances, by their ids, are of a level; 0 if they are not.

    Of substances that are not known plausible is said, at any fraction.
    """
    if makeable == "any":
        return 1.0
    if matrix not in substances() or particle not in substances():
        return 1.0 if makeable == "plausible" else 0.0
    enough = LEVELS.index(makeable)
    return max((way.most for way in _ways(matrix, particle, dim) if way.verdict.rank >= enough), default=0.0)


@lru_cache(maxsize=200_000)
def _ways(host_id: str, guest_id: str, dim: int) -> tuple[_Way, ...]:
    """The verdicts of all processes of the matrix, the best first; at least one."""
    host, guest = substances()[host_id], substances()[guest_id]
    if host is guest:
        return (_Way(Verdict("unlikely", "", f"both are {host.name}: grades of one substance are no composite")),)
    if not host.routes:
        return (_Way(Verdict("impossible", "", f"no process puts particles into {host.name}: it comes as made")),)
    ways = [_by_route(host, guest, route) for route in host.routes]
    if dim == 2 and "fibre" not in guest.forms:
        ways = [_without_fibres(way, guest) for way in ways]
    return tuple(sorted(ways, key=lambda way: (-way.verdict.rank, -way.most)))


def _without_fibres(way: _Way, guest: Substance) -> _Way:
    found = way.verdict
    if found.level != "established":
        return way
    reason = f"{found.reason}; but parallel fibres of {guest.name} are not usual"
    return _Way(Verdict("plausible", found.route, reason), way.most)


def _by_route(host: Substance, guest: Substance, route: Route) -> _Way:
    """The verdict of one process of the matrix."""
    if guest.survives is None or guest.survives < route.low:
        end = "" if guest.survives is None else f" {guest.limit} at {guest.survives:,.0f} °C"
        what = f"{guest.name}{end}" if end else f"it is not known what {guest.name} bears"
        return _Way(Verdict("impossible", "", f"{what}, {host.name} {route.words}"))
    rule = deciding_rule(host, guest, route.name)
    if rule is not None and rule.level in ("impossible", "unlikely"):
        return _Way(Verdict(rule.level, "", rule.reason))
    if against := _unused(host, guest):
        return _Way(Verdict("unlikely", route.name, against))
    borne = f"{host.name} {route.words}, {guest.name} {guest.limit} at {guest.survives:,.0f} °C"
    most = ROUTES[route.name].most
    if rule is None:
        return _Way(Verdict("plausible", route.name, borne), most)
    return _Way(Verdict(rule.level, route.name, f"{rule.reason}; {borne}"), min(most, rule.most))


def deciding_rule(host: Substance, guest: Substance, route: str) -> Rule | None:
    """The first rule of a pair and a process of the matrix; None if there is none."""
    rules = _by_pair().get((host.id, guest.id), ())
    return next((rule for rule in rules if rule.route in ("", route)), None)


def _unused(host: Substance, guest: Substance) -> str:
    """Why nobody puts the one into the other, though a process would do; empty where nothing speaks against it."""
    if not host.may_be_matrix:
        return f"{host.name} is not used as a matrix"
    if not guest.divisible:
        return f"{guest.name} is not sold as powder, beads or fibre"
    return "" if guest.may_be_particle else f"{guest.name} is not used as a filler"


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """All rules, in the order of their table. Raises ValueError for unknown levels and routes."""
    with RULES_FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = tuple(Rule(**row | {"most": float(row["most"] or 1.0)}) for row in rows)  # type: ignore[arg-type]
    for rule in found:
        if rule.level not in LEVELS or rule.route not in ("", *ROUTES):
            raise ValueError(f"rule {rule.matrix} | {rule.particle}: unknown level or route")
    return found


@lru_cache(maxsize=1)
def _by_pair() -> dict[tuple[str, str], list[Rule]]:
    """The rules that speak of each ordered pair of substances, in the order of the table."""
    table: dict[tuple[str, str], list[Rule]] = {}
    everything = substances().values()
    for rule in rules():
        hosts = [substance.id for substance in everything if substance.matches(rule.matrix)]
        guests = [substance.id for substance in everything if substance.matches(rule.particle)]
        for host in hosts:
            for guest in guests:
                table.setdefault((host, guest), []).append(rule)
    return table
