"""What the materials of a design cost: by mass and by volume, with how little that is known."""

from __future__ import annotations

import pytest

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.material import VOID
from relaxdesign.study.realisation import _prices
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import design

OWN = (
    "id,name,E_GPa,nu,rho_g_cm3,price_per_kg\nresin,Resin,3,0.35,1.2,5\nsand,Sand,70,0.2,2.6,0.1\n"
    "other,Other sand,75,0.21,2.7,0.2\n"
)


def test_prices_of_two_phases():
    resin, sand, _ = Catalogue.from_text(OWN).materials
    prices = _prices((resin, sand), (0.6, 0.4))
    per_litre = 0.6 * 1.2 * 5 + 0.4 * 2.6 * 0.1
    assert prices["price_per_litre"] == pytest.approx(per_litre)
    assert prices["price"] == pytest.approx(per_litre / (0.6 * 1.2 + 0.4 * 2.6))
    assert _prices((VOID, sand), (0.5, 0.5)) == pytest.approx({"price": 0.1, "price_per_litre": 0.13})


def test_own_prices_are_exact_and_those_of_substances_an_order_of_magnitude():
    own, shipped = Catalogue.from_text(OWN).materials[0], Catalogue.default().find("epoxy-unfilled")
    assert own.uncertainty("price") == 0.0 and shipped.price is not None
    assert shipped.uncertainty("price") > 0.2


def test_a_file_with_prices_does_not_mix_them_with_ours():
    own = Catalogue.from_text(
        "id,name,substance,E_GPa,nu,rho_g_cm3,price_per_kg\na,Mine,epoxy,3,0.35,1.2,9\nb,Yours,alumina,370,0.22,3.9,\n"
    )
    assert own.materials[0].price == 9 and own.materials[1].price is None


def test_a_price_is_asked_for_met_and_told_with_its_interval():
    request = DesignRequest.model_validate(
        {
            "objectives": [
                {"quantity": "E", "low": 8.0},
                {"quantity": "price_per_litre", "sense": "minimise"},
            ],
            "categories": ("polymer", "mineral", "rock"),
            "count": 2,
            "steps": 6,
            "seed": 3,
        }
    )
    made = [d for d in design(request).designs if d.ok]
    assert made
    for each in made:
        assert each.properties is not None
        value = each.properties["price_per_litre"]
        assert value == pytest.approx(_prices(each.materials, each.shares)["price_per_litre"], rel=1e-6)
        assert each.trust["price_per_litre"].width > 0.1 * value
        assert each.properties["price"] < 10
