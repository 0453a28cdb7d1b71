"""Reads the table of measured composites; its columns are described in assets/MATERIALS.md."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from relaxdesign.data import data_file
from relaxdesign.materials.material import VOID, Material, Number, material_of

MEASURED_COMPOSITES = data_file("assets/measured_composites.csv")
FAMILIES = ("particles", "interpenetrating", "porous")
QUANTITIES = {
    "E_GPa": "E",
    "K_GPa": "K",
    "G_GPa": "G",
    "nu": "nu",
    "k_W_mK": "conductivity",
    "cte_1e-6_K": "cte",
}
"""Quantities by the columns of their measured values."""

SCATTER = {"E": 0.03, "K": 0.03, "G": 0.03, "nu": 0.1, "conductivity": 0.05, "cte": 0.05}
"""Relative half-width of a measured value whose row tells none; ν follows from E / 2G - 1, which amplifies theirs."""

_PHASES = ("matrix", "inclusion")
_CONSTITUENT = ("E_GPa", "nu", "rho_g_cm3", "k_W_mK", "cte_1e-6_K")
_TEXTS = ("id", "name", "family", "scatter", "source", "url", "constituents_source", "read", "remark")
_COLUMNS = (
    *_TEXTS,
    "fraction",
    "porosity",
    *QUANTITIES,
    *_PHASES,
    *(f"{p}_{c}" for p in _PHASES for c in _CONSTITUENT),
)
_PERCENT = re.compile(r"(?P<number>\d+(?:\.\d+)?) %(?: of (?P<symbol>E|K|G|nu|k|cte)\b)?")
_SYMBOLS = {"k": "conductivity"}


@dataclass(frozen=True)
class Measured:
    """A measured value and the half-width of its scatter, both in the quantity's unit."""

    value: float
    scatter: float


@dataclass(frozen=True)
class Composite:
    """A composite that somebody measured.

    family: one of `FAMILIES`. fraction: volume fraction of the inclusion. porosity: of the composite beside the two
    phases, None where it is unknown. materials: matrix and inclusion. measured: values by quantity. read: whether the
    number was read in the source, else remembered. remark: why a prediction of perfectly bonded phases may miss.
    """

    id: str
    name: str
    family: str
    fraction: float
    porosity: float | None
    materials: tuple[Material, Material]
    measured: Mapping[str, Measured]
    source: str
    url: str
    constituents_source: str
    read: bool
    remark: str


def read_composites(path: Path = MEASURED_COMPOSITES) -> tuple[Composite, ...]:
    """The rows of the table. Raises ValueError that names every bad row with its line, and OSError."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
            raise ValueError(f"{path.name} lacks the columns {', '.join(missing)}; assets/MATERIALS.md describes them")
        rows = [(reader.line_num, row) for row in reader]
    composites: dict[str, Composite] = {}
    problems = [] if rows else ["there are no rows"]
    for line, row in rows:
        try:
            composite = _composite({column: (text or "").strip() for column, text in row.items() if column})
            if composite.id in composites:
                raise ValueError("the id is there twice; give each row its own")
            composites[composite.id] = composite
        except ValueError as error:
            problems.append(f"line {line} ({row['id'] or 'without id'}): {error}")
    if problems:
        raise ValueError(f"{path.name} cannot be used:\n" + "\n".join(f"  {problem}" for problem in problems))
    return tuple(composites.values())


def _composite(row: Mapping[str, str]) -> Composite:
    """A composite of the cells of a row. Raises ValueError for what is empty, out of range or contradictory."""
    for column in ("id", "name", "source", *_PHASES):
        if not row[column]:
            raise ValueError(f"{column} is empty")
    if row["family"] not in FAMILIES:
        raise ValueError(f"family is {row['family']!r}; there are {', '.join(FAMILIES)}")
    if row["read"] not in ("yes", "no"):
        raise ValueError(f"read is {row['read']!r}; write yes or no")
    fraction, porosity = _number(row, "fraction"), _number(row, "porosity")
    if fraction is None or not 0 < fraction < 1:
        raise ValueError(f"fraction is {row['fraction'] or 'empty'}; give a share between 0 and 1, not per cent")
    if porosity is not None and not 0 <= porosity < 1:
        raise ValueError(f"porosity is {row['porosity']}; give a share between 0 and 1, not per cent")
    porous = row["family"] == "porous"
    composite = Composite(
        **{
            column: row[column] for column in ("id", "name", "family", "source", "url", "constituents_source", "remark")
        },
        fraction=fraction,
        porosity=porosity,
        materials=(_material(row, "matrix"), _pores(row) if porous else _material(row, "inclusion")),
        measured=_measured(row),
        read=row["read"] == "yes",
    )
    _check_constituents(composite)
    return composite


def _check_constituents(composite: Composite) -> None:
    """Raises ValueError if a measured quantity needs a number of a constituent that is not known."""
    for quantity, column in (("conductivity", "k_W_mK"), ("cte", "cte_1e-6_K")):
        coefficient = "expansion" if quantity == "cte" else quantity
        for phase, material in zip(_PHASES, composite.materials, strict=True):
            if quantity in composite.measured and getattr(material, coefficient) is None:
                raise ValueError(f"{column} was measured, but {phase}_{column} is empty: nothing predicts it")


def _material(row: Mapping[str, str], phase: str) -> Material:
    """A constituent, its numbers as uncertain as those of handbooks: it is hardly ever the specimen's own."""
    columns = {column: f"{phase}_{column}" for column in _CONSTITUENT}
    numbers = {column: Number(_number(row, own), own, row[own]) for column, own in columns.items()}
    try:
        return material_of({"id": phase, "name": row[phase], "kind": "handbook"}, numbers)
    except ValueError as error:
        raise ValueError(f"{phase}: {error}") from None


def _pores(row: Mapping[str, str]) -> Material:
    """A void that conducts as what fills it."""
    if _number(row, "inclusion_E_GPa"):
        raise ValueError(f"inclusion_E_GPa is {row['inclusion_E_GPa']}; that of pores is 0, or the family is another")
    return replace(VOID, name=row["inclusion"], conductivity=_number(row, "inclusion_k_W_mK") or 0.0)


def _measured(row: Mapping[str, str]) -> dict[str, Measured]:
    """The measured values, by quantity. Their scatter is told by a percentage, ``3 %`` of all or ``5 % of E``."""
    told = {match["symbol"] or "": float(match["number"]) / 100.0 for match in _PERCENT.finditer(row["scatter"])}
    own = {_SYMBOLS.get(symbol, symbol): share for symbol, share in told.items()}
    measured = {}
    for column, quantity in QUANTITIES.items():
        value = _number(row, column)
        if value is not None:
            if value == 0 or (value < 0 and quantity not in ("nu", "cte")):
                raise ValueError(f"{column} is {row[column]}; a measured value is above 0, leave it empty if unknown")
            measured[quantity] = Measured(value, abs(value) * own.get(quantity, own.get("", SCATTER[quantity])))
    if not measured:
        raise ValueError(f"nothing was measured: give one of {', '.join(QUANTITIES)}")
    return measured


def _number(row: Mapping[str, str], column: str) -> float | None:
    """The number in a cell, None of an empty one."""
    try:
        return float(row[column]) if row[column] else None
    except ValueError:
        raise ValueError(f"{column} is {row[column]!r}, which is no number; write it with a decimal point") from None
