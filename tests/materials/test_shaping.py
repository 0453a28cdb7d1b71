"""How solids are made into lattices, and how two solids interlock, as engineers know it."""

from __future__ import annotations

import csv

import pytest

from relaxdesign.data import data_file
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.compatibility import judged_pairs, verdict
from relaxdesign.materials.making import TOGETHER, of_phases
from relaxdesign.materials.material import VOID, Material
from relaxdesign.materials.shaping import shaped, shapings
from relaxdesign.materials.substances import substances
from relaxdesign.materials.verdict import LEVELS, Verdict

KNOWN = data_file("assets/known_lattices.csv")
CATALOGUE = Catalogue.default()


def named(substance: str) -> Material:
    return next(material for material in CATALOGUE.materials if material.substance == substance)


def interlocked(first: str, second: str, dim: int = 3) -> Verdict:
    found = of_phases((named(first), named(second)), dim, ordered=False)
    assert found is not None
    return found


def test_lattices_that_engineers_know_are_judged_as_they_do():
    judged = judged_pairs(KNOWN, CATALOGUE.materials)
    wrong = [f"{each.particle}: {each.found.words}" for each in judged if not each.right]
    assert len(judged) >= 25
    assert len(wrong) <= 0.05 * len(judged), "\n".join(wrong)


def test_the_list_of_known_lattices_has_sources_and_processes_that_there_are():
    with KNOWN.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = {row.route for row in shapings()}
    assert all(row["source"] and row["reason"] for row in rows)
    assert all(known & set(row["route"].split("|")) for row in rows if row["expected"] in ("plausible", "established"))


@pytest.mark.parametrize("dim", [2, 3])
def test_every_material_has_a_verdict_with_a_process_or_none(dim):
    for material in CATALOGUE.materials:
        found = shaped(material, dim)
        assert bool(found.route) == bool(found.wall_mm) == (found.rank >= LEVELS.index("plausible")), material.name
        assert found.reason


def test_rows_speak_of_substances_and_the_best_come_first():
    for row in shapings():
        assert row.reason and row.source and row.level in LEVELS
        for word in row.solid.split():
            assert any(each.matches(word.removeprefix("-")) for each in substances().values()), f"{word} in {row}"
    for substance in substances().values():
        for dim in (2, 3):
            ranks = [LEVELS.index(r.level) for r in shapings() if r.dim in (0, dim) and substance.matches(r.solid)]
            assert ranks[0] == max(ranks) or ranks[0] < LEVELS.index("plausible"), substance.id
    assert set(TOGETHER) <= {row.route for row in shapings()}


def test_a_lattice_is_judged_whichever_phase_is_void():
    titanium = named("titanium")
    found = verdict(VOID, titanium)
    assert found == verdict(titanium, VOID) == of_phases((titanium, VOID), 3) == of_phases((VOID, titanium), 3)
    assert (found.level, found.route, found.wall_mm) == ("established", "laser powder-bed fusion", 0.2)
    assert "walls from 0.2 mm" in found.reason and "open voids" in found.reason


def test_powder_stays_in_enclosed_voids_but_not_in_2d():
    titanium = named("titanium")
    assert "stays in its enclosed void" in shaped(titanium, 3, 1).reason
    assert "stays in its 4 enclosed voids" in shaped(titanium, 3, 4).reason
    assert "void" not in shaped(titanium, 2).reason
    assert "void" not in shaped(named("abs"), 3, 1).reason, "a filament leaves nothing"


def test_prismatic_cells_are_made_otherwise():
    ceramic = named("silicon-carbide")
    assert shaped(ceramic, 2).route == "extrusion" and shaped(ceramic, 3).route != "extrusion"


def test_an_own_material_without_a_substance_is_plausible():
    own = Catalogue.from_text("id,name,E_GPa,nu,rho_g_cm3\na,Mine,100,0.3,5\nb,Yours,5,0.3,1\n").materials[0]
    assert shaped(own, 3).level == "plausible" and "nothing is known of how Mine" in shaped(own, 3).reason


def test_porous_grades_are_shown_as_such():
    foam, grade, dense = map(CATALOGUE.find, ("al-foam-duocel-016", "titania-8pct-porosity-nist", "alumina-96"))
    assert foam.porous and grade.porous and not dense.porous
    assert (foam.sort, grade.sort, dense.sort) == ("foam", "ceramic, porous", "ceramic")
    assert "pores of its own" in shaped(grade, 3).reason and "pores of its own" not in shaped(dense, 3).reason


def test_of_two_solids_one_fills_a_lattice_of_the_other():
    cast = interlocked("titanium", "magnesium")
    assert (cast.level, cast.route) == ("established", "infiltration")
    assert "magnesium fills a shape of titanium" in cast.reason and "laser powder-bed fusion" in cast.reason
    assert interlocked("magnesium", "titanium") == cast
    assert interlocked("steel", "bronze").route == "infiltration"


def test_two_thermoplastics_are_printed_together():
    printed = interlocked("abs", "pla")
    assert (printed.level, printed.route) == ("established", "fused filament")
    assert interlocked("abs", "polyethylene").level == "plausible", "polyethylene warps"


def test_a_mixture_is_not_known_in_a_designed_shape():
    mixed = interlocked("polypropylene", "calcium-carbonate")
    assert mixed.level == "plausible" and "mixtures" in mixed.reason
    assert verdict(named("polypropylene"), named("calcium-carbonate")).level == "established"


def test_metals_that_dissolve_in_one_another_are_not_printed_together():
    assert interlocked("titanium", "steel").level == "unlikely"
