"""Before a run with given phases the page shows what their cells can have, or says what is sought."""

from __future__ import annotations

import pytest

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.physics.attainable import bounds_of
from relaxdesign.ui.components import bounds_chart
from tests.ui.test_design_page import texts

TITANIUM = "titanium-alloy-ti-6al-4v-annealed"
LATTICE = Catalogue.default().of_phases(("void", TITANIUM)).materials
SOLID = LATTICE[1]


def test_the_upper_bound_runs_from_void_to_solid_and_the_target_crosses_it():
    figure = bounds_chart.chart("K", LATTICE, {"K": (30.0, 30.0), "solid": (None, 0.55)})
    lower, upper = figure.data
    assert max(lower.y) == 0.0 and upper.y[0] == pytest.approx(0.0, abs=1e-3)
    assert upper.y[-1] == pytest.approx(SOLID.bulk)
    assert upper.y[50] == pytest.approx(bounds_of(LATTICE, (0.5, 0.5))["K"].hs_upper)
    across, upwards = figure.layout.shapes
    assert (across.y0, across.y1) == (30.0, 30.0) and (upwards.x0, upwards.x1) == (0.55, 0.55)
    said = [note.text.strip() for note in figure.layout.annotations]
    assert figure.layout.xaxis.title.text == "Solid fraction" and said == ["target 30 GPa", "solid at most 0.55"]


def test_the_order_of_the_phases_does_not_matter():
    one, other = (bounds_chart.chart("E", phases, {}).data[1].y for phases in (LATTICE, LATTICE[::-1]))
    assert list(one) == pytest.approx(list(other)) and one[-1] == pytest.approx(SOLID.young, rel=1e-3)


def test_along_an_axis_the_mixture_is_the_bound():
    least = bounds_chart.least_fraction("Ex", LATTICE, (0.25 * SOLID.young, None))
    assert least == pytest.approx(0.25, abs=1e-3)
    assert bounds_chart.least_fraction("Ex", LATTICE, (None, 20.0)) is None, "void is soft enough"
    assert bounds_chart.least_fraction("Ex", LATTICE, (2 * SOLID.young, None)) is None, "out of reach"


def test_two_solids_are_named_by_the_stiffer():
    phases = Catalogue.default().of_phases(("epoxy-unfilled", "alumina-ad-995")).materials
    assert "lumina" in bounds_chart.fraction_of(phases)
    lower, upper = bounds_chart.chart("G", phases, {"G": (10.0, 20.0)}).data
    assert lower.y[0] == pytest.approx(phases[0].shear) and upper.y[-1] == pytest.approx(phases[1].shear)


def test_the_page_shows_bounds_of_given_phases(app):
    app.run()
    app.radio(key="preset").set_value("Titanium lattice").run()
    assert not app.exception and "Voigt–Reuss bounds" in texts(app.caption)
    assert "Solid fraction: at least 16 %" in texts(app.caption) and "real materials" not in texts(app.caption)
    assert "cells of the two phases" in texts(app.sidebar.caption)


def test_what_has_no_bound_is_named(app):
    app.run()
    app.radio(key="preset").set_value("Titanium lattice").run()
    app.session_state["rows"] = []
    app.selectbox(key="quantity").set_value("Ex/Ey").run()
    assert not app.exception
    assert "Sought are cells of Void and Titanium" in texts(app.markdown).replace("\\", "")


def test_of_three_phases_no_bounds_are_drawn(app):
    app.run()
    app.radio(key="preset").set_value("Zero-expansion lattice").run()
    assert not app.exception
    assert "Sought are cells of Void and Invar 36 and Aluminium alloy 6061" in texts(app.markdown).replace("\\", "")
    assert "cells of the three phases" in texts(app.sidebar.caption)
    assert "no bounds are known" in texts(app.sidebar.caption).casefold()
