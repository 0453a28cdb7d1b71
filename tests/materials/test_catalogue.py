"""Loading, validation, selection, drawing and search of materials."""

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue, CatalogueError, occupied_cells
from relaxdesign.materials.channels import AsinhChannels, LinearChannels

HEADER = "id,name,category,E_GPa,nu,rho_g_cm3,flag\n"


def csv(*rows: str) -> bytes:
    return (HEADER + "\n".join(rows)).encode()


def test_own_catalogue_is_accepted_and_moduli_are_derived():
    catalogue = Catalogue.from_csv(csv("al,Aluminium,metal,70,0.33,2.7,", "ep,Epoxy,polymer,3,0.35,1.2,"))
    aluminium = catalogue.by_id["al"]
    assert aluminium.bulk == pytest.approx(70 / (3 * 0.34))
    assert aluminium.shear == pytest.approx(70 / (2 * 1.33))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,X,metal,-5,0.3,2,", "E_GPa is -5"),
        ("x,X,metal,5,0.5,2,", "between -1 and 0.5"),
        ("x,X,metal,5,-1,2,", "nu is -1; Poisson's ratio must lie between -1 and 0.5"),
        ("x,X,metal,5,abc,2,", "not a number"),
        ("x,X,metal,5,0.3,,", "rho_g_cm3 is empty"),
        ("x,X,metal,5,0.3,99,", r"0\.001 to 23 .* rho \(kg/m3\)"),
        ("x,X,metal,nan,0.3,2,", "not finite"),
        (",X,metal,5,0.3,2,", "id is empty"),
        ("ok,X,metal,5,0.3,2,", "appears twice"),
        ("x,X,metal,0.00001,0.3,2,", r"bulk modulus .* 1e-05 to 600"),
        ("x,X,metal,70000,0.3,2,", r"70000.* 1e-05 to 600 GPa.* E \(MPa\)"),
        ("x,X,metal,60,-0.99,2,", "shear modulus is 3000 GPa"),
    ],
)
def test_each_bad_row_is_named_with_its_reason(row, reason):
    with pytest.raises(CatalogueError, match=reason) as caught:
        Catalogue.from_csv(csv("ok,Good,metal,5,0.3,2,", row, "y,Also good,metal,50,0.3,2,"))
    assert len(caught.value.problems) == 1
    assert "line 3" in caught.value.problems[0]


def test_contradicting_moduli_and_missing_columns_are_refused():
    with pytest.raises(CatalogueError, match="K_GPa contradicts"):
        Catalogue.from_csv(b"id,name,E_GPa,nu,rho_g_cm3,K_GPa\na,A,70,0.33,2.7,50\n")
    with pytest.raises(CatalogueError, match=r"k_W_mK is 0; .* leave it empty"):
        Catalogue.from_csv(b"id,name,E_GPa,nu,rho_g_cm3,k_W_mK\na,A,70,0.33,2.7,0\n")
    with pytest.raises(CatalogueError, match=r"missing column\(s\) nu"):
        Catalogue.from_csv(b"id,name,E_GPa,rho_g_cm3\na,A,70,2.7\n")
    with pytest.raises(CatalogueError, match="the bulk modulus must be above 0"):
        Catalogue.from_csv(b"id,name,E_GPa,nu,rho_g_cm3,K_GPa\na,A,70,0.33,2.7,0\n")
    with pytest.raises(CatalogueError, match="a price must be above 0"):
        Catalogue.from_csv(b"id,name,E_GPa,nu,rho_g_cm3,price_per_kg\na,A,70,0.33,2.7,0\n")


def test_auxetic_and_porous_materials_keep_their_moduli_and_kinds():
    catalogue = Catalogue.from_csv(
        csv("aux,Auxetic foam,foam,0.001,-0.6,0.1,", "gel,Aerogel,foam,0.001,0.2,0.003,", "cork,Cork,foam,0.02,0,0.2,")
    )
    auxetic, gel, cork = catalogue.materials
    assert (auxetic.bulk, auxetic.shear) == pytest.approx((0.001 / 6.6, 0.001 / 0.8), rel=1e-12)
    assert gel.bulk == pytest.approx(0.001 / 1.8, rel=1e-12) and gel.density == 0.003
    assert cork.bulk == pytest.approx(0.02 / 3, rel=1e-12) and cork.shear == pytest.approx(0.01, rel=1e-12)
    assert catalogue.properties.poisson.tolist() == pytest.approx([-0.6, 0.2, 0.0], abs=1e-12)
    assert occupied_cells(catalogue.materials) == 3
    assert catalogue.weights.tolist() == pytest.approx([1 / 3] * 3)
    values = AsinhChannels().encode(catalogue.properties, axis=-1)
    assert catalogue.nearest(AsinhChannels(), values)[1][:, 0].tolist() == [0, 1, 2]


def test_selection_drops_flagged_excluded_and_unticked_materials():
    catalogue = Catalogue.from_csv(
        csv("a,A,metal,70,0.33,2.7,", "b,B,metal,90,0.33,2.7,toxic", "c,C,polymer,3,0.35,1.2,", "d,D,glass,80,0.2,2.5,")
    )
    assert [m.id for m in catalogue.select().materials] == ["a", "c", "d"]
    assert [m.id for m in catalogue.select(flagged=True, categories=["metal"]).materials] == ["a", "b"]
    assert [m.id for m in catalogue.select(exclude=["a"]).materials] == ["c", "d"]
    with pytest.raises(ValueError, match="unknown categories wood"):
        catalogue.select(categories=["wood"])
    with pytest.raises(ValueError, match="no material is left"):
        catalogue.select(categories=["metal"], exclude=["a", "b"])


def test_draw_is_uniform_over_property_cells_not_over_rows():
    steels = [f"s{i},Steel {i},metal,{210 + i * 0.1},0.29,7.8," for i in range(40)]
    catalogue = Catalogue.from_csv(csv(*steels, "ep,Epoxy,polymer,3,0.35,1.2,"))
    drawn = catalogue.draw(4000, generator=torch.Generator().manual_seed(0))
    share = float((drawn == 40).double().mean())
    assert abs(share - 0.5) < 0.03
    assert occupied_cells(catalogue.materials) == 2


@pytest.mark.parametrize("channels", [AsinhChannels(), LinearChannels()], ids=lambda c: c.name)
def test_every_material_is_its_own_nearest_neighbour(channels):
    catalogue = Catalogue.default()
    inside = [i for i, m in enumerate(catalogue.materials) if m.young < 500]
    values = channels.encode(catalogue.properties, axis=-1)[inside]
    distance, index = catalogue.nearest(channels, values, count=3)
    assert index.shape == (len(inside), 3)
    assert np.allclose(distance[:, 0], 0)
    assert (np.diff(distance, axis=1) >= 0).all()
    # A different material may share all channels only if it is indistinguishable there.
    assert (index[:, 0] == np.array(inside)).mean() > 0.99


def test_uncertainties_are_those_of_the_table_or_usual_for_the_kind_of_source():
    table = b"id,name,E_GPa,nu,rho_g_cm3,k_W_mK,kind,E std (MPa),k_std_W_mK\na,A,70,0.33,2.7,200,handbook,,\n"
    table += b"b,B,70,0.33,2.8,200,measured,,\nc,C,70,0.33,2.9,200,,700,10\n"
    usual, measured, told = Catalogue.from_csv(table).materials
    assert usual.uncertainty("bulk") == usual.uncertainty("shear") == 0.04
    assert measured.uncertainty("bulk") == 0.02 and measured.uncertainty("conductivity") == 0.04
    assert told.young_std == pytest.approx(0.7) and told.uncertainty("bulk") == pytest.approx(0.01)
    assert told.uncertainty("conductivity") == pytest.approx(0.05)
    with pytest.raises(CatalogueError, match=r"E_std_GPa is -1; an uncertainty must be above 0"):
        Catalogue.from_csv(b"id,name,E_GPa,nu,rho_g_cm3,E_std_GPa\na,A,70,0.33,2.7,-1\n")
