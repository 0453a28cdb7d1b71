"""Numbers are shown in the units that were chosen: the conversions are those of their definitions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import streamlit as st

from relaxdesign.study.trust import Trust
from relaxdesign.ui import units
from tests.scripted_study import scripted_design


@pytest.fixture
def chosen(monkeypatch) -> dict:
    """The session's state."""
    state: dict = {}
    monkeypatch.setattr(st, "session_state", state)
    return state


@pytest.mark.parametrize(
    ("unit", "text"),
    [("GPa", "6.895 GPa"), ("MPa", "6895 MPa"), ("psi", "1\u202f000\u202f000 psi"), ("Msi", "1 Msi")],
)
def test_a_million_pounds_per_square_inch_in_every_unit(chosen, unit, text):
    """1 lbf = 0.45359237 kg · 9.80665 m/s², on 1 in² = (25.4 mm)²."""
    msi = 0.45359237 * 9.80665 / 0.0254**2 * 1e-3  # GPa
    chosen["unit-GPa"] = unit
    assert units.text(msi, "GPa") == text and units.text(None, "GPa") == "–"


def test_densities_and_what_has_no_choice(chosen):
    chosen["unit-g/cm³"] = "kg/m³"
    assert units.of_quantity("density", 2.7) == "2700 kg/m³" and units.heading("density") == "density, kg/m³"
    assert units.of_quantity("cte", 12.0) == "12 · 1e-6/K" and units.of_quantity("nu", 0.3) == "0.3"
    assert units.converted(2.7, "g/cm³") == 2700 and units.converted(3.0, "W/(m K)") == 3.0


@pytest.mark.parametrize(
    ("unit", "text"), [("GPa", "117.6 ± 0.3 GPa"), ("MPa", "117\u202f600 ± 300 MPa"), ("Msi", "17.06 ± 0.05 Msi")]
)
def test_an_interval_is_converted_with_its_value(chosen, unit, text):
    chosen["unit-GPa"] = unit
    design = replace(scripted_design(0), trust={"K": Trust(117.6, 0.1, 0.2, 0.22)})
    assert units.told(design, "K") == text


def test_without_a_choice_everything_is_as_stored(chosen):
    design = scripted_design(0)
    assert units.told(design, "K") == "100.2 GPa" and units.told(design, "G") == "–"
    assert units.in_words({"K": 81.25, "density": 2.5}) == [("Bulk modulus K", "81.25 GPa"), ("Density", "2.5 g/cm³")]
