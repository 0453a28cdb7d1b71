"""Units of fields: converted when they are told, asked for when the numbers fit no material."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.io.fields import UnitsUnclear, load_field
from relaxdesign.io.units import Units
from tests.io.test_fields_io import save  # noqa: F401  (fixture)

SHAPE = (2, 2, 2)
E, NU = np.where(np.arange(8).reshape(SHAPE) < 3, 3.0, 70.0), np.full(SHAPE, 0.3)


@pytest.mark.parametrize(
    ("units", "factors"),
    [("MPa", (1e3, 1, 1)), ("Pa,kg/m3", (1e9, 1e3, 1)), ("mpa t/mm3, mW/mK", (1e3, 1e-9, 1e3)), ("GPa", (1, 1, 1))],
)
def test_told_units_are_converted(save, units, factors):  # noqa: F811
    rho = E / 10
    path = save(E=factors[0] * E, nu=NU, rho=factors[1] * rho, k=factors[2] * E)
    data = load_field(path, units=Units.parse(units))
    for values, expected in ((data.E, E), (data.rho, rho), (data.k, E)):
        assert values == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("arrays", "quantity", "likely"),
    [
        ({"E": 1e9 * E}, "E", "Pa"),
        ({"E": 1e3 * E}, "E", "MPa"),
        ({"E": np.full(SHAPE, 1000.0), "nu": np.full(SHAPE, 0.42)}, "E", "MPa"),  # polyethylene: K beyond diamond
        ({"rho": np.full(SHAPE, 1200.0)}, "rho", "kg/m3"),
        ({"rho": np.full(SHAPE, 1.2e-9)}, "rho", "t/mm3"),
        ({"k": np.full(SHAPE, 4e5)}, "k", "mW/mK"),
    ],
)
def test_numbers_beyond_all_materials_are_asked_about(save, arrays, quantity, likely):  # noqa: F811
    path = save(**({"E": E, "nu": NU} | arrays))
    with pytest.raises(UnitsUnclear, match=rf"{quantity} is probably in {likely}") as asked:
        load_field(path)
    assert (asked.value.quantity, asked.value.likely) == (quantity, likely)
    usual = asked.value.units[0]
    assert f"--units {likely}, or --units {usual}" in asked.value.advice
    load_field(path, units=Units.parse(usual))  # meant as it stands


def test_what_materials_have_is_not_asked_about(save):  # noqa: F811
    """Diamond, nearly incompressible rubber, aerogel, osmium, voids without weight."""
    E = np.array([[1140.0, 0.01, 1e-4, 560.0]])
    nu = np.array([[0.07, 0.4999, 0.2, 0.25]])
    rho = np.array([[3.5, 0.0, 0.003, 22.6]])
    k = np.array([[3000.0, 0.2, 0.013, 88.0]])
    assert load_field(save(E=E, nu=nu, rho=rho, k=k)).E.ravel() == pytest.approx(E.ravel())


def test_units_that_are_unknown_or_twice_are_refused():
    for text, words in (("psi", "unknown unit 'psi'; known are GPa, MPa, Pa for E"), ("GPa,Pa", "two units for E")):
        with pytest.raises(ValueError, match=words):
            Units.parse(text)
