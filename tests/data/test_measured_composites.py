"""assets/measured_composites.csv: every row is complete, and what was measured can be true of what it is made of.

The bounds are those of Voigt and Reuss for K and G, and with them E; those of Wiener for the conductivity; and Levin's
relation, which is exact, at the two bounds of K for the expansion.
"""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from relaxdesign.data import data_file

CONSTITUENT = ("E_GPa", "nu", "rho_g_cm3", "k_W_mK", "cte_1e-6_K")
ELASTIC = ("E_GPa", "K_GPa", "G_GPa", "nu")
MEASURED = (*ELASTIC, "k_W_mK", "cte_1e-6_K")
COLUMNS = [
    "id",
    "name",
    "family",
    "matrix",
    "inclusion",
    "fraction",
    "porosity",
    *(f"{phase}_{quantity}" for phase in ("matrix", "inclusion") for quantity in CONSTITUENT),
    *MEASURED,
    "scatter",
    "source",
    "url",
    "constituents_source",
    "read",
    "remark",
]
RANGES = {
    "E_GPa": (0, 1200),
    "K_GPa": (0, 600),
    "G_GPa": (0, 600),
    "nu": (-1, 0.5),
    "k_W_mK": (0, 2500),
    "cte_1e-6_K": (0, 400),
    "rho_g_cm3": (0, 23),
}
TOLERANCE = 0.1

with open(data_file("assets/measured_composites.csv"), newline="", encoding="utf-8") as _file:
    _reader = csv.DictReader(_file)
    ROWS = list(_reader)
    HEADINGS = _reader.fieldnames

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])


def _number(row: dict, column: str) -> float | None:
    return float(row[column]) if row[column] else None


def _moduli(young: float, poisson: float) -> tuple[float, float]:
    return young / (3 * (1 - 2 * poisson)), young / (2 * (1 + poisson))


def _means(matrix: float, inclusion: float, fraction: float) -> tuple[float, float]:
    """The harmonic and the arithmetic mean, lower and upper bound."""
    harmonic = 1 / ((1 - fraction) / matrix + fraction / inclusion) if inclusion else 0.0
    return harmonic, (1 - fraction) * matrix + fraction * inclusion


def _bounds(row: dict) -> dict[str, tuple[float, float]]:
    """Lower and upper bound of what the constituents allow."""
    fraction = float(row["fraction"])
    bounds = {}
    if row["matrix_E_GPa"] and row["inclusion_E_GPa"]:
        matrix = _moduli(_number(row, "matrix_E_GPa"), _number(row, "matrix_nu"))
        inclusion = _moduli(_number(row, "inclusion_E_GPa"), _number(row, "inclusion_nu") or 0.0)
        bulk, shear = (_means(m, i, fraction) for m, i in zip(matrix, inclusion, strict=True))
        bounds |= {"K_GPa": bulk, "G_GPa": shear}
        bounds["E_GPa"] = tuple(9 * k * g / (3 * k + g) if k else 0.0 for k, g in zip(bulk, shear, strict=True))
        expansion = _number(row, "matrix_cte_1e-6_K"), _number(row, "inclusion_cte_1e-6_K")
        if row["family"] == "porous":
            bounds["cte_1e-6_K"] = (expansion[0], expansion[0])
        elif None not in expansion:
            weights = [(1 - fraction) * matrix[0], fraction * inclusion[0]]
            of_voigt = (weights[0] * expansion[0] + weights[1] * expansion[1]) / sum(weights)
            of_reuss = (1 - fraction) * expansion[0] + fraction * expansion[1]
            bounds["cte_1e-6_K"] = (min(of_voigt, of_reuss), max(of_voigt, of_reuss))
    if row["matrix_k_W_mK"] and row["inclusion_k_W_mK"]:
        bounds["k_W_mK"] = _means(_number(row, "matrix_k_W_mK"), _number(row, "inclusion_k_W_mK"), fraction)
    return bounds


def test_there_are_enough_rows_each_of_its_own():
    assert HEADINGS == COLUMNS
    assert len(ROWS) >= 40 and max(Counter(row["id"] for row in ROWS).values()) == 1
    assert max(Counter(row["name"] for row in ROWS).values()) == 1
    assert {row["family"] for row in ROWS} == {"particles", "interpenetrating", "porous"}
    assert sum(row["read"] == "yes" for row in ROWS) >= 20
    for column in ("E_GPa", "k_W_mK", "cte_1e-6_K"):
        assert sum(bool(row[column]) for row in ROWS) >= 10


@each_row
def test_a_row_tells_where_it_is_from(row):
    for column in ("id", "name", "matrix", "inclusion", "source", "constituents_source", "remark"):
        assert row[column].strip() == row[column] != "", column
    assert row["read"] in ("yes", "no")
    assert row["url"].startswith("https://") or (row["read"] == "no" and not row["url"])
    if row["read"] == "no":
        assert "remembered" in row["scatter"] or "catalogue" in row["scatter"], "how sure is what was not read?"


@each_row
def test_its_numbers_are_possible(row):
    assert 0 < float(row["fraction"]) < 1
    assert not row["porosity"] or 0 <= float(row["porosity"]) < 0.1
    assert any(row[column] for column in MEASURED)
    for column in COLUMNS:
        quantity = column.removeprefix("matrix_").removeprefix("inclusion_")
        if quantity in RANGES and row[column]:
            assert RANGES[quantity][0] <= float(row[column]) <= RANGES[quantity][1], column
    for column in MEASURED:
        assert not row[column] or float(row[column]) > 0, column


@each_row
def test_its_constituents_suffice_for_what_was_measured(row):
    needed = {"rho_g_cm3", "E_GPa"}
    needed |= {"k_W_mK"} if row["k_W_mK"] else set()
    needed |= {"cte_1e-6_K"} if row["cte_1e-6_K"] else set()
    of_pores = {"cte_1e-6_K"} if row["family"] == "porous" else set()  # pores follow the solid
    assert all(row[f"matrix_{quantity}"] for quantity in needed | {"nu"})
    assert all(row[f"inclusion_{quantity}"] for quantity in needed - of_pores)
    assert row["inclusion_nu"] or row["family"] == "porous"


@each_row
def test_moduli_agree_where_more_than_two_are_told(row):
    young, bulk, shear, poisson = (_number(row, column) for column in ELASTIC)
    if young and shear and poisson is not None:
        assert shear == pytest.approx(young / (2 * (1 + poisson)), rel=0.05)
    if young and bulk and poisson is not None:
        assert bulk == pytest.approx(young / (3 * (1 - 2 * poisson)), rel=0.05)
    if young and bulk and shear:
        assert young == pytest.approx(9 * bulk * shear / (3 * bulk + shear), rel=0.05)


@each_row
def test_what_was_measured_lies_between_the_bounds_or_the_remark_says_why_not(row):
    bounds = _bounds(row)
    outside = [
        column
        for column, (low, high) in bounds.items()
        if row[column] and not low * (1 - TOLERANCE) <= float(row[column]) <= high * (1 + TOLERANCE)
    ]
    if outside:
        assert "bound" in row["remark"], (outside, bounds)
