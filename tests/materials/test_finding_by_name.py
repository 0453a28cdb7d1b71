"""A material is found by its id, its name, or words that only its name has; nothing is taken by a part of a word."""

from __future__ import annotations

import pytest

from relaxdesign.materials.catalogue import Catalogue


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return Catalogue.default()


def test_every_id_and_every_full_name_is_found(shipped):
    for material in shipped.materials:
        assert shipped.find(material.id) is material
        assert shipped.find(material.name) is material
        assert shipped.find(f" {material.name.upper()} ") is material


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("Copper", "copper"),
        ("copper beryllium", "copper-beryllium-c17200"),
        ("steel 316L", "stainless-steel-316l-en-1-4404"),
        ("Ti6Al4V", "titanium-alloy-ti-6al-4v-annealed"),
        ("eglass", "e-glass"),
        ("Alumina 99.5 % (AD", "alumina-ad-995"),
        ("aluminum nitride", "aluminium-nitride-an216a"),
        ("gray cast iron GJL 200", "grey-cast-iron-en-gjl-200"),
        ("zinc sulphide", "zinc-sulfide-sphalerite"),
        ("Molybdaenum", "molybdenum"),
        ("cesium bromide", "caesium-bromide"),
    ],
)
def test_other_spellings_are_understood(shipped, text, id):
    assert shipped.find(text).id == id


def test_several_matches_are_listed(shipped):
    with pytest.raises(ValueError, match="9 materials have 'silicon' in their names") as refused:
        shipped.find("silicon")
    for id in ("si-polycrystalline", "cvd-silicon-carbide", "silicon-nitride-sn240"):
        assert f"  {id}  ({shipped.by_id[id].name})" in str(refused.value)
    with pytest.raises(ValueError, match="have 'aluminum' in") as refused:
        shipped.find("aluminum")
    assert len(str(refused.value).splitlines()) == 12 and "and 13 more" in str(refused.value)
    with pytest.raises(ValueError, match="6 materials have 'alumina'"):
        shipped.find("alumina")


def test_parts_of_words_are_no_match(shipped):
    assert any("pe" in material.name.lower() for material in shipped.materials)
    with pytest.raises(ValueError, match="unknown material 'PE'"):
        shipped.find("PE")
    with pytest.raises(ValueError, match=r"unknown material 'alumnia'.*nearest(.|\n)*alumina-ad-995"):
        shipped.find("alumnia")
    for nothing in ("", "  ", "%"):
        with pytest.raises(ValueError, match="unknown material"):
            shipped.find(nothing)


def test_an_exact_name_wins_and_two_of_one_name_do_not():
    rows = ("a,Foam,1", "b,Foam hard,2", "c,Résine Époxy,3", "d,Twin,4", "e,Twin,5")
    own = Catalogue.from_text("id,name,E_GPa,nu,rho_g_cm3\n" + "\n".join(f"{row},0.3,1" for row in rows))
    assert own.find("foam").id == "a" and own.find("resine epoxy").id == "c" and own.find("e").id == "e"
    with pytest.raises(ValueError, match="2 materials have 'twin'"):
        own.find("twin")
