"""How a cell of two phases is made: particles in a matrix, a solid with voids, or two solids that interlock.

Of two interlocking solids one is shaped as a lattice is and the other fills it, or both are printed together. Where
neither is known, a known composite of the two is plausible: somebody has to find out how both get their shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from relaxdesign.materials.compatibility import deciding_rule, verdict
from relaxdesign.materials.material import Material
from relaxdesign.materials.shaping import shaped, ways
from relaxdesign.materials.substances import substances
from relaxdesign.materials.verdict import LEVELS, Level, Verdict, lowest

FILLING = frozenset({"resin casting", "rubber mixing", "infiltration", "cement hydration", "foaming"})
"""Processes of a matrix that fill the voids of a lattice, too."""

TOGETHER: dict[str, Level] = {
    "fused filament": "established",
    "vat photopolymerisation": "plausible",
    "direct ink writing": "plausible",
    "laser powder-bed fusion": "plausible",
}
"""Processes that print two solids in one piece, and how usual that is."""

_PLAUSIBLE = LEVELS.index("plausible")


def of_phases(
    materials: Sequence[Material], dim: int, share: float = 0.0, *, ordered: bool = True, enclosed: int = 0
) -> Verdict | None:
    """The verdict of a cell of two phases, of the first as the matrix; None of one.

    share: volume fraction of the second. ordered: False where neither phase surrounds the other. enclosed: voids that
    nothing can be taken out of.
    """
    if len(materials) != 2:
        return None
    first, second = materials
    if first.void or second.void:
        return shaped(second if first.void else first, dim, enclosed)
    return verdict(first, second, dim, share) if ordered else _interlocked(first, second, dim)


def of_solids(first: Material, second: Material, dim: int, enclosed: int = 0) -> Verdict:
    """The verdict of two solids beside a void, which have to be printed together.

    Where no process is known to do that, how each of them gets its shape is told. enclosed: as in `of_phases`.
    """
    alone = [shaped(each, dim, enclosed) for each in (first, second)]
    levels: list[Level] = [each.level for each in alone]
    known = max(_printed(first, second, dim), key=lambda way: way.rank, default=None)
    if known is not None:
        wall = max((each.wall_mm for each in alone if each.wall_mm is not None), default=None)
        return replace(known, level=lowest(known.level, *levels), wall_mm=wall)
    told = " and ".join(f"{m.name} by {each.route or 'none'}" for m, each in zip((first, second), alone, strict=True))
    reason = f"no process is known that prints both in one piece; alone {told}"
    return Verdict(lowest("unlikely", *levels), "", reason)


def of_many(materials: Sequence[Material], shares: Sequence[float], dim: int) -> Verdict:
    """The verdict of several materials in the first, with their volume fractions: that of the least sure of them."""
    matrix, *others = materials
    found = [verdict(matrix, other, dim, share) for other, share in zip(others, shares[1:], strict=True)]
    least = min(found, key=lambda each: each.rank)
    told = [f"{other.name}: {each.reason}" for other, each in zip(others, found, strict=True)]
    return replace(least, reason="; ".join(dict.fromkeys(told)))


def _interlocked(first: Material, second: Material, dim: int) -> Verdict:
    """The best way: filling a lattice before printing together, and these before what is known of composites."""
    pairs = (first, second), (second, first)
    found = [way for pair in pairs for way in _filled(*pair, dim)] + list(_printed(first, second, dim))
    return max([*found, *(_mixed(verdict(*pair)) for pair in pairs)], key=lambda way: way.rank)


def _filled(filler: Material, shape: Material, dim: int) -> Iterator[Verdict]:
    """The ways in which one material fills a lattice of another that bears it."""
    host, guest = substances().get(filler.substance), substances().get(shape.substance)
    if host is None or guest is None or host is guest or guest.survives is None:
        return
    base = shaped(shape, dim)
    for route in host.routes:
        if route.name not in FILLING or guest.survives < route.low or base.rank < _PLAUSIBLE:
            continue
        rule = deciding_rule(host, guest, route.name)
        level: Level = "plausible" if rule is None else rule.level
        if LEVELS.index(level) >= _PLAUSIBLE:
            hot = f"{route.low:,.0f} to {route.high:,.0f} °C"
            reason = f"{host.name} fills a shape of {guest.name} at {hot}; that is made by {base.route}"
            yield Verdict(lowest(level, base.level), route.name, reason)


def _printed(first: Material, second: Material, dim: int) -> Iterator[Verdict]:
    """The ways in which two materials are printed in one piece, unless a rule speaks against the pair."""
    one, other = substances().get(first.substance), substances().get(second.substance)
    if one is None or other is None or one is other:
        return
    theirs: dict[str, Level] = {way.route: way.level for way in reversed(ways(other, dim))}  # the first row counts
    for way in ways(one, dim):
        rules = [deciding_rule(*pair, way.route) for pair in ((one, other), (other, one))]
        against = any(rule is not None and LEVELS.index(rule.level) < _PLAUSIBLE for rule in rules)
        if way.route in theirs and way.route in TOGETHER and not against:
            level = lowest(TOGETHER[way.route], way.level, theirs[way.route])
            yield Verdict(level, way.route, f"{one.name} and {other.name} are printed together")


def _mixed(found: Verdict) -> Verdict:
    """What is known of a mixture, said of a designed shape."""
    if found.rank < _PLAUSIBLE or not found.route:
        return found
    reason = f"{found.reason}; known of mixtures, how both get a designed shape is not known"
    return Verdict("plausible", found.route, reason)
