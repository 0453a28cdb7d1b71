"""Substances: what chemistry and process knowledge the grades of one substance share.

Two grades of alumina differ in their moduli, not in what they can be combined with. So the catalogue's rows name their
substance, and ``assets/substances.csv`` says once how it is processed as a matrix, what it bears as a particle, in
which forms it is sold, what it costs and what is dangerous about it.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache

from relaxdesign.data import data_file

SUBSTANCES_FILE = data_file("assets/substances.csv")


@dataclass(frozen=True)
class Process:
    """A way to put particles into a matrix. does: what the matrix does then. most: largest volume fraction of them."""

    does: str
    most: float


ROUTES = {
    "resin casting": Process("cures", 0.7),
    "melt compounding": Process("is compounded as a melt", 0.6),
    "compression sintering": Process("is pressed and sintered", 0.5),
    "rubber mixing": Process("is mixed and vulcanised", 0.5),
    "stir casting": Process("is cast with stirred-in particles", 0.35),
    "infiltration": Process("infiltrates a packed bed", 0.8),
    "powder metallurgy": Process("is sintered from powder", 0.9),
    "electrodeposition": Process("is deposited from a bath", 0.3),
    "ceramic sintering": Process("is sintered", 0.6),
    "glass sintering": Process("is sintered from powder", 0.6),
    "cement hydration": Process("sets", 0.8),
    "foaming": Process("foams", 0.4),
    "baking": Process("is baked", 0.6),
}
"""Processes that make a substance the matrix around particles. The largest fractions are those of usual practice."""

FORMS = ("powder", "fibre", "beads", "aggregate", "bulk", "foam")
PARTICLE_FORMS = frozenset({"powder", "fibre", "beads", "aggregate"})
"""Forms in which a substance can be put into a matrix."""

ROLES = ("matrix", "particle", "both", "none")

LIMITS = ("melts", "softens", "decomposes", "transforms", "oxidises")
"""What ends a substance's stability as a particle."""

_ROUTE = re.compile(r"([a-z ]+?) (-?\d+)-(\d+)")


@dataclass(frozen=True)
class Route:
    """A process of a substance as matrix. low, high: temperatures between which it works, °C."""

    name: str
    low: float
    high: float

    @property
    def words(self) -> str:
        """What the matrix does, e.g. ``cures at 20 to 180 °C``."""
        return f"{ROUTES[self.name].does} at {self.low:,.0f} to {self.high:,.0f} °C"


@dataclass(frozen=True)
class Substance:
    """What grades of one substance share.

    kind: path of its class, ``ceramic/oxide``. survives: temperature up to which it keeps its solid form as a particle,
    °C, and limit: what it does above. service: highest temperature of long use, °C. powder: usual sizes, µm, as a text.
    price: order of magnitude, USD/kg, in price_year. None and empty: not known.
    """

    id: str
    name: str
    kind: str
    forms: frozenset[str]
    role: str
    routes: tuple[Route, ...]
    survives: float | None
    limit: str
    service: float | None
    powder: str
    price: float | None
    price_year: str
    price_source: str
    hazards: str
    source: str

    @property
    def divisible(self) -> bool:
        """Whether it is sold in a form that can be put into a matrix."""
        return bool(self.forms & PARTICLE_FORMS)

    @property
    def may_be_matrix(self) -> bool:
        return self.role in ("matrix", "both")

    @property
    def may_be_particle(self) -> bool:
        return self.role in ("particle", "both")

    def matches(self, selector: str) -> bool:
        """Whether it is meant by a selector: substance ids and beginnings of class paths, ``epoxy ceramic/oxide``;
        with ``-`` before one, all that it means are left out."""
        words = selector.split()
        wanted = any(self._is(word) for word in words if not word.startswith("-"))
        return wanted and not any(self._is(word[1:]) for word in words if word.startswith("-"))

    def _is(self, word: str) -> bool:
        return word in (self.id, "any") or self.kind == word or self.kind.startswith(f"{word}/")


def substance_of(row: dict[str, str]) -> Substance:
    """A substance of the cells of a row. Raises ValueError for what is not known or contradictory."""
    forms, routes = frozenset(row["forms"].split()), tuple(map(_route, filter(None, map(str.strip, _parts(row)))))
    for what, found, known in (
        ("form", forms, FORMS),
        ("role", {row["role"]}, ROLES),
        ("route", {route.name for route in routes}, tuple(ROUTES)),
        ("limit", {row["limit"]} - {""}, LIMITS),
    ):
        if strange := set(found) - set(known):
            raise ValueError(f"{row['id']}: unknown {what} {', '.join(sorted(strange))}; known are {', '.join(known)}")
    return Substance(
        id=row["id"],
        name=row["name"],
        kind=row["class"],
        forms=forms,
        role=row["role"],
        routes=routes,
        survives=_number(row["survives_C"]),
        limit=row["limit"],
        service=_number(row["service_C"]),
        powder=row["powder_um"],
        price=_number(row["price_usd_kg"]),
        price_year=row["price_year"],
        price_source=row["price_source"],
        hazards=row["hazards"],
        source=row["source"],
    )


def _parts(row: dict[str, str]) -> list[str]:
    return row["routes"].split("|")


def _route(text: str) -> Route:
    found = _ROUTE.fullmatch(text)
    if found is None:
        raise ValueError(f"route {text!r} is not understood: write e.g. resin casting 20-180")
    return Route(found[1], float(found[2]), float(found[3]))


def _number(text: str) -> float | None:
    return float(text) if text else None


@lru_cache(maxsize=1)
def substances() -> dict[str, Substance]:
    """All substances by their id."""
    with SUBSTANCES_FILE.open(encoding="utf-8", newline="") as file:
        found = [substance_of(row) for row in csv.DictReader(file)]
    return {substance.id: substance for substance in found}


def price_of(substance: str) -> float | None:
    """Order of magnitude of what a substance costs, USD/kg; None where it is not known."""
    known = substances().get(substance)
    return None if known is None else known.price
