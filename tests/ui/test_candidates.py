"""Designs are ordered, placed in charts and put into films as their numbers say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from relaxdesign.library.replay import Frame
from relaxdesign.materials.material import VOID
from relaxdesign.scene.palette import SOLID
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Snapped
from relaxdesign.study.stiffness import stiffness_objectives
from relaxdesign.study.trust import Trust
from relaxdesign.ui import vtkjs
from relaxdesign.ui.colours import ModulusScale, phases_of, rgb, viridis
from relaxdesign.ui.components import candidates, charts, film, in_short, inspector, measures, pictures
from relaxdesign.ui.components.microstructures import picture
from tests.scripted_study import scripted_design, scripted_step

DESIGNS = [
    replace(scripted_design(0), properties={"density": 3.0}),
    scripted_design(1, failed=True),
    replace(scripted_design(2), properties={"density": 2.0, "AU": 0.5}),
    replace(scripted_design(3), properties={}),
]


def test_smallest_comes_first_and_the_unknown_last():
    density = measures.known(DESIGNS)["Density"]
    assert [design.index for design in measures.ordered(DESIGNS, density)] == [2, 0, 1, 3]
    assert [design.index for design in measures.ordered(DESIGNS[::-1], None)] == [0, 1, 2, 3]


def test_only_known_numbers_are_offered():
    assert "Universal anisotropy index" in measures.known(DESIGNS)
    assert "Anisotropy index" not in measures.known(DESIGNS[:2])
    assert measures.known([]) == {}


def test_scatter_has_a_point_per_design_with_both_numbers():
    known = measures.known(DESIGNS)
    points = charts.scatter(DESIGNS, known["Density"], known["Volume fraction"], marked=(2,)).data[0]
    assert list(points.customdata) == [0, 2] and list(points.x) == [3.0, 2.0]
    assert list(points.marker.line.width) == [0, 2.5]
    assert points.marker.color[0] == charts.FAINT != points.marker.color[1]


def test_what_was_asked_for_has_measures_and_a_front():
    wanted = parse_objective("K = 100"), parse_objective("C11 >= 150"), parse_objective("minimise density")
    designs = [
        replace(
            scripted_design(index),
            objectives=wanted,
            properties={"density": density},
            stages={"realised": {"K": bulk, "C11": 160.0}},
        )
        for index, (bulk, density) in enumerate([(100.0, 3.0), (120.0, 2.0), (130.0, 2.5)])
    ]
    known = measures.known(designs)
    assert list(known)[:2] == ["Miss of K", "Miss of C11"]
    assert [known["Miss of K"].of(design) for design in designs] == pytest.approx([0, 20, 30])
    assert known["Density"].good == -1 and known["Volume fraction"].good == 0
    points, front = charts.scatter(designs, known["Density"], known["Miss of K"], marked=()).data
    assert len(points.x) == 3 and list(front.x) == [2.0, 3.0]


def test_parallel_axes_run_from_the_smallest_to_the_largest():
    known = measures.known(DESIGNS)
    verified = [design for design in DESIGNS if design.ok]
    figure = charts.parallel(verified, [known["Density"], known["Diameter"]], marked=())
    lines = {line.hovertemplate[0]: list(line.y) for line in figure.data}
    assert lines == {"1": [1.0, 0.5], "3": [0.0, 0.5], "4": [None, 0.5]}


def test_axes_do_not_stretch_noise():
    """Densities that differ by 1e-5 are drawn as equal: on an axis of 2 %, in the middle of theirs."""
    designs = [replace(scripted_design(i), properties={"density": 3.0 + 3e-5 * i}) for i in range(3)]
    density = measures.known(designs)["Density"]
    low, high = charts.scatter(designs, density, density, marked=()).layout.xaxis.range
    assert low < 2.97 and high > 3.03
    lines = charts.parallel(designs, [density], marked=()).data
    assert all(line.y[0] == pytest.approx(0.5, abs=0.01) for line in lines)


@pytest.mark.parametrize("depth", [1, 16])
def test_film_shows_every_field_in_the_scale_s_colours(depth):
    event = scripted_step(DesignRequest(target_bulk=100.0, count=5, steps=10), 8)
    event = replace(event, young=np.repeat(event.young, depth, axis=3))
    frame, scale = Frame.of(event), ModulusScale(30.0, 480.0)
    sheet = film.draw(frame, "K = 100 GPa", scale)
    assert sheet.dtype == np.uint8 and sheet.shape[1] == film.WIDTH and sheet.shape[0] % 2 == 0
    edge = (film.WIDTH - 5 * film.MARGIN) // 4
    tile = sheet[film.HEADER : film.HEADER + edge, film.MARGIN : film.MARGIN + edge]
    middle = tile[edge // 2, edge // 2]
    if depth == 1:
        inside = frame.young[0, 7:9, 7:9, 0]
        colours = viridis()[scale.index(inside)].reshape(-1, 3)
        assert any((middle == colour).all() for colour in colours)
    stopped = sheet[film.HEADER + edge // 2, 2 * film.MARGIN + edge + edge // 2]
    assert (stopped == 255).all() and (tile < 200).any(-1).mean() > 0.1


def candidates_page() -> None:
    from types import SimpleNamespace

    import streamlit as st

    from relaxdesign.study.request import DesignRequest
    from relaxdesign.ui.components import overview

    request = DesignRequest.model_validate({"target_bulk": 100.0})
    snapshot = SimpleNamespace(run_id="run", designs=st.session_state["designs"], request=request)
    overview.designs(snapshot, overview.Selection("run"), None)


def ticked(app: AppTest) -> list[int]:
    """Numbers of the candidates whose rows are ticked."""
    rows = app.session_state[f"numbers-run-{app.selectbox(key='sort-run').value}"]["selection"]["rows"]
    return [int(app.dataframe[0].value["Candidate"].iloc[row]) for row in rows]


def test_ticks_of_the_table_follow_the_designs():
    """Chosen elsewhere or here, and sorted by whatever: ticked is what is compared."""
    app = AppTest.from_function(candidates_page, default_timeout=60)
    app.session_state["designs"] = DESIGNS
    app.session_state["marked-run"] = [0, 3]
    app.session_state["candidates-view"] = "Table"
    app.run()
    assert not app.exception and ticked(app) == [1, 4]
    app.selectbox(key="sort-run").select("Density").run()
    assert list(app.dataframe[0].value["Candidate"]) == [3, 1, 2, 4] and ticked(app) == [1, 4]
    app.session_state["marked-run"] = [2]  # taken out and chosen in a card
    app.run()
    assert ticked(app) == [3]
    app.selectbox(key="sort-run").select("Number").run()
    assert ticked(app) == [3]


def test_errors_that_are_shown_as_zero_have_no_minus():
    app = AppTest.from_function(candidates_page, default_timeout=60)
    below = replace(scripted_design(0), stages={"realised": {"K": 99.9999}})
    app.session_state["designs"] = [below]
    app.session_state["candidates-view"] = "Table"
    app.run()
    assert below.error < 0 and str(app.dataframe[0].value["Error, %"][0]) == "0.0"


def test_vtk_js_is_served_whole_or_not_at_all(tmp_path, monkeypatch):
    assert vtkjs.publish_vtk(tmp_path / "static") == vtkjs.ADDRESS
    (served,) = (tmp_path / "static").iterdir()
    assert served.name == "vtk.js" and b"vtkImageMarchingCubes" in served.read_bytes()
    (tmp_path / "file").touch()
    assert vtkjs.publish_vtk(tmp_path / "file") is None
    monkeypatch.setattr(vtkjs, "_installed", lambda: None)
    assert vtkjs.publish_vtk(tmp_path / "static") is None


def test_cards_say_how_well_a_quantity_is_known():
    design = replace(scripted_design(0), objectives=(parse_objective("K = 100"),))
    known = replace(design, trust={"K": Trust(100.64, 0.41)})
    assert "**K = 100.6 ± 0.4 GPa**" in candidates.headline(known).replace("\\", "")
    assert candidates.intervals(known) == "±0.41 %, mostly grid" and candidates.intervals(design) == ""
    assert "±" not in candidates.headline(design) and candidates.headline(design).startswith("**K = ")


def test_the_page_is_seen_through_the_voids_of_a_card():
    solid = scripted_design(0)
    lattice = replace(solid, materials=(VOID, solid.materials[1]))
    seen = pictures.phase_image(lattice)
    void = np.kron(picture(lattice.labels), np.ones((16, 16), np.uint8)) == 0
    assert (seen[void, 3] == 0).all() and (seen[~void] == (*rgb(SOLID), 255)).all()
    assert (pictures.phase_image(solid)[..., 3] == 255).all()
    colours = [colour for colour, *_ in candidates.phases(lattice)]
    assert "□" in pictures.swatch(colours[0]) and "■" in pictures.swatch(colours[1])


def test_a_whole_stiffness_is_told_by_its_error():
    C = np.diag([8.0, 8.0, 8.0, 4.0, 4.0, 4.0]) + 2.0
    wanted = stiffness_objectives(C, 2)
    reached = {target.quantity: 1.002 * (target.value or 0.0) for target in wanted}
    trust = {"C11": Trust(10.02, 0.6), "C66": Trust(6.01, 0.1)}
    design = replace(scripted_design(0), objectives=wanted, stages={"realised": reached}, trust=trust)
    assert candidates.headline(design) == "**Stiffness** :green-badge[0.20 % off]"
    assert candidates.intervals(design) == "C11 ±6 %, mostly grid", "that of the widest interval"
    assert inspector._title(design) == "stiffness 0.20 % off the target"
    row = inspector._stages(design).iloc[-1]
    assert list(row.index) == ["K, GPa", "Stiffness", "Error"] and row["Stiffness"] == "0.20 % off"
    few = replace(design, objectives=wanted[:2])
    assert candidates.headline(few).startswith("**C11 = ")


def test_phases_are_coloured_by_stiffness_and_parted_by_a_line():
    design, scale = scripted_design(0), ModulusScale.of(DesignRequest.model_validate({"target_bulk": 100.0}))
    soft, stiff = phases_of(design.materials, scale)
    assert rgb(stiff).astype(int).sum() > rgb(soft).astype(int).sum(), "viridis is bright where it is stiff"
    alike = replace(design, materials=(design.materials[0], replace(design.materials[0], id="other")))
    assert len(set(phases_of(alike.materials, scale))) == 1, "of the same stiffness, of the same colour"
    seen = pictures.phase_image(alike, scale)
    assert len(np.unique(seen.reshape(-1, 4), axis=0)) == 2, "still told apart by the line between them"
    lattice = (VOID, design.materials[1])
    assert phases_of(lattice, scale) == phases_of(lattice, None), "beside a void stiffness tells nothing"


def test_the_outcome_of_a_run_is_one_sentence():
    request = DesignRequest.model_validate({"target_bulk": 100.0, "count": 3})
    light = replace(scripted_design(0), properties={"density": 2.0})
    heavy = replace(scripted_design(1), properties={"density": 3.0}, materials=scripted_design(1).materials[::-1])
    failed = scripted_design(2, failed=True)
    assert in_short.sentence([light, heavy, failed], request) == (
        "**2 designs of 3 candidates, all within 1 % of the target; they differ in materials (2 combinations) and "
        "density (2 to 3 g/cm³).**"
    )
    far = replace(light, stages={"realised": {"K": 93.0}})
    told = in_short.sentence([far], request.model_copy(update={"count": 1}))
    assert told.startswith("**1 design, not within 1 % of the target.**") and "misses K −7.0 %" in told.replace(
        "\\", ""
    )
    assert in_short.sentence([failed], request) == "**No candidate became a design.**"


def test_bounds_beside_a_void_are_told_as_a_share_of_the_upper_one():
    solid = scripted_design(0)
    assert candidates.bounds_verdict(solid) == "within the Hashin–Shtrikman bounds"
    lattice = replace(solid, materials=(VOID, solid.materials[1]))
    assert candidates.bounds_verdict(lattice) == "K is 91 % of its upper bound"  # 100.2 of 110 GPa
    assert "Hashin–Shtrikman" in candidates.about_bounds(lattice) and "110 GPa" in candidates.about_bounds(lattice)
    assert candidates.bounds_verdict(replace(solid, bounds=None)) == ""


def from_shape_page() -> None:
    import streamlit as st

    from relaxdesign.study.request import DesignRequest
    from relaxdesign.ui.colours import ModulusScale
    from relaxdesign.ui.components import from_shape

    request = DesignRequest.model_validate({"target_bulk": 100.0})
    from_shape.show(st.session_state["design"], ModulusScale.of(request))


def test_what_is_built_of_a_shape_is_said_where_it_is_not_the_shape():
    design = replace(scripted_design(0), snapped=Snapped(("al", "sic"), (0.8, 0.2)))
    app = AppTest.from_function(from_shape_page, default_timeout=60)
    app.session_state["design"] = design
    app.run()
    assert not app.exception and "From shape to product" in app.markdown[0].value
    (sentence,) = (caption.value for caption in app.caption if "statistics" in caption.value)
    assert (
        "the second fills 20 %" in sentence
        and f"fill {100 * design.shares[1]:.0f} %, diameter 0.3 of the edge" in sentence
    )
    app.session_state["design"] = replace(design, family="free-form")
    app.run()
    assert not app.exception and not app.markdown and not app.caption, "a free form is built as it formed"
