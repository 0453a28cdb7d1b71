"""Everything of a run in files: they open in the programs they are for, say where they come from, and are harmless."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace

import meshio
import numpy as np
import pytest
import pyvista
import torch
import trimesh
from PIL import Image

from relaxdesign.export import (
    ALL_FORMATS,
    ExportError,
    ExportOptions,
    figures,
    records_csv,
    result_files,
    safe_name,
    web_address,
    zip_bytes,
)
from relaxdesign.export.figures import phase_png
from relaxdesign.export.names import safe_cell
from relaxdesign.microstructure.cell import Cell
from relaxdesign.physics.fem import bulk_shear_from_young_poisson, effective_stiffness
from relaxdesign.scene import stills
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest


@pytest.fixture(scope="module")
def result(make_design, make_result):
    """A small 2D design that was verified, and one that failed."""
    failed = make_result().designs[1]
    return make_result((make_design(2, 16, 0.3, 0.3), failed))


@pytest.fixture(scope="module")
def files(result):
    return dict(result_files(result, options=ExportOptions(cell_size_mm=10, tile=2), run_id="abc"))


def test_every_format_is_there(files):
    folder = {path.removeprefix("design-01/") for path in files if path.startswith("design-01/")}
    assert folder == {
        "particles.stl", "matrix.stl", "design.vti", "abaqus.inp", "calculix.inp", "ansys.inp", "design.json",
        "design.csv", "cell.png", "stress.png", "stiffness.png", "design.3mf",
    }  # fmt: skip
    assert {"result.json", "designs.csv", "designs.png", "report.html", "report.pdf", "SHA256SUMS"} <= set(files)
    assert not any("design-02" in path for path in files)


def test_everything_is_numbered_from_one(files):
    """Folder, surface, card, fields, records and report of the first design all say 1."""
    assert files["design-01/particles.stl"][:80].decode().strip() == "RelaxDesign design-01 particles mm"
    assert "NAME=RELAXDESIGN-DESIGN-01" in files["design-01/abaqus.inp"].decode()
    assert b"design-00" not in b"".join(files.values())
    assert json.loads(files["design-01/design.json"])["number"] == 1
    assert [design["number"] for design in json.loads(files["result.json"])["designs"]] == [1, 2]
    assert "Design 1: K = " in files["report.html"].decode()


def test_hashes_are_those_of_the_files(files):
    lines = files["SHA256SUMS"].decode().splitlines()
    assert len(lines) == len(files) - 1
    for line in lines:
        digest, path = line.split("  ")
        assert hashlib.sha256(files[path]).hexdigest() == digest


@pytest.mark.parametrize("name", ["particles", "matrix"])
def test_tiled_surfaces_open_closed_in_trimesh_and_meshio(files, tmp_path, name):
    path = tmp_path / "phase.stl"
    path.write_bytes(files[f"design-01/{name}.stl"])
    mesh = trimesh.load(path)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
    assert len(meshio.read(path).cells_dict["triangle"]) == len(mesh.faces)
    if name == "matrix":
        assert np.allclose(mesh.extents, [20, 20, 1.25], atol=1e-4)


def test_tiles_make_one_body_without_inner_walls(make_design):
    from relaxdesign.export import phase_surface

    one = phase_surface(make_design(3, 16).labels, 5.0, label=0)
    many = phase_surface(make_design(3, 16).labels, 5.0, label=0, tile=2)
    assert many.size == (10.0, 10.0, 10.0)
    assert many.volume == pytest.approx(8 * one.volume, rel=1e-4)
    full = phase_surface(np.ones((4, 4, 4)), 1.0, tile=3)
    points = full.points
    assert np.all(np.isclose(points, 0) | np.isclose(points, 3) | (points > 0))
    inside = np.all((points > 0.3) & (points < 2.7), axis=1)
    assert not inside.any()


def test_the_vti_opens_with_materials_and_fields(files, result, tmp_path):
    path = tmp_path / "design.vti"
    path.write_bytes(files["design-01/design.vti"])
    image = pyvista.read(path)
    assert {"phase", "E", "nu", "rho", "strain", "stress", "von_mises", "pressure", "energy_density"} <= set(
        image.cell_data
    )
    assert image.bounds[1] == pytest.approx(10.0)
    stress = np.asarray(image.cell_data["stress"])
    xx, yy, zz, xy, yz, xz = stress.T
    expected = np.sqrt(0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3 * (xy**2 + yz**2 + xz**2))
    assert image.cell_data["von_mises"] == pytest.approx(expected, rel=1e-9)
    # Hydrostatic unit strain: the mean stress is what the stiffness gives.
    record = json.loads(files["design-01/design.json"])
    assert stress[:, :3].mean() == pytest.approx(3 * record["effective"]["K"], rel=1e-6)


def test_the_geometry_of_a_cell_is_in_its_record_and_not_in_tables(result, make_result):
    known = {"centres": [[0.5, 0.25]], "diameter": 0.3}
    design = replace(result.designs[0], geometry=known)
    exported = dict(result_files(make_result((design,)), ["json", "csv"], options=ExportOptions(cell_size_mm=5)))
    assert json.loads(exported["design-01/design.json"])["geometry"] == known | {
        "edge_mm": 5,
        "sizes_um": {"smallest": 1500.0, "mean": 1500.0, "largest": 1500.0},
    }
    assert b"geometry" not in exported["designs.csv"] and design.geometry == known
    sizes = json.loads(exported["design-01/design.json"])["export"]
    assert (sizes["cell_size_mm"], sizes["tile"]) == (5, 1), "of the files, whatever the geometry is"


def test_the_record_says_what_was_solved_and_where_from(files, result):
    record = json.loads(files["design-01/design.json"])
    design = result.designs[0]
    young = torch.from_numpy(np.where(design.labels == 1, 400.0, 3.2))[None]
    poisson = torch.from_numpy(np.where(design.labels == 1, 0.2, 0.35))[None]
    solved = effective_stiffness(*bulk_shear_from_young_poisson(young, poisson))
    assert np.array(record["effective"]["C"]) == pytest.approx(solved.C[0].numpy(), rel=1e-9, abs=1e-9)
    origin = record["origin"]
    assert origin["run"] == "abc" and origin["seed"] == 0 and origin["prior"] == "test-prior"
    assert origin["cell_sha256"] == hashlib.sha256(design.labels.tobytes()).hexdigest()
    assert re.fullmatch("[0-9a-f]{64}", origin["request_sha256"])
    assert record["export"] == {"cell_size_mm": 10, "tile": 2}


def test_figures_are_pictures(files):
    for path in ("cell.png", "stress.png", "stiffness.png"):
        picture = np.asarray(Image.open(io.BytesIO(files[f"design-01/{path}"])).convert("L"), float)
        assert min(picture.shape) > 400 and picture.std() > 10


@pytest.mark.parametrize("rendered", [True, False])
def test_figures_of_3d_cells_show_the_cell_with_and_without_graphics_libraries(
    make_design, make_result, monkeypatch, rendered
):
    if rendered and not stills.can_render():
        pytest.skip("no GL libraries: PyVista cannot render here")
    monkeypatch.setattr(figures, "can_render", lambda: rendered)
    one = make_result((make_design(3, 8, 0.3, 0.4),))
    files = dict(result_files(one, ["png"]))
    picture = np.asarray(Image.open(io.BytesIO(files["design-01/cell.png"])).convert("RGB")).astype(float)
    inked = (picture < 250).any(-1)
    assert 0.25 < inked.mean() < 0.8
    yellow = picture[..., 2] < 0.75 * picture[..., 1]  # particles, in any light
    assert yellow.mean() > 0.03 and (inked & ~yellow).mean() > 0.1


def test_the_report_stands_alone_and_escapes_names(files, result):
    report = files["report.html"].decode()
    assert "Époxy β &lt;&amp; test&gt;" in report  # the name of the matrix of the fixture
    assert "<script" not in report
    sources = re.findall(r'(?:src|href)="([^"]*)"', report)
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert report.count("data:image/png") == 3
    for words in ("no packing was found", "test-prior", "Reuss", "Voigt", "Realised cell", "10.01"):
        assert words in report


def test_links_of_sources_cannot_run_scripts(make_design, make_result):
    design = make_design(2, 16)
    matrix = replace(design.materials[0], url="javascript:alert(1)", source="a book")
    particle = replace(design.materials[1], url='https://example.org/"><b>', source="a paper")
    report = dict(result_files(make_result((replace(design, materials=(matrix, particle)),)), ["report"]))[
        "report.html"
    ].decode()
    assert "javascript:" not in report
    assert "a book" in report and "<b>" not in report


def test_sources_of_the_web_are_links(make_design, make_result):
    design = make_design(2, 16)
    matrix = replace(design.materials[0], url="https://example.org/a", source="a paper")
    files = dict(result_files(make_result((replace(design, materials=(matrix, design.materials[1])),)), ["report"]))
    assert '<a class="address" href="https://example.org/a">' in files["report.html"].decode()
    assert b"(https://example.org/a)" in files["report.pdf"]


@pytest.mark.parametrize(
    ("text", "address"),
    [("https://example.org/x_(y)", "https://example.org/x_(y)"), ("javascript:alert(1)", ""), ("", ""),
     ('https://a.b/"><b>', ""), ("http://a.b c", "")],
)  # fmt: skip
def test_only_addresses_of_the_web_are_links(text, address):
    assert web_address(text) == address


def test_the_pdf_has_two_pages_per_design_and_is_repeatable(files, make_design, make_result):
    assert files["report.pdf"].startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", files["report.pdf"])) == 2
    assert len(re.findall(rb"/Subtype /Image", files["report.pdf"])) >= 3
    two = make_result((make_design(2, 16), make_design(2, 16, index=1)))
    first, second = (dict(result_files(two, ["report"]))["report.pdf"] for _ in range(2))
    assert first == second


def test_long_names_fit_into_the_legend(make_design):
    design = make_design(2, 16)
    name = "Glass-fibre-reinforced poly(ether ether ketone), 30 % fibres by weight " * 3
    matrix = replace(design.materials[0], name=name)
    picture = np.asarray(Image.open(io.BytesIO(phase_png(Cell(design.labels, (matrix, matrix)), 10.0))).convert("L"))
    assert (picture[:, :8] == 255).all() and (picture[:, -8:] == 255).all(), "the legend runs over the edge"


def test_tables_have_a_row_per_design(files):
    text = files["designs.csv"].decode()
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert [row["number"] for row in rows] == ["1", "2"] and "index" not in rows[0]
    assert float(rows[0]["stages.realised.K"]) == 10.01
    assert float(rows[0]["effective.C11"]) > 0 and "effective.C66" in rows[0]
    assert rows[1]["message"] == "no packing was found" and rows[1]["effective.K"] == ""


def test_the_report_has_a_column_per_target(make_design, make_result):
    density = Objective(quantity="density", high=2.0)
    bulk = Objective(quantity="K", low=9.0, high=12.0)
    stages = {"relaxed": {"K": 8.0, "density": 1.5}, "realised": {"K": 10.01, "density": 2.5}}
    design = replace(make_design(2, 16, 0.3, 0.3), objectives=(bulk, density), stages=stages)
    result = make_result((design,))
    request = DesignRequest(objectives=(bulk, density), count=1, steps=2)
    report = dict(result_files(replace(result, request=request), ["report"]))["report.html"].decode()
    for words in ("9 ≤ K ≤ 12 GPa, density ≤ 2 g/cm³", "density, g/cm³", "Worst miss", "+25.00 %", "−11.11 %"):
        assert words in report


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-2", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1"])
def test_cells_are_never_formulas(text):
    assert safe_cell(text) == f"'{text}"
    row = next(csv.DictReader(io.StringIO(records_csv([{"name": text, "x": -1.5}]).lstrip("\ufeff"), newline="")))
    assert row["name"].startswith("'") and row["x"] == "-1.5"


@pytest.mark.parametrize("text", ["../../etc/passwd", "a/b\\c", "con", ".bashrc", "K = 5 GPa, 2D", "", "é✓", "x" * 300])
def test_file_names_are_harmless(text):
    name = safe_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) and ".." not in name and len(name) <= 66
    assert name.lower() != "con"


def test_the_zip_is_repeatable_and_complete(result):
    archives = [zip_bytes(result_files(result, ["json", "stl", "abaqus"]), "run") for _ in range(2)]
    assert archives[0] == archives[1]
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        assert archive.testzip() is None
        assert "run/design-01/abaqus.inp" in archive.namelist()
        assert all(name.startswith("run/") for name in archive.namelist())


def test_single_designs_can_be_chosen(result):
    paths = [path for path, _ in result_files(result, ["json"], indices=[0])]
    assert paths == ["design-01/design.json", "SHA256SUMS"]


@pytest.mark.parametrize(
    ("formats", "options", "indices", "words"),
    [
        (["iges"], {}, None, "unknown format iges; formats are stl, vti"),
        (ALL_FORMATS, {"cell_size_mm": 0}, None, "cell size"),
        (ALL_FORMATS, {"tile": 0}, None, "supported are 1 to"),
        (ALL_FORMATS, {"load": "up"}, None, "loads are hydrostatic, xx"),
        (ALL_FORMATS, {}, [7], "there is no design 8 in this run; it has: 1, 2"),
        (ALL_FORMATS, {}, [1], "design 2 was not verified \\(no packing was found\\)"),
    ],
)
def test_what_cannot_be_exported_says_why_before_any_work(result, formats, options, indices, words):
    with pytest.raises(ExportError, match=words):
        result_files(result, formats, ExportOptions(**options), indices=indices)
