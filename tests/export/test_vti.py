"""VTI files give back what was written, bit by bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from vtkmodules.vtkIOXML import vtkXMLImageDataReader

from relaxdesign.export import FORMATS, DesignExport, ExportError, vti_bytes
from relaxdesign.io.fields import load_field


@pytest.fixture
def image_of():
    """Reads as ParaView does, and takes no complaint of the reader."""
    complaints: list[str] = []
    reader = vtkXMLImageDataReader()
    for event in ("ErrorEvent", "WarningEvent"):
        reader.AddObserver(event, lambda _, name: complaints.append(name))

    def read(content: bytes):
        reader.ReadFromInputStringOn()
        reader.SetInputString(content.decode())
        reader.Update()
        assert not complaints
        return reader.GetOutput()

    return read


@pytest.mark.parametrize("dim", [2, 3])
def test_fields_return_exactly(make_design, tmp_path, dim):
    design = make_design(dim, 16)
    path = tmp_path / "design.vti"
    path.write_bytes(vti_bytes(design, 2.5))
    field = load_field(path)
    inside = design.labels == 1
    for name, high, low in (("E", 400.0, 3.2), ("nu", 0.2, 0.35), ("rho", 3.2, 1.2)):
        assert np.array_equal(getattr(field, name), np.where(inside, high, low))


def test_conductivity_is_written_where_both_materials_have_one(make_design, tmp_path):
    design = make_design()
    path = tmp_path / "design.vti"
    for matrix, particle, known in ((0.2, 120.0, True), (0.2, None, False)):
        pair = replace(design.materials[0], conductivity=matrix), replace(design.materials[1], conductivity=particle)
        path.write_bytes(vti_bytes(replace(design, materials=pair)))
        k = load_field(path).k
        assert np.array_equal(k, np.where(design.labels == 1, 120.0, 0.2)) if known else k is None


def test_axes_are_not_swapped(make_design, tmp_path):
    phase = np.zeros((2, 3, 4), np.uint8)
    phase[1, 2, 3] = 1
    path = tmp_path / "design.vti"
    path.write_bytes(vti_bytes(replace(make_design(), labels=phase)))
    assert np.argwhere(load_field(path).E == 400.0).tolist() == [[1, 2, 3]]


def test_sizes_labels_and_texts(make_design, image_of):
    design = make_design(2, 20)
    image = image_of(vti_bytes(design, 4.0))
    assert image.GetDimensions() == (21, 21, 2)
    assert image.GetSpacing() == (0.2, 0.2, 0.2)
    assert image.GetBounds()[1] == pytest.approx(4.0)
    phase = image.GetCellData().GetArray("phase")
    assert phase.GetDataTypeAsString() == "unsigned char"
    assert phase.GetRange() == (0, 1)
    fields = image.GetFieldData()
    assert fields.GetAbstractArray("phase_0").GetValue(0) == "Époxy β <& test> [epoxy]"
    assert fields.GetAbstractArray("name").GetValue(0) == "design-01"
    assert "GPa" in fields.GetAbstractArray("units").GetValue(0)
    assert fields.GetArray("K_realised").GetValue(0) == 10.01
    assert fields.GetArray("K_target").GetValue(0) == 10.0
    assert fields.GetArray("volume_fraction_1").GetValue(0) == design.shares[1]


@pytest.mark.parametrize("dim", [2, 3])
def test_exported_fields_open_without_complaint(make_design, image_of, dim):
    export = DesignExport(make_design(dim, 8, 0.3, 0.4))
    image = image_of(FORMATS["vti"].files(export)["design.vti"]())
    assert image.GetNumberOfCells() == 8**dim
    assert image.GetCellData().GetArray("stress").GetNumberOfComponents() == 6


def test_a_damaged_file_would_be_complained_of(make_design, image_of):
    with pytest.raises(AssertionError):
        image_of(vti_bytes(make_design())[:-200])


def test_what_cannot_be_exported_says_why(make_design, make_result):
    with pytest.raises(ExportError, match="no packing was found"):
        vti_bytes(make_result().designs[1])
    with pytest.raises(ExportError, match="cell size"):
        vti_bytes(make_design(), -1.0)
