"""The design page says what is wrong, starts runs, and shows every state of one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from relaxdesign import __version__
from relaxdesign.materials import catalogue as catalogue_module
from relaxdesign.materials import write_materials
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.presets import PRESETS
from relaxdesign.study.request import DesignRequest, request_file
from relaxdesign.study.run import RequestError
from relaxdesign.study.stiffness import stiffness_objectives
from relaxdesign.ui import server
from tests.scripted_study import scripted_design


def press_design(app) -> str:
    """Presses the button and returns the run's id."""
    app.button(key="design").click().run()
    assert not app.exception
    run_id = app.query_params["run"]
    return run_id if isinstance(run_id, str) else run_id[0]


def texts(elements) -> str:
    return "\n".join(element.value for element in elements)


def test_first_visit_shows_the_reachable_range(app):
    app.run()
    assert not app.exception and not app.error
    low, high = server.reachable("K", None, False, 2)
    assert low < 0.01 and high > 300
    assert "Reachable" in texts(app.sidebar.caption)
    assert not app.button(key="design").disabled


def test_unreachable_target_is_refused_with_the_range(app):
    app.run()
    app.number_input(key="target").set_value(590.0).run()
    assert "590 GPa is out of reach" in texts(app.warning)
    assert app.button(key="design").disabled
    app.number_input(key="target").set_value(100.0).run()
    assert not app.warning and not app.button(key="design").disabled


def test_fewer_materials_narrow_the_range(app):
    app.run()
    app.multiselect(key="categories").set_value(["polymer"]).run()
    assert "or offer other materials" in texts(app.warning)
    assert server.reachable("K", ("polymer",), False, 2)[1] < 120


def test_slider_and_number_follow_each_other(app):
    app.run()
    app.select_slider(key="target_slider").set_value(
        next(float(v) for v in app.select_slider(key="target_slider").options if float(v) > 10)
    ).run()
    assert 10 < app.number_input(key="target").value < 12
    app.number_input(key="target").set_value(73.21).run()
    assert app.select_slider(key="target_slider").value == 73.21


def test_run_is_computed_and_shown(app):
    app.run()
    app.number_input(key="count").set_value(3).run()
    app.number_input(key="steps").set_value(4).run()
    run_id = press_design(app)
    assert server.jobs().wait(run_id, 30)
    app.run()
    assert not app.exception and not app.error
    shown = texts(app.markdown)
    assert "2 designs of 3 candidates, all within 1 % of the target" in shown
    assert "Silicon carbide" in shown and "+0.20 %" in shown
    assert "No two phases were found" in texts(app.caption)
    assert {button.label for button in app.get("download_button")} >= {"STL", "VTK", "JSON", "Result"}
    request = server.store().run(run_id).request
    assert (request.count, request.steps, request.target_bulk) == (3, 4, 120.0)


def test_running_job_is_streamed_and_stopped(app, script):
    script(pause=0.2)
    app.run()
    run_id = press_design(app)
    while server.jobs().snapshot(run_id).frame is None:
        pass
    app.run()
    assert not app.exception and not app.error
    assert "Running" in texts(app.markdown)
    app.button(key=f"stop-{run_id}").click().run()
    assert server.jobs().wait(run_id, 30)
    app.run()
    assert "You stopped this run" in texts(app.info)


def test_running_job_is_paused_and_goes_on(app, script):
    script(pause=0.1)
    app.run()
    run_id = press_design(app)
    while server.jobs().snapshot(run_id).frame is None:
        pass
    app.run()
    app.button(key=f"hold-pause-{run_id}").click().run()
    assert server.jobs().snapshot(run_id).state == "paused"
    assert "Paused" in texts(app.markdown) and app.button(key=f"hold-resume-{run_id}").label == "Resume"
    app.button(key=f"hold-resume-{run_id}").click().run()
    assert server.jobs().snapshot(run_id).state == "running" and not app.exception
    server.jobs().cancel(run_id)


def test_waiting_job_tells_its_place(app, script):
    script(pause=0.2)
    app.run()
    first = server.jobs().submit(DesignRequest(target_bulk=42.0, count=2, steps=50))
    waiting = server.jobs().submit(DesignRequest(target_bulk=43.0, count=2, steps=50))
    app.query_params["run"] = waiting
    app.run()
    assert not app.exception and not app.error
    assert "1 run first" in texts(app.info)
    for run_id in (waiting, first):
        server.jobs().cancel(run_id)


def test_stopped_job_is_resumed(app, script):
    app.run()
    run_id = server.store().create_run(DesignRequest(target_bulk=100.0, count=2, steps=3))
    server.store().save_design(run_id, scripted_design(0))
    server.store().stop(run_id, "interrupted")
    app.query_params["run"] = run_id
    app.run()
    assert "1 design" in texts(app.warning)
    app.button(key=f"resume-{run_id}").click().run()
    assert server.jobs().wait(run_id, 30)
    app.run()
    assert not app.exception and server.store().run(run_id).status == "finished"


def finished_run(app, count: int = 4) -> str:
    run_id = server.jobs().submit(DesignRequest(target_bulk=100.0, count=count, steps=3))
    assert server.jobs().wait(run_id, 30)
    app.query_params["run"] = run_id
    app.run()
    assert not app.exception and not app.error
    return run_id


def side_by_side(app):
    """Tables of several designs; the inspector has one of the stages of one design."""
    return [table.value for table in app.table if table.value.columns[0].startswith("Candidate")]


def test_designs_are_sorted_and_compared(app):
    app.run()
    run_id = finished_run(app)
    assert "they differ in the arrangement of their phases alone" in texts(app.markdown)
    app.selectbox(key=f"sort-{run_id}").set_value("Density").run()
    view = app.segmented_control(key="inspector-view")
    app.button(key=f"compare-{run_id}-0").click().run()
    assert not side_by_side(app) and view.value == "Overview", "one design is not compared yet"
    app.button(key=f"compare-{run_id}-3").click().run()
    assert app.segmented_control(key="inspector-view").value == "Compare"
    (table,) = side_by_side(app)
    assert list(table.columns) == ["Candidate 1", "Candidate 4"] and not app.exception
    assert "Spread over placements" in table.index and "Bounds" in table.index
    app.button(key=f"uncompare-{run_id}-0").click().run()
    assert not side_by_side(app) and "Press Compare on a second card" in texts(app.caption)
    app.button(key=f"inspect-{run_id}-2").click().run()
    assert app.segmented_control(key="inspector-view").value == "Overview" and not app.exception
    assert "Candidate 3" in app.subheader[0].value


def test_units_are_chosen_for_what_is_shown_and_nothing_else(app):
    app.run()
    run_id = finished_run(app)
    before = server.store().design(run_id, 0).stages
    app.segmented_control(key="unit-GPa").set_value("MPa").run()
    app.segmented_control(key="unit-g/cm³").set_value("kg/m³").run()
    shown = texts(app.markdown)
    assert "K = 100\u202f200 MPa" in shown.replace("\\", "") and "GPa" not in app.subheader[0].value
    assert "density 2700 kg/m³" in shown and not app.exception
    assert "2840 kg/m³" in texts(app.caption)
    assert server.store().design(run_id, 0).stages == before


@pytest.mark.parametrize("view", ["Table", "Charts"])
def test_other_views_of_the_candidates(app, view):
    app.run()
    finished_run(app)
    app.segmented_control(key="candidates-view").set_value(view).run()
    assert not app.exception and not app.error
    assert "K in GPa" in texts(app.caption) if view == "Table" else app.get("plotly_chart")


def test_replay_can_be_downloaded(app):
    app.run()
    finished_run(app)
    assert {"GIF", "MP4"} <= {button.label for button in app.get("download_button")}


def test_running_job_is_found_again_from_the_first_page(app, script):
    script(pause=0.2)
    run_id = server.jobs().submit(DesignRequest(target_bulk=42.0, count=2, steps=500))
    app.run()
    assert not app.exception and not app.error
    watch = app.button(key=f"watch-{run_id}")
    assert "42 GPa" in watch.label
    watch.click().run()
    assert app.query_params["run"] == run_id and not app.exception
    server.jobs().cancel(run_id)


def test_internal_error_has_an_id_and_no_traceback(app, script):
    script(fail_at=2, error=ZeroDivisionError("secret/path"))
    app.run()
    run_id = press_design(app)
    assert server.jobs().wait(run_id, 30)
    app.run()
    message = texts(app.error)
    assert server.store().run(run_id).error_id in message
    assert "secret" not in message and not app.exception


def test_refusal_of_the_study_is_shown_as_it_is(app, script):
    script(fail_at=1, error=RequestError("this cannot be reached; ask for 3 to 7 GPa"))
    app.run()
    run_id = press_design(app)
    assert server.jobs().wait(run_id, 30)
    app.run()
    assert texts(app.error) == "this cannot be reached; ask for 3 to 7 GPa"


def test_unknown_run_is_told(app):
    app.query_params["run"] = "<b>gone</b>"
    app.run()
    assert "no such run" in texts(app.warning)
    assert not app.exception


def test_reopened_run_brings_its_settings(app):
    app.run()
    request = DesignRequest(target_bulk=33.3, count=2, steps=3, seed=9, categories=("metal",), density_weight=0.4)
    run_id = server.jobs().submit(request)
    assert server.jobs().wait(run_id, 30)
    app.query_params["run"] = run_id
    app.run()
    assert not app.exception and not app.error
    assert app.number_input(key="target").value == 33.3
    assert app.multiselect(key="categories").value == ["metal"]
    again = press_design(app)
    assert server.store().run(again).request == request


def test_interrupted_run_is_explained(app):
    app.run()
    run_id = server.store().create_run(DesignRequest(target_bulk=100.0, count=2, steps=3))
    server.store().stop(run_id, "interrupted")
    app.query_params["run"] = run_id
    app.run()
    assert "server stopped" in texts(app.warning) and not app.exception


def test_broken_database_is_explained(app, monkeypatch, tmp_path):
    server.jobs().close()
    server.jobs.clear()
    (tmp_path / "broken.db").write_bytes(b"this is not a database, whatever its name says" * 100)
    monkeypatch.setenv("RELAXDESIGN_DB", f"sqlite:///{tmp_path / 'broken.db'}")
    app.query_params["run"] = "anything"
    app.run()
    assert "RELAXDESIGN_DB" in texts(app.error) and not app.exception
    monkeypatch.setenv("RELAXDESIGN_DB", f"sqlite:///{tmp_path / 'library.db'}")


def queued_request(app) -> DesignRequest:
    return server.store().run(press_design(app)).request


def test_any_quantity_can_be_the_target_with_its_own_range(app):
    app.run()
    app.selectbox(key="quantity").set_value("G").run()
    assert not app.exception and not app.warning
    low, high = server.reachable("G", None, False, 2)
    assert low < app.number_input(key="target").value < high
    app.selectbox(key="sense").set_value("between").run()
    app.number_input(key="target").set_value(20.0).run()
    app.number_input(key="target_high").set_value(30.0).run()
    assert str(queued_request(app).objectives[0]) == "20 ≤ G ≤ 30 GPa"


def test_further_objectives_come_and_go(app):
    app.run()
    app.button(key="add_objective").click().run()
    row = app.session_state["rows"][0]
    app.selectbox(key=f"quantity-{row}").set_value("density").run()
    app.selectbox(key=f"sense-{row}").set_value("high").run()
    app.number_input(key=f"low-{row}").set_value(3.0).run()
    app.button(key="add_objective").click().run()
    app.button(key=f"icon-remove-{app.session_state['rows'][1]}").click().run()
    assert queued_request(app).title == "K = 120 GPa, density ≤ 3 g/cm³"


def test_a_whole_stiffness_is_one_line_that_opens(app):
    C = np.diag([25.0, 25.0, 25.0, 8.0, 8.0, 8.0])
    C[0, 1] = C[0, 2] = C[1, 2] = C[1, 0] = C[2, 0] = C[2, 1] = 8.0
    asked = {"objectives": (*stiffness_objectives(C, 3), parse_objective("solid <= 0.6"))}
    given = {"family": "free-form", "dim": 3, "phases": ("void", "titanium-alloy-ti-6al-4v-annealed")}
    request = DesignRequest.model_validate(asked | given)
    app.session_state["to_load"] = request
    app.run()
    opens = {each.label: each.proto.expanded for each in app.expander if "entries" in each.label or "obj" in each.label}
    assert opens == {"Stiffness C: 21 entries": False, "Further objectives (1)": True}
    assert "C11 is the target above" in texts(app.sidebar.caption)
    assert queued_request(app).objectives == request.objectives


def test_presets_and_files_fill_the_form_and_a_request_survives_it(app):
    app.run()
    app.radio(key="preset").set_value("Stiff along x").run()
    assert app.session_state["family"] == "free-form" and not app.exception
    request = queued_request(app)
    assert request.title == "K = 60 GPa, Ex/Ey = 1.5"
    strange = request.model_copy(update={"seed": 5, "guidance": GuidanceSettings(variance=0.5, recurrence=2)})
    app.session_state["to_load"] = strange
    app.run()
    assert queued_request(app) == strange


def test_presets_say_in_the_list_what_they_are_for(app):
    app.run()
    presets = app.radio(key="preset")
    assert list(presets.options) == list(PRESETS)
    assert list(presets.proto.captions) == [preset.about for preset in PRESETS.values()]


def test_a_preset_keeps_own_materials_that_have_what_it_names(app):
    app.run()
    use_own_materials(app)
    app.radio(key="preset").set_value("Stiff along x").run()
    assert app.session_state["materials_csv"] == OWN and not app.sidebar.warning
    titanium = Catalogue.default().find("ti-6al-4v")
    mine = write_materials([*Catalogue.from_text(OWN).materials, titanium])
    app.session_state["materials_csv"] = mine
    app.run()
    app.radio(key="preset").set_value("Titanium lattice").run()
    assert app.session_state["materials_csv"] == mine and app.session_state["phases"] == ["void", titanium.id]
    assert not app.exception and not texts(app.sidebar.warning)


def test_a_preset_says_why_it_goes_back_to_the_shipped_materials(app):
    app.run()
    use_own_materials(app)
    app.radio(key="preset").set_value("Wear part").run()
    assert app.session_state["materials_csv"] is None
    assert "yours have no category metal, category ceramic" in texts(app.sidebar.warning).replace("\\", "")
    app.radio(key="preset").set_value("Stiff and light").run()
    assert "yours have no" not in texts(app.sidebar.warning)


def test_pairs_that_go_together_are_found_out_when_the_server_starts():
    found_out = catalogue_module._most_of_substances
    found_out.cache_clear()
    server._import_modules()
    server._pair_up(3)
    before = found_out.cache_info().misses
    for dim in (2, 3):
        assert Catalogue.default().combinable("plausible", dim).usual_share.any()
    assert found_out.cache_info().misses == before > 0


def test_in_plane_direction_needs_the_geometric_projection(app):
    app.run()
    app.selectbox(key="quantity").set_value("Ex/Ey").run()
    app.number_input(key="target").set_value(1.5).run()
    assert "ask for free-form cells" in texts(app.warning)
    app.selectbox(key="family").set_value("free-form").run()
    assert not app.warning and not app.button(key="design").disabled


OWN = "id,name,E_GPa,nu,rho_g_cm3,price_per_kg\na,Alpha,3,0.3,1.2,2\nb,Beta,300,0.2,3,9\nc,Gamma,70,0.3,2.7,3\n"


def use_own_materials(app) -> None:
    app.session_state["materials_csv"] = OWN
    app.run()


def test_own_materials_replace_the_shipped_ones(app):
    app.run()
    use_own_materials(app)
    app.number_input(key="target").set_value(6.0).run()
    assert "3 materials" in texts(app.sidebar.caption) and not app.warning
    assert "3 materials of your own" in texts(app.main.caption)
    assert queued_request(app).materials_csv == OWN


def test_own_materials_say_what_is_not_used(app):
    app.run()
    assert not app.sidebar.warning
    app.session_state["materials_csv"] = OWN.replace(",", ";").replace("price_per_kg", "k_W_m_K")
    app.run()
    assert "did you mean k_W_mK?" in texts(app.sidebar.warning).replace("\\", "")
    app.selectbox(key="catalogue_choice").set_value("").run()
    assert not app.sidebar.warning


def test_materials_left_out_narrow_every_range(app):
    app.run()
    use_own_materials(app)
    app.button(key="add_objective").click().run()
    before = [caption.value for caption in app.sidebar.caption if "Reachable" in caption.value]
    app.multiselect(key="exclude").set_value(["b"]).run()
    after = [caption.value for caption in app.sidebar.caption if "Reachable" in caption.value]
    assert len(before) == len(after) == 2 and not set(before) & set(after)
    assert "2 materials" in texts(app.sidebar.caption) and "2 materials of your own" in texts(app.main.caption)


def test_only_quantities_that_materials_have_are_offered(app):
    app.run()
    assert {"Price", "Thermal conductivity"} <= set(app.selectbox(key="quantity").options)
    use_own_materials(app)
    assert "Price" in app.selectbox(key="quantity").options
    assert "Thermal conductivity" not in app.selectbox(key="quantity").options
    app.selectbox(key="quantity").set_value("price").run()
    assert not app.warning and not app.error and 2 < app.number_input(key="target").value < 9


def test_target_that_no_material_has_is_explained_and_kept(app):
    app.run()
    wanted = [{"quantity": "K", "low": 50, "high": 50}, {"quantity": "conductivity", "high": 5}]
    for objectives in (wanted[1:], wanted):
        request = {"objectives": objectives, "materials_csv": OWN}
        app.session_state["to_load"] = DesignRequest.model_validate(request)
        app.run()
        assert (
            "conductivity of Alpha and Beta and Gamma is not known" in texts(app.warning)
            and not app.error
            and not app.exception
        )
        assert app.button(key="design").disabled
    assert app.selectbox(key="quantity-1").value == "conductivity" and app.number_input(key="low-1").value == 5


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_number_that_a_positive_quantity_cannot_have_is_refused(app, value):
    app.run()
    app.number_input(key="target").set_value(value).run()
    assert "must be above 0 GPa" in texts(app.warning) and not app.error and not app.exception
    assert app.button(key="design").disabled and app.number_input(key="target").value == value


def test_request_file_is_complete_and_read_with_or_without_its_version():
    request = DesignRequest.model_validate({"target_bulk": 50.0, "materials_csv": OWN, "guidance": {"recurrence": 2}})
    written = json.loads(request_file(request))
    assert written.pop("version") == __version__
    assert set(written) == set(DesignRequest.model_fields)
    assert set(written["guidance"]) == set(GuidanceSettings.model_fields)
    assert DesignRequest.model_validate_json(request_file(request)) == request
    assert DesignRequest.model_validate_json(json.dumps(written)) == request
    assert DesignRequest.model_validate_json(request.model_dump_json(exclude_defaults=True)) == request


def test_a_run_to_start_from_fills_the_controls_without_being_shown(app):
    app.run()
    app.number_input(key="target").set_value(33.0).run()
    run_id = press_design(app)
    del app.query_params["run"]
    app.query_params["from"] = run_id
    app.number_input(key="target").set_value(50.0)
    app.run()
    assert app.number_input(key="target").value == 33.0 and "from" not in app.query_params
    assert "run" not in app.query_params


def test_targets_that_exclude_each_other_are_said_before_the_run(app):
    """K = 120 and G = 20 GPa are each in reach; what the page offers instead is then no conflict."""
    app.run()
    app.number_input(key="target").set_value(120.0).run()
    app.button(key="add_objective").click().run()
    row = app.session_state["rows"][0]
    app.number_input(key=f"low-{row}").set_value(20.0).run()
    assert not app.exception and "Hardly to be had together" in texts(app.sidebar.markdown)
    assert not app.button(key="design").disabled
    app.button(key="take-0").click().run()
    assert app.number_input(key="target").value != 120.0 and app.number_input(key=f"low-{row}").value != 20.0
    assert "Hardly to be had together" not in texts(app.sidebar.markdown)
