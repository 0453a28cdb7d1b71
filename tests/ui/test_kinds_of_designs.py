"""Every page shows designs of any shape, candidates that failed and targets that were missed for what they are."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from relaxdesign.library import Campaigns, Curves
from relaxdesign.library.replay import Frame
from relaxdesign.server import Snapshot
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest, Method
from relaxdesign.study.result import Design, DesignResult
from relaxdesign.ui import server
from relaxdesign.ui.components import candidates, denoising, measures
from relaxdesign.ui.text import missed, what_is_shown
from tests.scripted_study import scripted_design, scripted_step

LIBRARY = "relaxdesign/ui/pages/library.py"
CAMPAIGNS = "relaxdesign/ui/pages/campaigns.py"
WANTED = [{"quantity": "K", "low": 100}, {"quantity": "density", "high": 1}]
REQUEST = DesignRequest.model_validate({"objectives": WANTED, "family": "free-form", "count": 3, "steps": 3})


def geometric(index: int, bulk: float, density: float) -> Design:
    """A design of no particular shape whose relaxed field met both targets, as conflicting ones are met."""
    stages = {
        "relaxed": {"K": 100.0, "density": 1.0},
        "snapped": {"K": 0.9 * bulk, "density": density},
        "refined": {"K": bulk, "density": density},
        "realised": {"K": bulk, "density": density},
    }
    return replace(
        scripted_design(index),
        objectives=REQUEST.objectives,
        family="free-form",
        stages=stages,
        properties={"K": bulk, "density": density},
        parameters={},
        spread=None,
    )


FAILED = replace(scripted_design(2, failed=True), objectives=REQUEST.objectives, family="free-form", stages={})
MISSED = (geometric(0, 81.0, 1.42), geometric(1, 60.0, 1.3), FAILED)


def result_of(*designs: Design) -> DesignResult:
    return DesignResult(REQUEST, designs, "finished", 1.5, "scripted", 12, datetime.now(UTC), "0.0")


def stored(*designs: Design) -> str:
    run_id = server.store().create_run(REQUEST)
    server.store().save_designs(run_id, designs)
    server.store().finish(run_id, result_of(*designs), Curves())
    return run_id


def texts(app: AppTest) -> str:
    """All that the page says, as it is read."""
    kinds = (app.markdown, app.caption, app.subheader, app.info, app.warning, app.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def assert_shown(app: AppTest) -> str:
    assert not app.exception and not app.error
    said = texts(app)
    assert not re.search(r"\bNone\b(?! of \d)", said) and "nan" not in said.split()  # a value, not a sentence
    return said


def open_run(app: AppTest, *designs: Design) -> str:
    app.run()
    run_id = stored(*designs)
    app.query_params["run"] = run_id
    app.run()
    return run_id


def test_the_result_line_says_which_target_is_missed_by_how_much(app):
    open_run(app, *MISSED)
    said = assert_shown(app)
    assert "**2 designs of 3 candidates, none of them within 1 % of all targets; they differ in density" in said
    assert "density (1.3 to 1.4 g/cm³)" in said
    assert "candidate 2, misses K −40.0 %, density +30.0 %" in said
    assert "Candidate 2: K = 60 GPa (−40.0 %), Density = 1.3 g/cm³ (+30.0 %)" in said
    assert f"{100 * MISSED[0].shares[1]:.3g} % " in said and "density 1.42 g/cm³" not in said, "told once"
    assert "No two phases were found" in said


def test_a_run_that_is_on_target_names_no_miss(app):
    open_run(app, geometric(0, 120.0, 0.99), geometric(1, 81.0, 1.42))
    said = assert_shown(app)
    assert "1 of them within 1 % of all targets" in said and "misses K" not in said


@pytest.mark.parametrize("view", ["Cards", "Table", "Charts"])
def test_every_view_of_the_candidates_draws(app, view):
    run_id = open_run(app, *MISSED)
    app.segmented_control(key="candidates-view").set_value(view).run()
    assert_shown(app)
    if view == "Table":
        table = app.dataframe[0].value
        assert "Diameter" not in table.columns and table["Spread, GPa"].dtype == float
    for name in () if view == "Charts" else app.selectbox(key=f"sort-{run_id}").options:
        app.selectbox(key=f"sort-{run_id}").set_value(name.removeprefix("By ")).run()
        assert_shown(app)


def test_designs_are_compared_without_a_diameter(app):
    run_id = open_run(app, *MISSED)
    for index in (0, 1):
        app.button(key=f"compare-{run_id}-{index}").click().run()
    assert_shown(app)
    (table,) = [t.value for t in app.table if "Candidate 1" in t.value.columns]
    assert "Diameter" not in table.index and table.loc["Spread over placements"].tolist() == ["–", "–"]


def test_the_live_view_shows_verified_designs_and_says_what_the_fields_are(monkeypatch):
    step = Frame.of(scripted_step(DesignRequest(target_bulk=100.0, count=3, steps=3), 2))
    snapshot = Snapshot("run", REQUEST, "running", Curves(), designs=MISSED, recent=(step,))
    monkeypatch.setattr(server, "visit", lambda: SimpleNamespace(snapshot=lambda _: snapshot, cancel=lambda _: None))
    monkeypatch.setattr(denoising, "live", lambda *_: None)
    page = AppTest.from_function(live_page, default_timeout=60).run()
    said = assert_shown(page)
    assert "Real materials may not follow" in said
    assert "K = 81 GPa** :red-badge[−19.0 %]" in said and "Density = 1.42 g/cm³** :red-badge[+42.0 %]" in said


def live_page() -> None:
    from relaxdesign.ui.components import live

    live.watch("run", "running")


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (("guided", "noise", "best-of-n", "conditional", "gradient"), "any material in every voxel"),
        (("random", "pairs", "genetic", "cma-es"), "one random placement"),
    ],
)
def test_what_is_seen_on_the_way_is_said_of_every_method(methods: tuple[Method, ...], said):
    assert all(said in what_is_shown(method) for method in methods)


def test_what_is_seen_of_shapes_on_the_way_is_said():
    assert "Forming shape" in what_is_shown("level-set", shapes=True)
    assert "Random shapes" in what_is_shown("random", shapes=True)


def test_the_library_lists_and_compares_designs_of_any_shape(app):
    app.run()
    stored(*MISSED)
    app.switch_page(LIBRARY).run()
    assert "42.0 %" not in assert_shown(app) and "40.0 %" in texts(app), "the best design's worst miss"
    app.segmented_control(key="library_view").set_value("Designs").run()
    table = app.dataframe[0].value
    assert table["Diameter"].dtype == float and table["Diameter"].isna().all()
    assert app.dataframe[0].proto.placeholder == "–"
    app.session_state["compared"] = [(app_run(), 0), (app_run(), 1)]
    app.run()
    said = assert_shown(app)
    assert "K = 81 GPa" in said and "Density = 1.42 g/cm³** :red-badge[+42.0 %]" in said


def app_run() -> str:
    return server.store().list_runs(1)[0].id


def test_the_map_of_a_campaign_does_without_diameters(app):
    app.run()
    campaigns = Campaigns(server.store())
    campaign_id = campaigns.create("Map", {"name": "Map"}, "nowhere", 1)
    campaigns.add_result(campaign_id, "0", "run", result_of(*MISSED))
    campaigns.update(campaign_id, status="finished", seconds=1.0)
    app.query_params["campaign"] = campaign_id
    app.switch_page(CAMPAIGNS).run()
    assert_shown(app)
    assert "Diameter" not in app.selectbox(key="map_x").options
    assert "Volume fraction" in app.selectbox(key="map_x").options


def test_the_best_design_is_one_whose_misses_are_known():
    unknown = replace(geometric(3, 100.0, 1.0), stages={"relaxed": {"K": 100.0}})
    half_known = replace(unknown, stages={"realised": {"K": 100.0}})
    assert unknown.error is None and half_known.error == 0
    assert not candidates.on_target(unknown) and not candidates.on_target(half_known)
    assert candidates.on_target(geometric(3, 100.0, 1.0))
    assert candidates.best([unknown, MISSED[0]]) is MISSED[0]
    assert "Diameter" not in measures.known(MISSED) and candidates.best([FAILED]) is None


@pytest.mark.parametrize(
    ("target", "value", "text"),
    [
        ("K >= 100", 81.0, "−19.0 %"),
        ("K >= 100", 130.0, "met"),
        ("K >= 100", 99.9995, "met"),
        ("K >= 100", 99.0, "−1.0 %"),
        ("K = 100", 100.0, "0.00 %"),
        ("solid <= 0.55", 0.550001, "met"),
        ("solid <= 0.55", 0.56, "+0.01"),
        ("nu = 0.2", 0.200001, "0"),
        ("density <= 1", 1.42, "+42.0 %"),
        ("nu = 0.3", 0.312, "+0.012"),
        ("C12 = 20", 19.5, "−0.5 GPa"),
        ("0.1 <= AU <= 0.2", 0.15, "met"),
    ],
)
def test_a_miss_is_told_in_the_quantity_s_own_terms(target, value, text):
    assert missed(parse_objective(target), value) == text


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"method": "pairs", "objectives": WANTED}, "finds the root of one target"),
        ({"method": "conditional", "objectives": WANTED}, "one value of K and nothing else"),
        ({"objectives": [{"quantity": "Ex/Ey", "low": 1.5}]}, "ask for free-form"),
    ],
)
def test_what_a_method_cannot_do_is_told_before_it_is_started(app, values, why):
    app.run()
    app.session_state["to_load"] = DesignRequest.model_validate(values)
    app.run()
    assert why in texts(app) and app.button(key="design").disabled
    assert not app.exception and not app.error
