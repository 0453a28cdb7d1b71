"""The shipped material catalogue: its numbers agree with each other and every row says where it comes from."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from relaxdesign.materials.catalogue import DEFAULT_CATALOGUE, KINDS, Catalogue, occupied_cells

COLUMNS = [
    *("id", "name", "category", "substance", "kind"),
    *("E_GPa", "nu", "K_GPa", "G_GPa", "rho_g_cm3", "k_W_mK", "cte_1e-6_K"),
    *("flag", "checked", "source", "url", "thermal_source"),
]
CATEGORIES = {
    "metal",
    "cermet",
    "ceramic",
    "glass",
    "semiconductor",
    "carbon",
    "mineral",
    "rock",
    "concrete",
    "polymer",
    "filled polymer",
    "elastomer",
    "foam",
}
FLAGS = {"", "toxic", "exotic", "radioactive", "precious"}
CHECKED = {"read", "cited"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.default()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with DEFAULT_CATALOGUE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_columns_are_as_documented(rows):
    assert list(rows[0]) == COLUMNS


def test_there_are_enough_materials(catalogue):
    assert len(catalogue) >= 350
    assert len(catalogue.select()) >= 280


def test_most_materials_on_offer_have_conductivity_and_expansion(catalogue):
    offered = catalogue.select()
    for name in ("conductivity", "expansion"):
        assert np.isfinite(offered.column(name)).mean() >= 0.9, name


def test_there_are_stiff_materials_on_offer(catalogue):
    assert (catalogue.select().column("bulk") > 250.0).sum() >= 15


def test_ids_and_names_are_unique(rows):
    for column in ("id", "name"):
        values = [row[column].casefold() for row in rows]
        assert len(set(values)) == len(values), column


def test_elastic_constants_are_complete_and_agree(rows):
    for row in rows:
        young, nu, bulk, shear = (float(row[column]) for column in ("E_GPa", "nu", "K_GPa", "G_GPa"))
        assert 0 <= nu < 0.5, row["id"]  # cork does not bulge
        assert 2 * shear * (1 + nu) == pytest.approx(young, rel=1e-3), row["id"]
        assert 3 * bulk * (1 - 2 * nu) == pytest.approx(young, rel=1e-3), row["id"]


def test_values_are_in_the_supported_range(catalogue):
    for material in catalogue.materials:
        assert 0.001 <= material.bulk <= 600, material.id
        assert 0.01 <= material.density <= 23, material.id
        for value in (material.conductivity, material.expansion, material.price):
            assert value is None or (math.isfinite(value) and value >= 0), material.id


def test_no_two_rows_are_the_same_material_to_one_percent(catalogue):
    values = np.log([(material.bulk, material.shear, material.density) for material in catalogue.materials])
    apart = np.abs(values[:, None] - values[None]).max(axis=2)
    np.fill_diagonal(apart, np.inf)
    first, second = np.unravel_index(apart.argmin(), apart.shape)
    pair = catalogue.materials[first].id, catalogue.materials[second].id
    assert apart.min() > math.log(1.01), pair


def test_every_row_names_its_source(rows):
    for row in rows:
        assert len(row["source"].strip()) >= 10, row["id"]
        assert not row["url"] or row["url"].startswith(("http://", "https://")), row["id"]


def test_kinds_checks_categories_and_flags_are_known(rows):
    for row in rows:
        assert row["kind"] in KINDS, row["id"]
        assert row["checked"] in CHECKED, row["id"]
        assert row["category"] in CATEGORIES, row["id"]
        assert row["flag"] in FLAGS, row["id"]
    assert {row["category"] for row in rows} == CATEGORIES
    assert sum(row["checked"] == "read" for row in rows) >= len(rows) / 2


def test_computed_rows_say_that_they_are_averages(rows):
    words = ("average", "Hill", "aggregate", "Hashin")
    for row in rows:
        if row["kind"] == "computed":
            assert any(word in row["source"] for word in words), row["id"]


def test_soft_and_nearly_incompressible_solids_keep_a_true_bulk_modulus(catalogue):
    """K of a rubber is about 1 to 5 GPa, however soft it is: a ν rounded to 0.49 would make it far smaller."""
    rubbers = [material for material in catalogue.materials if material.category == "elastomer"]
    assert rubbers
    for material in rubbers:
        assert material.poisson > 0.49, material.id
        assert 0.5 < material.bulk < 6, material.id


def test_catalogue_spans_foams_to_hard_ceramics(catalogue):
    for offer in (catalogue, catalogue.select()):
        bulk = [material.bulk for material in offer.materials]
        assert min(bulk) <= 0.002
        assert max(bulk) >= 350


def test_property_grid_is_covered(catalogue):
    assert occupied_cells(catalogue.materials) >= 165
    assert occupied_cells(catalogue.select().materials) >= 120
