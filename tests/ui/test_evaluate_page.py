"""The page "Evaluate": drawn cells, uploads good and bad, and numbers that are the solver's."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import trimesh
from streamlit.testing.v1 import AppTest

from relaxdesign.io.labels import Labels
from relaxdesign.io.uploads import StlGrid, Upload
from relaxdesign.physics.effective_properties import evaluate
from relaxdesign.physics.voxel_fields import VoxelFields
from relaxdesign.ui.components import cell_source


@pytest.fixture
def app(evaluate_page) -> AppTest:
    return evaluate_page


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


def bounds(app: AppTest):
    return app.dataframe[0].value.set_index("Quantity")


def draw(app: AppTest) -> AppTest:
    """A small cell of materials whose names are known."""
    app.run()
    app.selectbox(key="evaluate-grid-2").select(32).run()
    assert not app.exception and not app.error, [error.value for error in app.error]
    return app


def test_a_drawn_cell_lies_between_its_bounds(app):
    table = bounds(draw(app))
    assert list(table.index[:2]) == ["Bulk modulus K, GPa", "Shear modulus G, GPa"]
    for _, row in table.iterrows():
        assert row["Reuss"] < row["Cell"] < row["Voigt"]
    assert "32 × 32 × 1 voxels, periodic" in texts(app)
    assert "2D means" in texts(app)


def test_more_stiff_particles_make_it_stiffer_and_another_seed_little_different(app):
    draw(app)
    before = bounds(app).loc["Bulk modulus K, GPa", "Cell"]
    app.slider(key="evaluate-volume_fraction-particles").set_value(0.45).run()
    more = bounds(app).loc["Bulk modulus K, GPa", "Cell"]
    assert more > 1.1 * before
    app.number_input(key="evaluate-seed").set_value(5).run()
    assert bounds(app).loc["Bulk modulus K, GPa", "Cell"] == pytest.approx(more, rel=0.1)
    assert bounds(app).loc["Bulk modulus K, GPa", "Cell"] != more


def test_every_view_and_the_third_dimension(app):
    app.run()
    app.segmented_control(key="evaluate-dim").set_value(3).run()
    app.selectbox(key="evaluate-grid-3").select(16).run()
    for view, words in (("Local fields", "Linear elastic."), ("Stiffness", "sphere"), ("Correlation", "two points")):
        app.segmented_control(key="evaluate-view").set_value(view).run()
        assert not app.exception and not app.error, [error.value for error in app.error]
        assert words in texts(app)


def test_an_uploaded_field_is_what_is_solved(app, monkeypatch):
    E = np.random.default_rng(3).uniform(1, 9, (6, 6, 6))
    data = VoxelFields(E, np.full(E.shape, 0.3))
    monkeypatch.setattr(cell_source, "read_upload", lambda *_: Upload(data, None))
    upload(app, "field.npz", b"anything")
    assert bounds(app).loc["Bulk modulus K, GPa", "Cell"] == pytest.approx(evaluate(data).bulk, rel=1e-9)
    assert "Poisson's ratio" in texts(app) and "Density" not in texts(app), "which is not known"


def test_uploaded_labels_ask_for_two_materials(app):
    phase = np.zeros((8, 8, 8), int)
    phase[:4] = 1
    upload(app, "labels.npz", npz(phase=phase))
    assert [box.label for box in app.selectbox][:2] == ["Matrix", "Particles"]
    assert "particles fill 50.00%" in texts(app)


def test_pores_are_void_in_every_view(app):
    """Void is the last material on offer."""
    draw(app)
    solid = bounds(app).loc["Bulk modulus K, GPa", "Cell"]
    box = app.selectbox(key="evaluate-Particles")
    box.select_index(len(box.options) - 1).run()
    assert box.options[-1] == "Void" and bounds(app).loc["Bulk modulus K, GPa", "Cell"] < 0.9 * solid
    heated = bounds(app).loc["Thermal expansion, 1e-6/K"]
    assert heated.to_numpy() == pytest.approx(heated["Cell"], rel=1e-6), "the solid expands, whatever the pores"
    others = bounds(app).drop(heated.name)
    assert (others["Reuss"] == 0.0).all() and (others["HS lower"] == 0.0).all()
    for view in ("Local fields", "Stiffness", "Correlation"):
        app.segmented_control(key="evaluate-view").set_value(view).run()
        assert not app.exception and not app.error, view


def test_uploaded_labels_of_other_names_take_a_material_each(app):
    labels = np.ones((6, 6, 6), int)
    labels[:3], labels[3] = 4, 9
    upload(app, "labels.npz", npz(material=labels))
    assert [box.label for box in app.selectbox][:3] == ["Label 1 (33.33%)", "Label 4 (50.00%)", "Label 9 (16.67%)"]
    assert not app.exception and not app.error, [error.value for error in app.error]
    assert "labels of material: 1 (33.3 %), 4 (50 %), 9 (16.7 %)" in texts(app).replace("\\", "")
    assert (
        bounds(app).loc["Bulk modulus K, GPa", "Reuss"]
        < bounds(app).loc["Bulk modulus K, GPa", "Cell"]
        < bounds(app).loc["Bulk modulus K, GPa", "Voigt"]
    )
    for view, words in (("Local fields", "Linear elastic."), ("Stiffness", "sphere"), ("Correlation", "two points")):
        app.segmented_control(key="evaluate-view").set_value(view).run()
        assert not app.exception and not app.error, [error.value for error in app.error]
        assert words in texts(app)
    assert "φ = 0.500" in texts(app), "of label 4"
    phase = next(control for control in app.segmented_control if control.label == "Phase")
    phase.set_value(2).run()
    assert not app.exception and "φ = 0.167" in texts(app), "of label 9"


def test_units_are_asked_on_the_page_and_coarse_grids_warned_of(app):
    E = np.where(np.indices((4, 4, 1)).sum(axis=0) % 2, 400e9, 2e9)
    upload(app, "field.npz", npz(E=E, nu=np.full(E.shape, 0.25)))
    assert "E is probably in Pa" in app.warning[0].value.replace("\\", "") and not app.dataframe
    unit = next(box for box in app.segmented_control if box.label == "Unit of E in the file")
    unit.set_value("Pa").run()
    assert not app.exception and not app.error
    assert bounds(app).loc["Bulk modulus K, GPa", "Voigt"] == pytest.approx(134.0)
    assert "single voxel in E" in "".join(warning.value for warning in app.warning).replace("\\", "")


def test_bad_files_end_in_a_message_and_the_page_goes_on(app):
    upload(app, "<b>field</b>.npz", npz(E=np.full((4, 4, 4), np.nan), nu=np.ones((4, 4, 4))))
    assert "E is nan at voxel" in app.error[0].value.replace("\\", "")
    assert not app.exception and not app.dataframe
    upload(app, "field.npz", npz(E=np.ones((4, 4, 4)), nu=np.full((4, 4, 4), 0.7)))
    assert len(app.error) == 1 and "0.7" in app.error[0].value.replace("\\", "")
    app.segmented_control(key="evaluate-source").set_value("Draw a cell").run()
    assert not app.error


def test_a_too_large_file_is_told_in_words_and_takes_the_place_of_the_last_one(app, monkeypatch):
    monkeypatch.setenv("RELAXDESIGN_UPLOAD_MB", "0.01")
    upload(app, "small.npz", npz(phase=np.eye(8, dtype=np.uint8)[..., None]))
    assert app.dataframe and "Read from small.npz" in texts(app).replace("\\", "")
    upload(app, "large.npz", npz(phase=np.zeros((32, 32, 32), int)))
    message = app.error[0].value.replace("\\", "")
    assert "large.npz" in message and "at most 0.01 MB are read" in message
    assert not app.dataframe, "the result of the last file"


def test_surfaces_are_asked_for_their_grid(app, monkeypatch):
    asked = []

    def read(name, content, stl, limits):
        asked.append(stl)
        return Upload(None, Labels("", (np.random.default_rng(0).random((16, 16, 16)) < 0.3).astype(np.uint8)))

    monkeypatch.setattr(cell_source, "read_upload", read)
    upload(app, "part.stl", b"triangles")
    app.selectbox(key="evaluate-stl-grid-3").select(16).run()
    assert asked[-1] == StlGrid(16, 3, None, False)
    assert not app.exception and not app.error


def test_surfaces_are_told_with_their_cell_and_what_is_ambiguous(app):
    bodies = trimesh.util.concatenate([trimesh.creation.box([4, 4, 4]), trimesh.creation.box([2, 2, 2])])
    upload(app, "part.stl", bodies.export(file_type="stl"))
    app.selectbox(key="evaluate-stl-grid-3").select(16).run()
    assert "reaches from (-2, -2, -2) to (2, 2, 2)" in texts(app).replace("\\", "")
    assert "same orientation" in app.warning[0].value
    app.text_input(key="evaluate-stl-edges").set_value("8, 8, 4").run()
    assert "out of the cell" in app.error[0].value and not app.dataframe
    app.toggle(key="evaluate-stl-periodic").set_value(True).run()
    assert "particles fill 25.00%" in texts(app) and "16 × 16 × 8 voxels" in texts(app)
    app.text_input(key="evaluate-stl-edges").set_value("wide").run()
    assert "one per axis" in app.error[0].value
    assert not app.exception


def test_numbers_are_downloaded_as_they_are_shown(app):
    draw(app)
    from relaxdesign.ui.components import cell_results

    solved = evaluate(VoxelFields(np.full((4, 4, 1), 70.0), np.full((4, 4, 1), 0.3), np.full((4, 4, 1), 2.7)))
    cell = cell_source.ViewedCell(
        VoxelFields(np.full((4, 4, 1), 70.0), np.full((4, 4, 1), 0.3), np.full((4, 4, 1), 2.7))
    )
    files = {item.label: item for item in cell_results._files(cell_source.Source(cell, "cell", "key"), solved)}
    assert json.loads(files["JSON"].make())["E"] == pytest.approx(70.0)
    assert b"TYPE=ANISOTROPIC" in files["Abaqus"].make()
    assert b"von_mises" in files["VTK"].make()


def upload(app: AppTest, name: str, content: bytes) -> None:
    app.run()
    app.segmented_control(key="evaluate-source").set_value("Upload a file").run()
    app.file_uploader(key="evaluate-file").set_value((name, content, "application/octet-stream")).run()


def test_a_cell_that_is_heated_tells_expansion_bounds_and_the_stress_of_every_phase(app):
    table = bounds(draw(app))
    row = table.loc["Thermal expansion, 1e-6/K"]
    assert row["HS lower"] * 0.99 <= row["Cell"] <= row["HS upper"] * 1.01
    stress = app.dataframe[1].value
    assert len(stress) == 2 and (stress["Von Mises"] >= stress["99 % below"]).all()
    told = texts(app)
    assert "Thermal expansion along x, y, z" in told and "· 1e-6/K" in told
    largest = 100 * stress["When cooled"].max()
    assert f"Cooling by 100 K leaves up to {largest:.3g} MPa of tension" in told
