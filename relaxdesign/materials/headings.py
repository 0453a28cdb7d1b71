"""Headings of a table of materials: which column holds what, and in which unit."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

REQUIRED = ("id", "name", "E_GPa", "nu", "rho_g_cm3")
_UNUSED = ("checked", "thermal_source")  # of the shipped catalogue: for people, not for designs

_PSI = Fraction("4.4482216152605") / Fraction("0.0254") ** 2  # Pa: a pound-force on a square inch
_POUND, _INCH = Fraction("453.59237"), Fraction("2.54")  # g, cm

_STIFFNESS = {
    "gpa": Fraction(1), "kn/mm2": Fraction(1), "mpa": Fraction(1, 10**3), "n/mm2": Fraction(1, 10**3),
    "kpa": Fraction(1, 10**6), "pa": Fraction(1, 10**9), "n/m2": Fraction(1, 10**9), "tpa": Fraction(10**3),
    "psi": _PSI / 10**9, "ksi": _PSI / 10**6, "msi": _PSI / 10**3,
}  # fmt: skip
_DENSITY = {
    **dict.fromkeys(("g/cm3", "g/cc", "g/ml", "gcm-3", "kg/l", "kg/dm3", "t/m3"), Fraction(1)),
    **dict.fromkeys(("kg/m3", "kgm-3", "g/l"), Fraction(1, 10**3)),
    "lb/in3": _POUND / _INCH**3, "lb/ft3": _POUND / (12 * _INCH) ** 3, "pcf": _POUND / (12 * _INCH) ** 3,
}  # fmt: skip
_CONDUCTIVITY = {
    **dict.fromkeys(("w/mk", "w/m/k", "w/m-k", "w/km", "wm-1k-1"), Fraction(1)),
    **dict.fromkeys(("mw/mk", "mwm-1k-1"), Fraction(1, 10**3)),
    **dict.fromkeys(("w/cmk", "wcm-1k-1"), Fraction(10**2)),
}
_EXPANSION = {
    **dict.fromkeys(
        ("1e-6/k", "10-6/k", "1e-61/k", "10-61/k", "1e-6k-1", "10-6k-1", "ppm/k", "μm/mk", "um/mk", "μm/m/k"),
        Fraction(1),
    ),
    **dict.fromkeys(("1/k", "k-1", "m/mk"), Fraction(10**6)),
}
_NONE: dict[str, Fraction] = dict.fromkeys(("", "-", "1", "–"), Fraction(1))


@dataclass(frozen=True)
class Quantity:
    """A number of a material. names: of its columns. units: what one of each is in the catalogue's unit."""

    names: tuple[str, ...]
    units: Mapping[str, Fraction]
    examples: str = ""


QUANTITIES = {
    "E_GPa": Quantity(
        ("e", "young's modulus", "youngs modulus", "young modulus", "modulus of elasticity", "elastic modulus",
         "e modulus", "e modul"), _STIFFNESS, "GPa, MPa, kPa, Pa, N/mm2, psi, ksi, Msi",
    ),
    "nu": Quantity(("nu", "ν", "poisson's ratio", "poissons ratio", "poisson ratio", "poisson"), _NONE, "none"),
    "K_GPa": Quantity(("k", "bulk modulus"), _STIFFNESS, "those of E"),
    "G_GPa": Quantity(("g", "shear modulus"), _STIFFNESS, "those of E"),
    "rho_g_cm3": Quantity(("rho", "ρ", "density"), _DENSITY, "g/cm3, kg/m3, g/l, lb/in3, lb/ft3"),
    "k_W_mK": Quantity(
        ("k", "lambda", "λ", "thermal conductivity", "conductivity"), _CONDUCTIVITY, "W/(m K), mW/(m K), W/(cm K)"
    ),
    "cte_1e-6_K": Quantity(
        ("cte", "alpha", "α", "coefficient of thermal expansion", "thermal expansion", "expansion"),
        _EXPANSION, "1e-6/K, ppm/K, µm/(m K), 1/K",
    ),
    "E_std_GPa": Quantity(("e std", "std of e"), _STIFFNESS, "those of E"),
    "k_std_W_mK": Quantity(("k std", "std of k"), _CONDUCTIVITY, "those of k"),
    "price_per_kg": Quantity(("price", "cost"), {}, "per kg, with any currency: price_per_kg (EUR), price (EUR/kg)"),
}  # fmt: skip
"""By column of the catalogue, whose name ends in its unit."""

TEXTS = {
    "id": ("id",), "name": ("name", "material"), "category": ("category",), "kind": ("kind",), "flag": ("flag",),
    "substance": ("substance",), "currency": ("currency",), "source": ("source",), "url": ("url",),
}  # fmt: skip

_NAMES = sorted((name for quantity in QUANTITIES.values() for name in quantity.names), key=len, reverse=True)


@dataclass(frozen=True)
class Column:
    """A column that is used. key: column of the catalogue. factor: from its unit to the catalogue's.

    currency: of prices, if the heading tells it.
    """

    heading: str
    key: str
    position: int
    factor: Fraction = Fraction(1)
    currency: str = ""


class UnitError(ValueError):
    """A heading of a known quantity without a unit (missing) or with an unknown one. key: the column it would be."""

    def __init__(self, message: str, key: str, *, missing: bool = False):
        self.key, self.missing = key, missing
        super().__init__(message)


def read_heading(heading: str, position: int) -> Column | None:
    """Reads what a column holds; None if its heading is not known.

    Units stand in brackets, after "in", "/" or a comma, or as in ``E_GPa``. Raises UnitError.
    """
    text = fold(heading)
    for key, names in TEXTS.items():
        if text in names:
            return Column(heading, key, position)
    spaced = re.sub(r"[_-]", " ", text)
    name = next((name for name in _NAMES if re.match(rf"{re.escape(name)}(?![^\W_]|')", spaced)), None)
    if name is None:
        return None
    found = [key for key, quantity in QUANTITIES.items() if name in quantity.names]
    rest = text[len(name) :]
    explicit = re.match(r"\s*(\[|\(|/|,|in\s)", rest) is not None
    unit = _normal(rest)
    for key in found:
        if key == "price_per_kg" and (money := re.fullmatch(r"([^/\d]*?)(?:per/?|/)kg(?:in(?=\D{3}))?([^/\d]*)", unit)):
            return Column(heading, key, position, currency=(money[1] or money[2]).upper())
        if unit in QUANTITIES[key].units:
            return Column(heading, key, position, QUANTITIES[key].units[unit])
    if not unit:
        raise UnitError(f"column {heading!r} has no unit: write {' or '.join(found)}", found[0], missing=True)
    if explicit:
        known = "; ".join(f"{key}: {QUANTITIES[key].examples}" for key in found)
        raise UnitError(f"column {heading!r} has an unknown unit; known are {known}", found[0])
    return None


def nearest_heading(heading: str) -> str | None:
    """The column of the catalogue whose name is nearly this heading, if one is."""
    known = {key.lower(): key for key in (*TEXTS, *QUANTITIES)}
    near = difflib.get_close_matches(fold(heading), list(known), 1, 0.7)
    return known[near[0]] if near else None


def is_for_people(heading: str) -> bool:
    """Whether a column is known and not used on purpose."""
    return fold(heading) in _UNUSED


def fold(heading: str) -> str:
    """A heading without differences of case, spaces, apostrophes and superscripts."""
    text = unicodedata.normalize("NFKC", heading).casefold().replace("’", "'").replace("\N{MINUS SIGN}", "-")
    return " ".join(text.split())


def _normal(rest: str) -> str:
    """A unit as the tables write it, from what follows the name in a heading: ``_g_cm3`` and ``[g / cm^3]`` alike."""
    unit = re.sub(r"^\s*(?:in[\s_]|_in_|[_,/:])?\s*", "", rest)
    unit = re.sub(r"^[\[(](.*)[\])]$", r"\1", unit.strip())
    unit = re.sub(r"°\s*c|deg\s*c", "k", unit)
    return re.sub(r"[\s^*·⋅()\[\]]", "", unit.replace("_", "/", 1)).removeprefix("×").removeprefix("x")
