"""Catalogues as text: written, edited by people, and read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relaxdesign.materials import read_material, write_materials
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.substances import substances
from relaxdesign.materials.writing import cells_of, new_id, number_text
from relaxdesign.study.request import LONGEST_MATERIALS

SHIPPED = Catalogue.default()


def reread(*materials):
    return Catalogue.from_text(write_materials(materials)).materials


def test_the_shipped_catalogue_comes_back_and_fits_into_a_request():
    text = write_materials(SHIPPED.materials)
    again = Catalogue.from_text(text)
    assert len(text) < LONGEST_MATERIALS / 4 and not again.warnings
    for before, after in zip(SHIPPED.materials, again.materials, strict=True):
        assert after == replace(before, bulk=after.bulk, shear=after.shear)
        assert (after.bulk, after.shear) == pytest.approx((before.bulk, before.shear), rel=1e-5)
    assert write_materials(again.materials) == text


def test_another_modulus_may_be_written_into_a_row():
    row = next(line for line in write_materials(SHIPPED.materials).splitlines() if line.startswith("steel-"))
    assert "K_GPa" not in write_materials(SHIPPED.materials).splitlines()[0] and row
    text = write_materials([SHIPPED.materials[0]]).replace(",193,", ",190,")
    assert Catalogue.from_text(text).materials[0].young == 190


def test_numbers_that_do_not_follow_from_others_are_kept():
    given = "id,name,E_GPa,nu,rho_g_cm3,K_GPa,price_per_kg,E_std_GPa\na,A,70,0.33,2.7,68.64,3.5,0.7\n"
    material = Catalogue.from_text(given).materials[0]
    assert cells_of(material)["K_GPa"] == "68.64" and cells_of(material)["G_GPa"] == ""
    assert reread(material) == (material,)


def test_a_price_is_written_where_it_is_not_that_of_the_substance():
    name, known = next((name, s) for name, s in substances().items() if s.price)
    row = {"id": "a", "name": "A", "E_GPa": "3", "nu": "0.3", "rho_g_cm3": "1", "substance": name}
    usual, _ = read_material(row)
    own, _ = read_material(row | {"price_per_kg": "123.5"})
    assert usual.price == known.price and cells_of(usual)["price_per_kg"] == ""
    assert cells_of(own)["price_per_kg"] == "123.5" and reread(own) == (own,)


@pytest.mark.parametrize("name", ["=1+1", "-x", "@y", "＝1", "'a'", '"quoted", with; signs', "β–Époxy", "A  B"])
def test_texts_come_back_and_are_no_formulas(name):
    material = replace(SHIPPED.materials[0], name=name.replace("  ", " "), source=name.replace("  ", " "))
    assert reread(material)[0].name == material.name and reread(material)[0].source == material.source
    assert not [cell for cell in write_materials([material]).split(",") if cell.startswith(("=", "-", "@", "＝"))]


def test_numbers_are_written_as_short_as_they_are_read():
    assert [number_text(value) for value in (193.0, 0.35, 1e-6, 2e22, None)] == ["193", "0.35", "1e-06", "2e+22", ""]
    tiny = replace(SHIPPED.materials[0], expansion=-1.2345678901234567e-7)
    assert reread(tiny)[0].expansion == tiny.expansion


def test_a_single_row_is_refused_with_the_words_of_a_table():
    row = {"id": "a", "name": "A", "E_GPa": "3", "nu": "0.3", "rho_g_cm3": "1.2"}
    assert read_material(row)[0] == Catalogue.from_text("id,name,E_GPa,nu,rho_g_cm3\na,A,3,0.3,1.2\n").materials[0]
    for changed, said in (
        ({"nu": "0.7"}, "nu is 0.7; Poisson's ratio must lie between"),
        ({"E_GPa": "-3"}, "E_GPa is -3"),
        ({"name": " "}, "name is empty"),
        ({"E_GPa": "3 GPa"}, "a unit belongs into the heading"),
        ({"rho_g_cm3": "1,200"}, "decimal sign of this file is the point"),
    ):
        with pytest.raises(ValueError, match=said):
            read_material(row | changed)
    comma, _ = read_material(row | {"E_GPa": "3,5", "nu": "0,3", "rho_g_cm3": "1,2"})
    assert (comma.young, comma.density) == (3.5, 1.2)
    _, warnings = read_material(row | {"E_GPa": "500"})
    assert "check the units" in warnings[0]


def test_new_ids_are_readable_and_free():
    assert new_id("Steel 304", ()) == "steel-304"
    assert new_id("Steel 304", ["steel-304", "steel-304-2"]) == "steel-304-3"
    assert new_id("钢", ["material"]) == "material-2"
