"""Controls are made of the fields of a request: a new field needs no further code."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from relaxdesign.prior import model
from relaxdesign.study import run as study
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui.components.settings import SETTINGS, kept
from tests.bigger_request import BiggerRequest


def page() -> None:
    """The controls of a bigger request, and what they say."""
    import streamlit as st

    from relaxdesign.study.fields import describe
    from relaxdesign.ui.components import settings
    from tests.bigger_request import BiggerRequest

    start, found = BiggerRequest(target_bulk=60, hidden=7), describe(BiggerRequest)
    if "count" not in st.session_state:
        settings.fill(start, found)
    for group in ("sampling", "search", "guidance"):
        settings.draw(group, found)
    st.session_state["request"] = BiggerRequest.model_validate(settings.fields(start, found))


def test_a_new_field_is_a_control():
    app = AppTest.from_function(page).run(timeout=30)
    assert not app.exception
    assert app.session_state["request"] == BiggerRequest(target_bulk=60, hidden=7)
    assert app.number_input(key="feature").label == "Feature size, mm"
    assert app.number_input(key="feature").help == "Smallest wall." and not app.toggle(key="mirrored").help
    assert app.segmented_control(key="outline").options == ["cube", "star", "ring"]
    assert "star: snow" in app.segmented_control(key="outline").help
    app.number_input(key="feature").set_value(0.3)
    app.toggle(key="mirrored").set_value(True)
    app.selectbox(key="solver").set_value("direct")
    app.segmented_control(key="outline").set_value("star")
    app.number_input(key="patience").set_value(3)
    request = app.run().session_state["request"]
    assert (request.feature, request.mirrored, request.solver, request.outline) == (0.3, True, "direct", "star")
    assert request.guidance.patience == 3 and request.hidden == 7, "without a control it stays"


def test_every_labelled_field_has_its_control_on_the_page(app):
    app.run()
    kinds = ("number_input", "selectbox", "segmented_control", "toggle", "multiselect")
    shown = {widget.key: widget.label for kind in kinds for widget in app.get(kind)}
    labels = {setting.name: setting.ui.label for setting in SETTINGS if setting.ui.label}
    del labels["dim"]  # one dimension is no choice
    of_shapes = {name: labels.pop(name) for name in ("min_feature", "symmetry", "open_voids")}
    of_third = {name: labels.pop(name) for name in ("third_phase", "third_amount")}
    assert labels.items() <= shown.items() and not (of_shapes | of_third).keys() & shown.keys()
    app.session_state["family"] = "particles-hybrid"
    app.run()
    of_third["third_amount"] = "Volume fraction of the filler, of the cell (0: 0.1)"  # says what it is of this family
    assert of_third.items() <= {widget.key: widget.label for kind in kinds for widget in app.get(kind)}.items()
    app.session_state["phases"] = ["void", "titanium-alloy-ti-6al-4v-annealed"]
    app.session_state["family"] = "free-form"
    app.run()
    shown = {widget.key: widget.label for kind in kinds for widget in app.get(kind)}
    assert of_shapes.pop("open_voids") and "open_voids" not in shown, "in 2D every void is open"
    assert of_shapes.items() <= shown.items()


def test_open_voids_can_be_asked_for_of_shapes_in_3d(app, monkeypatch):
    monkeypatch.setattr(model, "shipped_priors", lambda: [*study.DEFAULT_PRIORS.values()])
    app.run()
    app.session_state["phases"] = ["void", "titanium-alloy-ti-6al-4v-annealed"]
    app.session_state["family"], app.session_state["dim"] = "free-form", 3
    app.run()
    app.toggle(key="open_voids").set_value(True)
    app.run()
    assert app.session_state["open_voids"] is True
    app.session_state["dim"] = 2
    app.run()
    assert app.session_state["open_voids"] is False


def test_what_a_request_sets_beyond_the_controls_is_named():
    default = DesignRequest(target_bulk=60)
    changed = DesignRequest.model_validate({"target_bulk": 60, "count": 3, "prior": "mine", "guidance": {"clip": 0.3}})
    assert kept(changed, default) == ["prior", "clip"] and not kept(default, default)


def test_the_third_phase_is_asked_for_where_a_family_has_one(app):
    app.run()
    assert "third_phase" not in {box.key for box in app.selectbox}
    app.selectbox(key="family").set_value("particles-coated").run()
    assert "need the material of their coating" in " ".join(str(w.value) for w in app.warning)
    app.selectbox(key="third_phase").set_value("copper").run()
    assert not app.warning and app.session_state["third_phase"] == "copper"
    app.selectbox(key="family").set_value("particles").run()
    assert app.session_state["third_phase"] == "" and not app.warning
