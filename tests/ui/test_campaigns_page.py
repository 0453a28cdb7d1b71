"""The campaigns page: its form makes specs, its map shows what is there, and nothing is lost by a click."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from relaxdesign.campaign import CampaignSpec, Folder
from relaxdesign.library import Campaigns, Curves, Viewer
from relaxdesign.library.schema import CampaignRow
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui import server
from relaxdesign.ui.components import campaign_form, campaign_map, campaign_view
from tests.scripted_study import scripted_study

CAMPAIGNS = "relaxdesign/ui/pages/campaigns.py"


def texts(elements) -> str:
    return "\n".join(element.value for element in elements)


@pytest.fixture
def launched(monkeypatch) -> list[CampaignSpec]:
    """Specs that were started, none of which is computed."""
    specs: list[CampaignSpec] = []

    def launch(spec, store, count, private):
        specs.append(spec)
        return Campaigns(store).create(spec.name, spec.to_dict(), "nowhere", len(spec.plan()), private=private)

    monkeypatch.setattr(campaign_form, "launch", launch)
    return specs


def open_page(app, **parameters):
    app.run()
    for name, value in parameters.items():
        app.query_params[name] = value
    app.switch_page(CAMPAIGNS).run()
    assert not app.exception and not app.error
    return app


def stored_campaign(status: str, done: int = 3) -> str:
    """Of four requests with two candidates, one of which fails; the last request failed."""
    campaigns = Campaigns(server.store())
    campaign_id = campaigns.create("A <map>", {"name": "A <map>"}, "nowhere", 4)
    for number in range(done):
        request = DesignRequest(target_bulk=50.0 * (number + 1), count=2, steps=2)
        result = list(scripted_study()(request))[-1].result
        campaigns.add_result(campaign_id, str(number), "run", result)
    campaigns.add_failure(campaign_id, "x", "run", DesignRequest(target_bulk=590), "out of reach")
    campaigns.update(campaign_id, status=status, seconds=30.0)
    return campaign_id


def test_the_form_starts_what_it_says(app, launched):
    open_page(app)
    app.number_input(key="campaign_values").set_value(3).run()
    app.number_input(key="campaign_seeds").set_value(2).run()
    app.multiselect(key="campaign_categories").set_value(["metal", "glass"]).run()
    assert "**12 requests**, 48 candidates" in texts(app.markdown)
    app.button(key="campaign_start").click().run()
    (spec,) = launched
    requests = [planned.request for planned in spec.plan()]
    assert {request.target_bulk for request in requests} == {20.0, 63.2456, 200.0}
    assert {request.categories for request in requests} == {("metal",), ("glass",)}
    assert {request.seed for request in requests} == {0, 1}


def test_the_form_begins_with_a_run(app, launched):
    app.run()
    run_id = server.store().create_run(DesignRequest(target_bulk=70, seed=5, steps=33, flagged=True))
    open_page(app)
    app.selectbox(key="campaign_base").set_value(run_id).run()
    app.number_input(key="campaign_seeds").set_value(2).run()
    app.button(key="campaign_start").click().run()
    requests = [planned.request for planned in launched[0].plan()]
    assert len(requests) == 10 and all(request.steps == 33 and request.flagged for request in requests)
    assert {request.seed for request in requests} == {5, 6}


def test_the_form_begins_with_the_settings_of_the_design_page(app, launched):
    app.run()
    app.number_input(key="target").set_value(77.0)
    app.number_input(key="steps").set_value(14)
    app.number_input(key="seed").set_value(9)
    # As by a click on another page while a field is still being left: the design page does not run once more.
    app.switch_page(CAMPAIGNS).run()
    assert "K = 77 GPa · 2D · 14 steps · seed 9" in texts(app.caption).replace("\\", "")
    app.button(key="campaign_start").click().run()
    requests = [planned.request for planned in launched[0].plan()]
    assert len(requests) == 5 and all((request.steps, request.seed) == (14, 9) for request in requests)


def test_unusable_settings_of_the_design_page_are_told(app):
    app.run()
    app.number_input(key="target").set_value(-5.0)
    app.switch_page(CAMPAIGNS).run()
    assert "settings of the design page" in texts(app.warning) and not app.exception


@pytest.mark.parametrize("source", ["settings", "run"])
def test_design_page_and_runs_lead_to_the_form(app, source):
    app.run()
    request = DesignRequest(target_bulk=70, seed=5, steps=2, count=1)
    run_id = server.store().create_run(request)
    result = list(scripted_study()(request))[-1].result
    server.store().save_designs(run_id, result.designs)
    server.store().finish(run_id, result, Curves())
    stored_campaign("finished")  # with which the form is folded up
    if source == "run":
        app.query_params["run"] = run_id
    app.run()
    links = [element.proto.query_string for element in app.get("page_link")]
    wanted = "settings" if source == "settings" else run_id
    assert f"from={wanted}" in links
    open_page(app, **{"from": wanted})
    assert app.expander[0].proto.expanded
    assert app.selectbox(key="campaign_base").value == wanted


def test_a_spec_in_yaml_is_checked(app, launched):
    open_page(app)
    app.toggle(key="campaign_yaml").set_value(True).run()
    assert "**10 requests**" in texts(app.markdown)
    app.text_area(key="campaign_text").set_value("name: m\nvary:\n  seed: [-1]\nbase: {target_bulk: 5}").run()
    assert "line 3" in texts(app.warning) and not launched
    app.text_area(key="campaign_text").set_value("name: m\nvary:\n  seed: [-1]\n  K: [-2]").run()
    assert texts(app.warning).count("- spec") == 2, "one line for each fault"
    app.text_area(key="campaign_text").set_value("name: m\nmaterials: /etc/passwd\nbase: {target_bulk: 5}").run()
    assert texts(app.warning) and "root" not in texts(app.warning), "files of the server are not read"
    app.text_area(key="campaign_text").set_value("name: m\nbase: {target_bulk: 5, start: /data/own.vti}").run()
    assert "begins from a file" in texts(app.warning)


def test_a_campaign_shows_pace_failures_and_map(app):
    app.run()
    open_page(app, campaign=stored_campaign("finished"))
    shown = texts(app.markdown)
    assert "A \\<map\\>" in shown and "Finished" in shown
    assert "3 verified designs" in texts(app.caption)
    assert "out of reach" in texts(app.caption)
    assert {button.key for button in app.button} >= {"campaign-retry", "campaign-remove"}
    assert "campaign-resume" not in {button.key for button in app.button}, "nothing is left to do"


def test_pace_and_remaining_time(app):
    app.run()
    record = Campaigns(server.store()).get(stored_campaign("running", done=1))
    assert campaign_view._pace(record) == (
        "2 of 4 requests · 1 verified design · 4 requests a minute · about 30 s left"
    )


def test_only_its_owner_changes_a_campaign(app, sign_in):
    app.run()
    campaign_id = stored_campaign("cancelled", done=1)
    with server.jobs().store.session.begin() as session:
        session.get(CampaignRow, campaign_id).author = "anna"
    sign_in("ben")
    open_page(app, campaign=campaign_id)
    assert "of anna" in app.get("progress")[0].proto.text
    for key in ("campaign-resume", "campaign-retry", "campaign-remove"):
        assert app.button(key=key).disabled
    assert app.toggle(key=f"private-{campaign_id}").disabled
    sign_in("anna")
    app.run()
    assert not app.button(key="campaign-remove").disabled
    app.toggle(key=f"private-{campaign_id}").set_value(True).run()
    assert Campaigns(server.jobs().store).get(campaign_id).private
    sign_in("ben")
    app.run()
    assert "no such campaign" in texts(app.warning)


def test_without_a_login_another_s_campaign_is_stopped_after_a_question(app, monkeypatch):
    app.run()
    campaign_id, stopped = stored_campaign("running", done=1), []
    with server.jobs().store.session.begin() as session:
        session.get(CampaignRow, campaign_id).author = "~87654321"
    monkeypatch.setattr(campaign_view, "stop", lambda campaign, store: stopped.append(campaign))
    open_page(app, campaign=campaign_id)
    app.button(key="campaign-stop").click().run()
    assert not stopped and "Stop it all the same?" in texts(app.markdown)
    app.button(key=f"stop-another-s-{campaign_id}").click().run()
    assert stopped == [campaign_id] and "all the same" not in texts(app.markdown)


def test_an_unknown_campaign_is_told(app):
    open_page(app, campaign="nobody")
    assert "no such campaign" in texts(app.warning)


def test_the_map_marks_the_front_with_its_bounds(app):
    app.run()
    table = campaign_map._table(stored_campaign("finished"), 3, Viewer())
    assert sorted(table.K) == pytest.approx([50.1, 100.2, 150.3])
    bounds = campaign_map.BOUNDS["Hashin–Shtrikman"]
    figure = json.loads(campaign_map.chart(table, "density", "K", np.array([2]), bounds).to_json())
    catalogue, designs, front = figure["data"]
    assert len(catalogue["x"]) == len(server.catalogue())
    assert designs["name"] == "Designs" and front["name"] == "Front"
    assert "error_y" in front and "error_x" not in front


def test_axes_of_the_map_show_what_is_around_the_designs():
    low, high = campaign_map._axis(pd.Series([19.998, 20.008]))["range"]
    assert low < 18.5 and high > 21.5, "a hair's breadth is not drawn as a landslide"
    wide = campaign_map._axis(pd.Series([2.0, 200.0]))
    assert wide["type"] == "log" and wide["range"] == pytest.approx([math.log10(2) - 0.12, math.log10(200) + 0.12])


def test_a_brush_names_rows_once():
    """As Streamlit hands points over: the custom data of a point is the number that was given."""
    points = [{"curve_number": 1, "customdata": 4}, {"customdata": 1}, {"customdata": 4}, {"curve_number": 0}]
    assert campaign_map.brushed(points, 10) == [1, 4]
    assert campaign_map.brushed(points, 3) == [1], "of a table that has grown shorter"


def test_totals_are_true_where_not_all_is_drawn(app, monkeypatch):
    monkeypatch.setattr(campaign_map, "MOST_DRAWN", 2)
    app.run()
    campaign_id = stored_campaign("finished")
    open_page(app, campaign=campaign_id)
    assert "2 of 3 verified designs drawn, the newest" in texts(app.caption)
    assert len(campaign_map._table(campaign_id, 3, Viewer())) == 2


def test_bounds_are_drawn_as_chosen_and_named(app):
    app.run()
    open_page(app, campaign=stored_campaign("finished"))
    assert "Bars: Hashin–Shtrikman bounds on K" in texts(app.caption)
    app.selectbox(key="map_bounds").set_value("Voigt–Reuss").run()
    assert "Bars: Voigt–Reuss bounds on K" in texts(app.caption)
    front = json.loads(app.get("plotly_chart")[0].proto.spec)["data"][-1]
    assert front["error_y"]["array"]["bdata"]
    app.selectbox(key="map_y").set_value("volume_fraction").run()
    assert app.selectbox(key="map_bounds").disabled and "Bars" not in texts(app.caption)


def test_the_map_keeps_its_designs_while_some_are_selected(app, monkeypatch):
    """New ones would change the figure, and with it Streamlit forgets what was selected."""
    app.run()
    campaign_id = stored_campaign("running", done=2)
    campaigns = Campaigns(server.store())
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    before = campaign_map._drawn(campaigns.get(campaign_id))
    result = list(scripted_study()(DesignRequest(target_bulk=170.0, count=2, steps=2)))[-1].result
    campaigns.add_result(campaign_id, "new", "run", result)
    record = campaigns.get(campaign_id)
    state[f"map-{campaign_id}"] = {"selection": {"points": [{"customdata": 0}]}}
    assert campaign_map._drawn(record).equals(before)
    assert campaign_map._caption(record, 2, 1, 1, "").startswith("2 of 3 verified designs drawn;")
    state[f"map-{campaign_id}"] = {"selection": {"points": []}}
    assert len(campaign_map._drawn(record)) == 3


def test_an_administrator_finds_and_stops_what_runs(app, sign_in, tmp_path):
    app.run()
    campaign_id = stored_campaign("running", done=1)
    folder = Folder(tmp_path)
    Campaigns(server.store()).update(campaign_id, directory=str(folder.path))
    sign_in("carl")
    app.switch_page("relaxdesign/ui/pages/server.py").run()
    assert "1 campaign running" in texts(app.markdown) and app.button(key=f"server-open-{campaign_id}")
    app.button(key="stop-all").click().run()
    app.button(key="really-stop-all").click().run()
    assert not app.exception and folder.is_cancelled()
