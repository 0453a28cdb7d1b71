"""Specimens between flat plates: closed, in one piece, plates as thick as asked, the cells between them unchanged."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import manifold3d
import numpy as np
import pytest
import trimesh

from relaxdesign.export import DesignExport, ExportError, ExportOptions, phase_surface, result_files, stl_bytes
from relaxdesign.export.plates import Plates, Specimen
from relaxdesign.materials.material import VOID
from relaxdesign.microstructure.cell import Cell
from relaxdesign.study.result import Design

GRID, EDGE = 16, 8.0


def bars(*axes: int, dim: int = 3) -> np.ndarray:
    """Labels (nx, ny, nz) of a cell with square bars along these axes, 1 in the bars; they lie off the middle."""
    cell = np.zeros((GRID, GRID, GRID if dim == 3 else 1), dtype=np.uint8)
    for axis in axes:
        inside: list = [slice(2, 8)] * dim
        inside[axis] = slice(None)
        cell[tuple(inside)] = 1
    return cell


@pytest.fixture
def lattice(make_design):
    """``lattice(labels)``: a verified design of void and a solid."""

    def make(labels: np.ndarray) -> Design:
        design = make_design(3, 8)
        share = float(labels.mean())
        materials = (VOID, design.materials[1])
        return replace(
            design, family="free-form", labels=labels, materials=materials, shares=(1 - share, share), parameters={}
        )

    return make


def read(content: bytes) -> trimesh.Trimesh:
    return trimesh.load(io.BytesIO(content), file_type="stl")


def section(mesh: trimesh.Trimesh, axis: int, place: float) -> float:
    """Area in mm² of a section across an axis."""
    vertices = np.roll(mesh.vertices, 2 - axis, axis=1).astype(np.float32)
    return manifold3d.Manifold(manifold3d.Mesh(vertices, mesh.faces.astype(np.uint32))).slice(place).area()


def assert_one_solid(mesh: trimesh.Trimesh) -> None:
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.body_count == 1
    vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)
    assert manifold3d.Manifold(manifold3d.Mesh(vertices, faces)).status() == manifold3d.Error.NoError


@pytest.mark.parametrize(("axis", "thickness", "tile"), [(2, 1.0, 1), (0, 0.3, 2), (1, 2.5, 1), (2, 0.05, 2)])
def test_plates_are_as_thick_as_asked_and_the_cell_between_them_is_as_it_was(lattice, axis, thickness, tile):
    labels = bars(0, 1, 2)
    mesh = read(stl_bytes(lattice(labels), EDGE, tile=tile, plates=Plates(thickness, axis)))
    assert_one_solid(mesh)
    low, high = np.zeros(3), np.full(3, tile * EDGE)
    low[axis], high[axis] = -thickness, tile * EDGE + thickness
    assert np.allclose(mesh.bounds, [low, high], atol=1e-5)
    block = (tile * EDGE) ** 3
    assert mesh.volume == pytest.approx(labels.mean() * block + 2 * thickness * (tile * EDGE) ** 2, rel=1e-4)
    for place in (-0.02 * thickness, tile * EDGE + 0.02 * thickness):  # beside the inner faces
        assert section(mesh, axis, place) == pytest.approx((tile * EDGE) ** 2, rel=1e-5), "a whole plate"
    bar = (6 / GRID * EDGE) ** 2
    assert section(mesh, axis, 0.75 * EDGE) == pytest.approx(tile**2 * bar, rel=0.05), "bars and no plate"


def test_a_2d_cell_has_plates_across_an_axis_of_its_plane(lattice):
    labels = bars(0, 1, dim=2)
    mesh = read(stl_bytes(lattice(labels), EDGE, 3.0, tile=2, plates=Plates(0.5, 1)))
    assert_one_solid(mesh)
    assert np.allclose(mesh.bounds, [[0, -0.5, 0], [16, 16.5, 3]], atol=1e-5)
    assert mesh.volume == pytest.approx(labels.mean() * 16 * 16 * 3 + 2 * 0.5 * 16 * 3, rel=1e-4)


def test_a_surface_with_plates_knows_its_share(lattice):
    surface = phase_surface(bars(0, 1, 2), EDGE, plates=Plates(1.0, 2))
    assert surface.size == (EDGE, EDGE, EDGE + 2.0)
    assert surface.mesh_fraction == pytest.approx(surface.fraction, rel=1e-4)


def test_without_plates_files_are_what_they_were(lattice):
    design = lattice(bars(0, 1, 2))
    plain = DesignExport(design, ExportOptions(EDGE))
    assert plain.plates is None and plain.specimen is None and not plain.plates_text
    assert plain.record["export"] == {"cell_size_mm": EDGE, "tile": 1}
    assert plain.surface(1) == stl_bytes(design, EDGE)
    with_plates = DesignExport(design, ExportOptions(EDGE, plates_mm=1.0))
    assert with_plates.surface(0) == plain.surface(0), "a void has none"
    assert with_plates.surface(1) != plain.surface(1)
    assert np.array_equal(with_plates.stiffness, plain.stiffness)


def test_what_is_cut_off_at_the_faces_is_left_out():
    """A bar whose other half lies across the face of the block, tied to the rest nowhere within it."""
    inside = bars(2).astype(bool)
    inside[14:16, 2:8, 5:8] = True  # loose here; its periodic image may be tied to something
    specimen = Specimen.of(inside, 2)
    loose = 2 * 6 * 3
    assert specimen.loose == pytest.approx(loose / inside.sum()) and "left out" in specimen.words
    assert specimen.solid.sum() == inside.sum() - loose + 2 * GRID**2
    mesh = phase_surface(inside.astype(np.uint8), EDGE, plates=Plates(1.0, 2))
    assert_one_solid(trimesh.Trimesh(mesh.points, mesh.triangles))


def test_voids_that_plates_close_are_counted():
    tubes = ~bars(2).astype(bool)  # straight channels along z
    assert Specimen.of(tubes, 2).sealed == 1 and "no powder comes out" in Specimen.of(tubes, 2).words
    assert Specimen.of(tubes, 0).sealed == 0 and not Specimen.of(tubes, 0).words
    assert Specimen.of(np.tile(tubes, (2, 2, 2)), 2).sealed == 4
    assert Specimen.of(~bars(1, dim=2).astype(bool), 1).sealed == 0, "an extruded cell is open along z"


@pytest.mark.parametrize(
    ("options", "dim", "voids", "solids", "message"),
    [
        ({"plates_mm": -1.0}, 3, 1, 1, "thickness of the plates"),
        ({"plates_mm": 1.0, "plates_axis": "z"}, 2, 1, 1, "lie across x or y, not across 'z', as a 2D cell"),
        ({"plates_mm": 1.0, "plates_axis": "xy"}, 3, 1, 1, "lie across x or y or z, not across 'xy'"),
        ({"plates_mm": 1.0}, 3, 0, 2, "this cell has no void"),
        ({"plates_mm": 1.0}, 3, 1, 2, "this cell has 2 solids beside it"),
    ],
)
def test_plates_that_cannot_be_are_refused(make_design, options, dim, voids, solids, message):
    solid = make_design(3, 8).materials[1]
    cell = Cell(bars(0, 1, dim=dim), (VOID,) * voids + (solid,) * solids)
    asked = ExportOptions(**options)
    with pytest.raises(ExportError, match=message):
        Plates.of(asked.plates_mm, asked.plates_axis, cell)
    assert Plates.of(0.0, "", cell) is None


def test_plates_that_the_block_does_not_hold_together_are_refused():
    with pytest.raises(ExportError, match="does not hold plates across x together"):
        phase_surface(bars(2), EDGE, plates=Plates(1.0, 0))


def test_record_and_report_tell_of_plates(lattice, make_result):
    """And that the numbers are those of the cell without them."""
    result = make_result((lattice(~bars(2).astype(bool) * np.uint8(1)),))
    files = dict(result_files(result, ["stl", "json", "report"], ExportOptions(EDGE, plates_mm=0.5)))
    export = json.loads(files["design-01/design.json"])["export"]
    assert export["plates"] == {"thickness_mm": 0.5, "axis": "z", "loose": 0.0, "sealed_voids": 1}
    page = files["report.html"].decode()
    assert "plates of 0.5 mm close the two ends along z" in page and "those of the periodic cell without them" in page
    assert "no powder comes out" in page and b"plates" in files["design-01/solid.stl"][:80]
