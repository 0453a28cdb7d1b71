"""What is known of making composites: the tables agree with each other, and with what engineers know."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from relaxdesign.data import data_file
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.compatibility import judged_pairs, rules, verdict
from relaxdesign.materials.making import of_phases
from relaxdesign.materials.substances import PARTICLE_FORMS, substance_of, substances
from relaxdesign.materials.verdict import LEVELS

KNOWN = data_file("assets/known_composites.csv")
CATALOGUE = Catalogue.default()
OFFERED = CATALOGUE.select()


def test_every_material_is_of_a_known_substance():
    unknown = [m.id for m in CATALOGUE.materials if m.substance not in substances()]
    assert not unknown


def test_every_substance_has_a_material_and_a_source():
    used = {material.substance for material in CATALOGUE.materials}
    assert not set(substances()) - used
    assert all(substance.source for substance in substances().values())


def test_what_can_be_put_into_a_matrix_bears_a_known_temperature():
    offered = {m.substance for m in OFFERED.materials}
    for name in offered:
        substance = substances()[name]
        if substance.may_be_particle:
            assert substance.forms & PARTICLE_FORMS and substance.survives is not None and substance.limit, name
        if substance.may_be_matrix:
            assert substance.routes, f"{name} is a matrix by no process"
        for route in substance.routes:
            assert route.low < route.high, name


def test_every_rule_speaks_of_something_that_there_is():
    for rule in rules():
        assert rule.reason and rule.source
        for selector in (rule.matrix, rule.particle):
            for word in selector.split():
                word = word.removeprefix("-")
                assert any(substance.matches(word) for substance in substances().values()), f"{word} in {rule}"


@pytest.mark.parametrize("expected", ["established", "absurd"])
def test_composites_that_engineers_know_are_judged_as_they_do(expected):
    judged = judged_pairs(KNOWN, CATALOGUE.materials)
    mine = [each for each in judged if (each.expected == "established") == (expected == "established")]
    wrong = [f"{each.particle} in {each.matrix}: {each.found.words}" for each in mine if not each.right]
    assert len(mine) >= 60
    assert len(wrong) <= 0.05 * len(mine), "\n".join(wrong)


def test_the_list_of_known_composites_has_sources():
    with KNOWN.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["source"] for row in rows if row["expected"] == "established")
    assert all(row["reason"] for row in rows if row["expected"] != "established")


def test_a_particle_has_to_survive_the_process_of_the_matrix():
    polymer, ceramic = CATALOGUE.find("hdpe-dowling"), CATALOGUE.find("alumina-ad-995")
    found = verdict(ceramic, polymer)
    assert found.level == "impossible" and "polyethylene" in found.reason and "°C" in found.reason
    other = verdict(polymer, ceramic)
    assert other.level == "established" and other.route == "melt compounding"


def test_grades_of_one_substance_are_no_composite():
    found = verdict(CATALOGUE.find("alumina-ad-85"), CATALOGUE.find("alumina-ad-995"))
    assert found.level == "unlikely" and "grades of one substance" in found.reason


def test_parallel_fibres_are_asked_for_in_2d():
    epoxy, glass, quartz = (CATALOGUE.find(name) for name in ("epoxy-unfilled", "e-glass", "quartz"))
    assert verdict(epoxy, glass, 2).level == verdict(epoxy, glass, 3).level == "established"
    assert verdict(epoxy, quartz, 3).level == "established" and verdict(epoxy, quartz, 2).level == "plausible"


def test_of_two_phases_that_enclose_each_other_the_better_way_counts():
    ceramic, polymer = CATALOGUE.find("alumina-ad-995"), CATALOGUE.find("epoxy-unfilled")
    one_way, either = of_phases((ceramic, polymer), 3), of_phases((ceramic, polymer), 3, ordered=False)
    assert one_way is not None and one_way.level == "impossible"
    assert either is not None and either.level == "established"
    assert of_phases((ceramic,), 3) is None


def test_own_materials_without_a_substance_may_be_combined():
    own = Catalogue.from_text("id,name,E_GPa,nu,rho_g_cm3\na,Mine,100,0.3,5\nb,Yours,5,0.3,1\n")
    found = verdict(own.materials[0], own.materials[1])
    assert found.level == "plausible" and "nothing is known" in found.reason
    assert not own.combinable("plausible", 3).forbidden[0, 1]
    with pytest.raises(ValueError, match="allow any pair"):
        own.combinable("established", 3)


def test_an_own_material_may_name_its_substance():
    own = Catalogue.from_text(
        "id,name,substance,E_GPa,nu,rho_g_cm3\na,My epoxy,epoxy,3,0.35,1.2\nb,My alumina,alumina,370,0.22,3.9\n"
    )
    assert verdict(own.materials[0], own.materials[1]).level == "established"
    assert own.materials[1].price == substances()["alumina"].price


@pytest.mark.parametrize("makeable", ["plausible", "established"])
def test_only_pairs_of_the_level_are_combined(makeable):
    chosen = OFFERED.combinable(makeable, 3)
    assert 50 < len(chosen) < len(OFFERED)
    random = np.random.default_rng(0)
    for matrix, particle in random.integers(len(chosen), size=(200, 2)):
        found = verdict(chosen.materials[matrix], chosen.materials[particle])
        allowed = matrix != particle and LEVELS.index(found.level) >= LEVELS.index(makeable)
        assert chosen.forbidden[matrix, particle] != allowed
    partners = ~chosen.forbidden
    assert (partners.any(0) | partners.any(1)).all(), "a material without a partner is not on offer"
    assert not OFFERED.forbidden.any(), "without a level every pair may be combined"


def test_a_table_with_a_strange_process_is_refused():
    with data_file("assets/substances.csv").open(encoding="utf-8", newline="") as file:
        row = next(csv.DictReader(file))
    with pytest.raises(ValueError, match="unknown route"):
        substance_of(row | {"routes": "wishing 20-180"})
    with pytest.raises(ValueError, match="not understood"):
        substance_of(row | {"routes": "resin casting"})


def test_a_list_of_pairs_has_its_columns_and_levels(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="columns matrix and particle"):
        judged_pairs(path, CATALOGUE.materials)
    path.write_text("matrix,particle,expected\nepoxy-unfilled,quartz,sure\n")
    with pytest.raises(ValueError, match="known are impossible"):
        judged_pairs(path, CATALOGUE.materials)
