"""The inspector on a scripted design: every view draws, fields follow the load, downloads are the exported files."""

from __future__ import annotations

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from relaxdesign.physics.effective_properties import evaluate, fields_under
from relaxdesign.physics.voxel_fields import VoxelFields
from relaxdesign.ui import background, text
from relaxdesign.ui.colours import cividis
from relaxdesign.ui.components import local_fields
from relaxdesign.ui.components.cell_scene import Scalar
from relaxdesign.ui.components.cell_views import ViewedCell
from relaxdesign.ui.components.local_fields import Load


def page() -> None:
    from relaxdesign.ui.components import inspector
    from tests.scripted_study import scripted_design

    inspector.render("run", scripted_design(0))


@pytest.fixture
def app(monkeypatch) -> AppTest:
    monkeypatch.setattr(background, "PATIENCE_S", 120.0)
    st.cache_resource.clear()
    yield AppTest.from_function(page, default_timeout=120)
    st.cache_resource.clear()


def switch(app: AppTest, view: str) -> AppTest:
    app.segmented_control(key="inspector-view").set_value(view).run()
    assert not app.exception and not app.error, [error.value for error in app.error]
    return app


def test_the_overview_names_materials_bounds_and_stages(app):
    app.run()
    assert not app.exception and not app.error
    assert "Candidate 1: K = 100.2 GPa" in app.subheader[0].value
    text = " ".join(element.value for element in app.markdown)
    assert "Aluminium 6061" in text and "Silicon carbide" in text
    assert app.table[0].value.index.tolist()[-1] == "Realised cell"


def page_of_a_lattice() -> None:
    from dataclasses import replace

    from relaxdesign.materials.material import VOID
    from relaxdesign.ui.components import inspector
    from tests.scripted_study import scripted_design

    made = scripted_design(0)
    labels = made.labels.copy()
    labels[6:10, :, 0] = labels[:, 6:10, 0] = 1
    inspector.render("run", replace(made, family="free-form", labels=labels, materials=(VOID, made.materials[1])))


def test_plates_are_offered_beside_a_void_and_told_of(app, monkeypatch):
    app.run()
    assert not [control for control in app.number_input if control.key == "plates_mm"], "flat ends already"
    monkeypatch.setattr("relaxdesign.ui.components.inspector._overview", lambda *_: None)
    lattice = AppTest.from_function(page_of_a_lattice, default_timeout=120).run()
    assert not lattice.exception and not lattice.error and not any("plates of" in c.value for c in lattice.caption)
    lattice.number_input(key="plates_mm").set_value(0.5).run()
    told = " ".join(caption.value for caption in lattice.caption)
    assert "plates of 0.5 mm close the two ends along y" in told and "periodic cell without them" in told
    lattice.segmented_control(key="plates-axis-2d").set_value("x").run()
    assert "two ends along x" in " ".join(caption.value for caption in lattice.caption) and not lattice.error


def test_every_view_draws(app):
    app.run()
    text = " ".join(caption.value for caption in switch(app, "Local fields").caption)
    assert "Linear elastic. Largest" in text and "MPa" in text
    assert app.selectbox(key="load-run-0").options[0] == "Hydrostatic"
    assert "a sphere would be isotropic" in " ".join(caption.value for caption in switch(app, "Stiffness").caption)
    C = app.dataframe[0].value
    assert C.shape == (6, 6) and C.loc["xx", "xx"] > C.loc["xy", "xy"] > 0
    assert "two points" in " ".join(caption.value for caption in switch(app, "Correlation").caption)


def test_another_load_gives_another_field(app):
    app.run()
    switch(app, "Local fields")

    def largest() -> str:
        return next(caption.value for caption in app.caption if "Largest" in caption.value)

    hydrostatic = largest()
    app.selectbox(key="load-run-0").select("xy").run()
    assert largest() != hydrostatic


def test_state_survives_other_views(app):
    app.run()
    switch(app, "Local fields")
    app.selectbox(key="load-run-0").select("xy").run()
    switch(app, "Stiffness")
    switch(app, "Local fields")
    assert app.selectbox(key="load-run-0").value == "xy"


def test_a_long_solve_leaves_a_note_and_is_done_once(monkeypatch):
    import threading

    monkeypatch.setattr(background, "PATIENCE_S", 0.01)
    st.cache_resource.clear()
    go, calls = threading.Event(), []

    def slow():
        calls.append(1)
        go.wait(30)
        return "done"

    monkeypatch.setattr(background, "_placeholder", lambda *_: None)
    assert background.result("key", slow, "Solving") is None
    assert background.result("key", slow, "Solving") is None
    go.set()
    monkeypatch.setattr(background, "PATIENCE_S", 30.0)
    assert background.result("key", slow, "Solving") == "done"
    assert calls == [1]


def test_errors_of_a_solve_are_raised_and_tried_anew(monkeypatch):
    monkeypatch.setattr(background, "PATIENCE_S", 30.0)
    st.cache_resource.clear()

    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        background.result("bad", fails, "Solving")
    assert background.result("bad", lambda: 3, "Solving") == 3


def test_colours_span_the_field_but_not_its_outliers():
    values = np.linspace(0, 1, 1000).reshape(10, 10, 10)
    values[0, 0, 0] = 1e6
    scalar = Scalar(values, "x")
    low, high = scalar.limits
    assert 0 <= low < 0.02 and 0.98 < high < 1.01
    assert (scalar.paint(np.array([0.0, 1e6])) == cividis()[[0, 255]]).all()
    assert next(tick for _, tick in scalar.legend()["ticks"]) == text.significant(low, 3)
    constant = Scalar(np.full((2, 2, 1), 5.0), "x")
    assert constant.limits[1] > constant.limits[0] and (constant.paint(values[:1, :1, 0]) == cividis()[255]).all()


def test_the_quantities_are_those_of_the_solver():
    """Each name in the menu shows the component it says."""
    young = np.random.default_rng(0).uniform(1, 5, (4, 4, 4))
    data = VoxelFields(young, np.full(young.shape, 0.3))
    fields = fields_under(data, "xy")
    solved = evaluate(data)
    shown = {name: read(fields) for name, (_, read) in local_fields.QUANTITIES.items()}
    assert shown["Strain xy"].mean() == pytest.approx(1.0)
    assert shown["Strain xx"].mean() == pytest.approx(0.0, abs=1e-9)
    for index, name in enumerate(("xx", "yy", "zz", "yz", "xz", "xy")):
        assert shown[f"Stress {name}"].mean() == pytest.approx(solved.C[index, 5], rel=1e-5, abs=1e-6)


def test_loads_are_given_in_megapascals_or_per_cent():
    young = np.random.default_rng(0).uniform(1, 5, (4, 4, 4))
    cell = ViewedCell(VoxelFields(young, np.full(young.shape, 0.3)))
    pulled = Load("Stress", "xx", 0.01)
    fields = pulled.solve(cell)
    read = {name: pulled.scaled(kind, of(fields)) for name, (kind, of) in local_fields.QUANTITIES.items()}
    means = {name: (float(values.mean()), unit) for name, (values, unit) in read.items()}
    assert means["Stress xx"] == (pytest.approx(10.0, rel=1e-5), "MPa")
    assert means["Stress yy"] == (pytest.approx(0.0, abs=1e-4), "MPa"), "its sides are free"
    strain = 0.01 * np.linalg.inv(evaluate(cell.data).C)[0, 0]
    assert means["Strain xx"] == (pytest.approx(100 * strain, rel=1e-4), "%")
    assert means["Energy density"] == (pytest.approx(0.5 * 0.01 * strain * 1e6, rel=1e-4), "kJ/m³"), "half of σ ε"
    held = Load("Strain", "xx", 0.001)
    values, _ = held.scaled("Strain", local_fields.QUANTITIES["Strain xx"][1](held.solve(cell)))
    assert values.mean() == pytest.approx(0.1)
