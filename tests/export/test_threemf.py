"""3MF files hold every solid phase as a coloured body, in mm, as the library of the 3MF consortium reads them."""

from __future__ import annotations

from dataclasses import replace

import lib3mf
import numpy as np
import pytest
import trimesh

from relaxdesign.export import ExportError, ExportOptions, result_files
from relaxdesign.export.surface import phase_surface
from relaxdesign.export.threemf import threemf_bytes
from relaxdesign.materials.material import VOID
from relaxdesign.scene.palette import SOLID, phase_colours
from tests.conftest import CARBIDE


def exported(make_result, design, **options) -> bytes:
    files = dict(result_files(make_result((design,)), ["3mf"], ExportOptions(**options)))
    return files["design-01/design.3mf"]


def read(content: bytes):
    """The model and its objects: name, body and colour of each."""
    model = lib3mf.get_wrapper().CreateModel()
    reader = model.QueryReader("3mf")
    reader.SetStrictModeActive(True)
    reader.ReadFromBuffer(content)
    assert reader.GetWarningCount() == 0
    objects, bodies = model.GetMeshObjects(), {}
    while objects.MoveNext():
        found = objects.GetCurrentMeshObject()
        assert found.IsManifoldAndOriented()
        points = np.array([tuple(vertex.Coordinates) for vertex in found.GetVertices()])
        faces = np.array([tuple(triangle.Indices) for triangle in found.GetTriangleIndices()])
        resource, number, known = found.GetObjectLevelProperty()
        assert known
        shown = model.GetBaseMaterialGroupByID(resource).GetDisplayColor(number)
        colour = f"#{shown.Red:02X}{shown.Green:02X}{shown.Blue:02X}"
        bodies[found.GetName()] = trimesh.Trimesh(points, faces), colour
    return model, bodies


@pytest.mark.parametrize(("dim", "tile"), [(2, 2), (3, 1)])
def test_both_phases_are_bodies_in_mm(make_design, make_result, dim, tile):
    design = make_design(dim, 16, 0.3, 0.3)
    model, bodies = read(exported(make_result, design, cell_size_mm=4.0, tile=tile))
    assert model.GetUnit() == lib3mf.ModelUnit.MilliMeter
    assert list(bodies) == ["matrix", "particles"]
    volume = (4.0 * tile) ** 2 * (0.5 if dim == 2 else 4.0 * tile)
    for (body, colour), share, expected in zip(bodies.values(), design.shares, phase_colours(2), strict=True):
        assert colour == expected.upper()
        assert body.volume == pytest.approx(share * volume, rel=1e-3)


def test_beside_a_void_there_is_one_body_with_its_plates(make_design, make_result):
    labels = np.zeros((12, 12, 1), np.uint8)
    labels[3:9] = labels[:, 3:9] = 1
    shares = (1 - labels.mean(), labels.mean())
    design = replace(make_design(2, 16), materials=(VOID, CARBIDE), labels=labels, shares=shares, family="free-form")
    plain, with_plates = (read(exported(make_result, design, plates_mm=mm))[1] for mm in (0.0, 1.0))
    ((body, colour),) = plain.values()
    ((specimen, _),) = with_plates.values()
    assert colour == SOLID.upper() and specimen.volume > body.volume
    assert np.ptp(specimen.bounds[:, 1]) == pytest.approx(np.ptp(body.bounds[:, 1]) + 2.0, abs=1e-4)


def test_names_are_text_and_the_same_design_gives_the_same_bytes():
    surface = phase_surface(np.ones((2, 2, 2)))
    bodies = [('a"<b>&', "Époxy β <& test>", "#3b4d72", surface)]
    content = threemf_bytes(bodies, "<title> & more")
    assert content == threemf_bytes(bodies, "<title> & more")
    assert list(read(content)[1]) == ['a"<b>&']


def test_too_many_triangles_are_refused(monkeypatch):
    monkeypatch.setattr("relaxdesign.export.threemf.MOST_TRIANGLES", 10)
    with pytest.raises(ExportError, match="fewer cells"):
        threemf_bytes([("a", "b", "#000000", phase_surface(np.ones((2, 2, 2))))], "")
