"""Young's modulus by direction: wanted as far as it is said, present as far as it was measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from relaxdesign.library import Curves
from relaxdesign.library.replay import Frame
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.stiffness import stiffness_objectives
from relaxdesign.ui.components import curves, denoising, readings
from relaxdesign.ui.components.directions import ANGLES, RIM, Directions
from tests.scripted_study import scripted_design, scripted_step


def isotropic(young: float, poisson: float = 0.3) -> np.ndarray:
    lame, shear = young * poisson / (1 + poisson) / (1 - 2 * poisson), young / 2 / (1 + poisson)
    C = np.diag([2 * shear] * 3 + [shear] * 3)
    C[:3, :3] += lame
    return C


def measured(*stiffnesses: np.ndarray | None) -> Curves:
    """Curves of one candidate whose stiffness had these entries, one step after the other."""
    found = Curves(step=list(range(1, len(stiffnesses) + 1)))
    for i in range(6):
        for j in range(i, 6):
            found.values[f"C{i + 1}{j + 1}"] = [[None if C is None else float(C[i, j])] for C in stiffnesses]
    return found


def of(*texts: str, dim: int = 2) -> Directions | None:
    return Directions.of([parse_objective(text) for text in texts], dim)


@pytest.mark.parametrize(
    ("wanted", "dim", "planes"),
    [
        (("Ex = 18", "Ey = 12"), 2, ("xy",)),
        (("Ex = 18", "solid <= 0.5"), 3, ("xy",)),
        (("Ex = 18", "Ez >= 10"), 3, ("xz",)),
        (("Ex = 1", "Ey = 2", "Ez = 3"), 3, ("xy", "yz", "xz")),
    ],
)
def test_planes_are_those_of_the_axes_asked_for(wanted, dim, planes):
    found = of(*wanted, dim=dim)
    assert found is not None and found.planes == planes and not found.curves


@pytest.mark.parametrize(
    "wanted", [("K = 20",), ("Ex/Ey = 2",), ("C11 = 20", "C12 = 5"), ("maximise Ex",), ("Ez = 3",)]
)
def test_nothing_is_drawn_where_no_direction_is_known(wanted):
    assert of(*wanted) is None


def test_a_whole_stiffness_is_wanted_in_three_planes_and_of_2d_cells_under_plane_strain():
    solid = Directions.of(stiffness_objectives(isotropic(20.0), 3), 3)
    assert solid is not None and solid.planes == ("xy", "yz", "xz")
    assert all(curve == pytest.approx(20.0) for curve in solid.curves.values()) and "plane strain" not in solid.title
    flat = Directions.of(stiffness_objectives(isotropic(20.0), 2), 2)
    assert flat is not None and flat.curves["xy"] == pytest.approx(20.0 / (1 - 0.3**2)), "E / (1 - ν²)"
    assert "plane strain" in flat.title and flat.rim == pytest.approx(RIM * 20.0 / 0.91)
    told = json.loads(json.dumps(flat.describe()))
    assert told["planes"] == ["xy"] and len(told["wanted"]["xy"]) == len(ANGLES)


def test_present_is_what_was_last_measured():
    wanted = Directions.of(stiffness_objectives(isotropic(20.0), 3), 3)
    assert wanted is not None
    found = measured(isotropic(50.0), isotropic(30.0), None)
    for step, young in ((1, 50.0), (2, 30.0), (3, 30.0), (9, 30.0)):
        (candidate,) = wanted.present(found, step, 1)
        assert candidate["curves"]["yz"] == pytest.approx([young] * len(ANGLES))
    assert wanted.present(found, 0, 1) == [{"curves": {}, "points": {}}], "nothing was measured before"
    assert wanted.present(measured(-isotropic(1.0)), 1, 1) == [{"curves": {}, "points": {}}], "no stiffness"


def test_present_along_axes_is_points():
    wanted = of("Ex = 18", "Ey >= 12")
    assert wanted is not None and wanted.limits == {"x": (18.0, 18.0), "y": (12.0, None)}
    found = Curves(step=[1, 2], values={"Ex": [[20.0, None], [19.0, None]], "Ey": [[9.0, 8.0], [None, None]]})
    assert wanted.present(found, 2, 2) == [
        {"curves": {}, "points": {"x": 19.0}},
        {"curves": {}, "points": {"y": 8.0}},
    ]


def test_every_step_that_is_sent_comes_with_its_directions(monkeypatch):
    sent: list[dict] = []
    monkeypatch.setattr(denoising, "_component", lambda data, **_: sent.append(data))
    objectives = [parse_objective(text) for text in ("Ex = 18", "Ey = 18")]
    request = DesignRequest(objectives=tuple(objectives), family="free-form", count=2, steps=10)
    scripted = DesignRequest(target_bulk=100.0, count=2, steps=10)
    frames, found = [], Curves()
    for step in (1, 2, 3):
        event = replace(
            scripted_step(scripted, step), values={"Ex": np.array([step, 7.0]), "Ey": np.array([step, 9.0])}
        )
        frames.append(Frame.of(event))
        found.append(event)
    denoising.live("live", frames, found, request, {})
    assert [frame["polar"][0]["points"]["x"] for frame in sent[0]["frames"]] == [1.0, 2.0, 3.0]
    assert sent[0]["polar"]["limits"]["x"] == (18.0, 18.0)
    denoising.live("live", frames, found, scripted, {})
    assert sent[1]["polar"] is None and "polar" not in sent[1]["frames"][0]


def test_the_entries_of_a_wanted_stiffness_have_one_panel():
    wanted = isotropic(20.0)
    request = DesignRequest(
        objectives=(*stiffness_objectives(wanted, 2), parse_objective("solid <= 0.6")), family="free-form", count=1
    )
    found = measured(wanted, 1.05 * wanted, None)
    found.values["solid"] = [[0.5], [0.5], [0.5]]
    found.losses = {"solid fraction": [[0.0]] * 3, QUANTITIES["C11"].label: [[0.0]] * 3}
    panels = curves.describe(found, request)["panels"]
    assert [panel["title"] for panel in panels] == [
        "Error of the stiffness, % of its norm", "Solid fraction", "Loss of solid fraction",
    ]  # fmt: skip
    assert panels[0]["series"] == [[0.0, pytest.approx(5.0), None]] and panels[0]["target"] == [None, 1.0]
    ((whole, solid),) = readings.at_step(found, request, found.step[1])
    assert (whole["name"], whole["text"], whole["off"]) == ("Error of C", "5.0 %", "")
    assert solid["state"] == "on"


def inspector_page() -> None:
    import streamlit as st

    from relaxdesign.ui.components import inspector

    inspector.render("run", st.session_state["design"])


@pytest.mark.parametrize("objectives", [stiffness_objectives(isotropic(20.0), 2), (parse_objective("Ex = 18"),)])
def test_the_inspector_draws_wanted_against_present(objectives):
    page = AppTest.from_function(inspector_page, default_timeout=120)
    design = replace(scripted_design(0), objectives=tuple(objectives), stiffness=isotropic(21.0).tolist())
    page.session_state["design"] = design
    page.run()
    assert not page.exception and not page.error
    assert any("Young’s modulus by direction" in element.value for element in page.markdown)
    wanted = Directions.of(objectives, 2)
    assert wanted is not None
    present, *marks = wanted.figure(isotropic(21.0)).data
    assert present.r == pytest.approx(21.0 / 0.91 if wanted.curves else 21.0)
    assert list(marks[0].r) == pytest.approx([20.0 / 0.91] * len(ANGLES) if wanted.curves else [18.0, 18.0])
