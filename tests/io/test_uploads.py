"""Uploads: good files come in whole, bad ones end in one clear sentence and never in the server's process."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
import trimesh

from relaxdesign.export import stl_bytes, vti_bytes
from relaxdesign.io.fields import FieldError, load_field, load_labels
from relaxdesign.io.units import Units
from relaxdesign.io.uploads import (
    FieldReading,
    LabelsAsked,
    StlGrid,
    UnitAsked,
    UploadError,
    UploadLimits,
    read_upload,
)


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def header(shape: tuple[int, ...]) -> bytes:
    """An .npy file that claims this shape and holds nothing."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


CELL = np.full((4, 4, 4), 2.0)


def test_fields_come_in_whole():
    E = np.random.default_rng(0).uniform(1, 9, (4, 5, 6))
    upload = read_upload("C:\\fakepath\\My field.NPZ", npz(E=E, nu=0.3 * np.ones_like(E)))
    assert upload.phase is None and upload.data is not None
    assert np.array_equal(upload.data.E, E) and upload.data.rho is None


def test_exported_cells_come_back(make_design):
    design = make_design(2, 16, 0.3, 0.3)
    upload = read_upload("design.vti", vti_bytes(design, 8.0))
    assert np.array_equal(upload.phase, design.labels)
    assert upload.data.edge == pytest.approx(0.5)
    assert set(np.unique(upload.data.E)) == {3.2, 400.0}


def test_labels_alone_come_in():
    phase = np.random.default_rng(1).random((6, 6)) < 0.4
    upload = read_upload("labels.npz", npz(phase=phase))
    assert upload.data is None
    assert np.array_equal(upload.phase[:, :, 0], phase)


def test_labels_of_other_names_and_units_are_asked_for():
    labels = np.array([[1, 2], [2, 5]])
    upload = read_upload("labels.npz", npz(material=labels))
    assert upload.data is None and upload.phase is None and upload.labels is not None
    assert upload.labels.array == "material" and upload.labels.shares == {1: 0.25, 2: 0.5, 5: 0.25}
    two = npz(a=labels, b=labels > 1)
    with pytest.raises(LabelsAsked, match="which one holds the labels") as asked:
        read_upload("labels.npz", two)
    assert asked.value.arrays == ["a", "b"]
    assert np.array_equal(read_upload("labels.npz", two, FieldReading(labels="b")).phase[:, :, 0], labels > 1)
    content = npz(E=1e9 * CELL, nu=0.1 * CELL)
    with pytest.raises(UnitAsked, match="E is probably in Pa where GPa is expected") as unit:
        read_upload("field.npz", content)
    assert (unit.value.quantity, unit.value.likely, unit.value.units) == ("E", "Pa", ["GPa", "MPa", "Pa"])
    assert pytest.approx(CELL) == read_upload("field.npz", content, FieldReading(Units(E="Pa"))).data.E


def damaged_vti(make_design) -> bytes:
    return vti_bytes(make_design(2, 16, 0.3, 0.3))[:-400]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("field.exe", b"x", ".npz, .vti, .stl"),
        ("field", b"x", ".npz"),
        ("field.npz", b"", "empty"),
        ("field.npz", b"no zip at all", "not an .npz"),
        ("field.npz", npz(E=CELL), "no array nu"),
        ("field.npz", npz(E=CELL, nu=CELL[:2]), "make them the same"),
        ("field.npz", npz(E=CELL * np.nan, nu=CELL), "E is nan at voxel"),
        ("field.npz", npz(E=CELL, nu=0.1 * CELL, rho=-CELL), "rho is -2"),
        ("field.npz", npz(E=CELL.astype(str), nu=CELL), "expected real numbers"),
        ("field.npz", npz(phase=1.25 * CELL), r"phase is 2\.5 at voxel .*whole numbers"),
        ("field.npz", zipped(E=pickle.dumps(CELL), nu=b""), "pickle|damaged"),
        ("field.npz", npz(E=np.zeros((80, 80, 80)), nu=np.zeros((80, 80, 80))), "512000 voxels|unpacks to"),
        ("field.npz", zipped(E=b"\0" * 200_000_000, nu=b""), "unpacks to 191 MB"),
        ("field.npz", zipped(E=header((10**6, 10**6)), nu=header((10**6, 10**6))), "damaged|memory"),
        ("field.vti", b"<VTKFile/>", "VTI|could not be read"),
        ("field.vti", b"\x00\xff" * 100, "not a VTI"),
        ("part.stl", b"\0" * 84, "not an STL"),
        ("part.stl", b"solid nothing\nendsolid", "not an STL"),
        ("part.stl", trimesh.creation.box().export(file_type="stl")[:-50], "announces 12 triangles"),
        ("part.stl", trimesh.creation.box().export(file_type="stl_ascii")[:-20].encode(), "cut short|damaged"),
    ],
)
def test_bad_files_end_in_one_sentence(name, content, words):
    with pytest.raises(UploadError, match=words) as caught:
        read_upload(name, content)
    message = str(caught.value)
    without_units = message.replace("W/(m K)", "").replace("g/cm³", "").replace("1e-6/K", "")
    assert "/" not in without_units  # no path of the server
    assert "upload." not in message and "Traceback" not in message


def test_pickled_objects_are_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    array = np.empty((2, 2, 2), object)
    array[:] = Trap()
    with pytest.raises(UploadError, match="pickled objects"):
        read_upload("field.npz", npz(E=array, nu=CELL))
    assert not (tmp_path / "sprung").exists()


def test_a_vti_that_claims_too_much_is_refused_unread(make_design):
    content = vti_bytes(make_design(2, 16, 0.3, 0.3)).replace(b"0 16 0 16 0 1", b"0 9999 0 9999 0 9999")
    with pytest.raises(UploadError, match=r"at most 262144 are read|could not be read"):
        read_upload("huge.vti", content)


def test_a_vti_cut_short_is_damaged(make_design):
    with pytest.raises(UploadError, match=r"damaged|not a VTI"):
        read_upload("cut.vti", damaged_vti(make_design))


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("RELAXDESIGN_UPLOAD_MB", "0.001")
    monkeypatch.setenv("RELAXDESIGN_UPLOAD_VOXELS", "10")
    assert UploadLimits.from_environment() == UploadLimits(megabytes=0.001, voxels=10)
    with pytest.raises(UploadError, match=r"at most 0\.001 MB"):
        read_upload("field.npz", bytes(2000))
    monkeypatch.setenv("RELAXDESIGN_UPLOAD_MB", "1")
    with pytest.raises(UploadError, match="64 voxels; at most 10"):
        read_upload("field.npz", npz(E=CELL, nu=0.1 * CELL))
    with pytest.raises(UploadError, match="at most 10 are computed"):
        read_upload("part.stl", b"x", StlGrid(16, 2))
    monkeypatch.setenv("RELAXDESIGN_UPLOAD_SECONDS", "soon")
    with pytest.raises(ValueError, match="RELAXDESIGN_UPLOAD_SECONDS"):
        UploadLimits.from_environment()


@pytest.mark.parametrize(("dim", "grid"), [(2, 32), (3, 16)])
def test_an_exported_surface_becomes_its_voxels_again(make_design, dim, grid):
    design = make_design(dim, grid, 0.3, 0.3)
    upload = read_upload("particles.stl", stl_bytes(design, 10.0), StlGrid(grid, dim, (10.0,)))
    assert np.array_equal(upload.phase, design.labels)


def test_a_surface_tells_its_cell_and_what_could_be_meant_otherwise():
    body, nested = trimesh.creation.box([8, 8, 8]), trimesh.creation.box([4, 4, 4])
    surface = trimesh.util.concatenate([body, nested]).apply_translation([4, 4, 4])
    upload = read_upload("part.stl", surface.export(file_type="stl"), StlGrid(10, 3, (10.0, 10.0, 8.0)))
    assert upload.phase.shape == (10, 10, 8) and upload.phase.sum() == 8**3
    assert upload.labels.edge == 1.0 and upload.extent == "(0, 0, 0) to (10, 10, 8)"
    assert len(upload.warnings) == 1 and "same orientation" in upload.warnings[0]
    with pytest.raises(UploadError, match="an edge of 8 holds it"):
        read_upload("part.stl", surface.export(file_type="stl"), StlGrid(8, 3, (7.0,)))
    assert read_upload("part.stl", surface.export(file_type="stl"), StlGrid(7, 3, (7.0,), True)).phase.all()


def test_the_command_line_reads_without_limits_unless_told(tmp_path):
    path = tmp_path / "field.npz"
    path.write_bytes(npz(E=CELL, nu=0.1 * CELL, phase=(CELL > 1).astype(int)))
    assert load_field(path).E.shape == (4, 4, 4)
    assert load_labels(path).shares == {1: 1.0}
    with pytest.raises(FieldError, match="at most 63"):
        load_field(path, most_voxels=63)
