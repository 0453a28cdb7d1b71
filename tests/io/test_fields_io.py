"""Reading of fields: what is accepted, and that every refusal says what to do."""

from __future__ import annotations

import numpy as np
import pytest
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

from relaxdesign.io.fields import FieldError, load_field

SHAPE = (3, 4, 5)
E = np.linspace(1, 2, 60).reshape(SHAPE)
NU = np.full(SHAPE, 0.3)


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "field.npz"
        np.savez(path, **arrays)
        return path

    return save


@pytest.fixture
def save_vti(tmp_path):
    def save(arrays, shape=SHAPE, spacing=(0.5, 0.5, 0.5), points=False):
        image = vtkImageData()
        image.SetDimensions(*(n if points else n + 1 for n in shape))
        image.SetSpacing(*spacing)
        for name, values in arrays.items():
            array = numpy_to_vtk(values.ravel(order="F"), deep=True)
            array.SetName(name)
            (image.GetPointData() if points else image.GetCellData()).AddArray(array)
        path = tmp_path / "field.vti"
        writer = vtkXMLImageDataWriter()
        writer.SetFileName(str(path))
        writer.SetInputData(image)
        writer.Write()
        return path

    return save


def test_npz(save):
    field = load_field(save(E=E.astype(np.float32), nu=NU, rho=np.ones(SHAPE, int), other=np.zeros(2)))
    assert field.E.dtype == field.nu.dtype == np.float64
    assert field.E.shape == SHAPE
    assert np.array_equal(field.E, E.astype(np.float32))
    assert field.rho is not None and field.rho.dtype == np.float64
    assert field.k is None and field.edge is None


def test_conductivity_is_read_where_there_is_one(save, save_vti):
    k = np.linspace(0.1, 400, 60).reshape(SHAPE)
    for path in (save(E=E, nu=NU, k=k), save_vti({"E": E, "nu": NU, "k": k})):
        assert np.array_equal(load_field(path).k, k)


def test_npz_without_density_and_in_2d(save):
    field = load_field(save(E=E[..., 0], nu=NU[..., 0]))
    assert field.E.shape == (3, 4, 1)
    assert field.rho is None


def test_fortran_ordered_arrays_keep_their_axes(save):
    assert np.array_equal(load_field(save(E=np.asfortranarray(E), nu=NU)).E, E)


def test_vti(save_vti):
    field = load_field(save_vti({"E": E, "nu": NU.astype(np.float32)}))
    assert np.array_equal(field.E, E)
    assert field.nu.dtype == np.float64
    assert field.rho is None
    assert field.edge == 0.5


def test_vti_one_voxel_thick_may_have_any_thickness(save_vti):
    flat = (6, 5, 1)
    field = load_field(save_vti({"E": np.ones(flat), "nu": np.full(flat, 0.2)}, flat, (1.0, 1.0, 0.1)))
    assert field.E.shape == flat


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"E": E}, "no array nu.*found: E"),
        ({"young": E}, "no array E and nu.*found: young"),
        ({"E": E, "nu": NU[:2]}, r"nu has shape \(2, 4, 5\), E has \(3, 4, 5\)"),
        ({"E": E[None], "nu": NU[None]}, r"E has shape \(1, 3, 4, 5\), expected"),
        ({"E": E[:0], "nu": NU[:0]}, "expected"),
        ({"E": np.where(E[1, 2, 3] == E, np.nan, E), "nu": NU}, r"E is nan at voxel \(1, 2, 3\)"),
        ({"E": E, "nu": np.where(E[0, 0, 1] == E, np.inf, NU)}, r"nu is inf at voxel \(0, 0, 1\)"),
        ({"E": E, "nu": NU, "rho": NU - 1}, r"rho is -0.7 at voxel \(0, 0, 0\).*density"),
        ({"E": E, "nu": NU, "k": NU - 0.3}, r"k is 0.0 at voxel \(0, 0, 0\).*conductivity > 0"),
        ({"E": E, "nu": NU, "k": NU[..., 0]}, r"k has shape \(3, 4\), E has \(3, 4, 5\)"),
        ({"E": E * 1j, "nu": NU}, "type complex128, expected real numbers"),
        ({"E": E.astype(str), "nu": NU}, "expected real numbers"),
        ({"E": E.astype(object), "nu": NU}, "pickled objects"),
    ],
)
def test_bad_npz(save, arrays, message):
    with pytest.raises(FieldError, match=message):
        load_field(save(**arrays))


def test_files_that_are_no_fields(tmp_path):
    with pytest.raises(FieldError, match=r"gone\.npz: there is no such file"):
        load_field(tmp_path / "gone.npz")
    with pytest.raises(FieldError, match=r"unknown kind of file '\.csv'"):
        load_field(tmp_path / "table.csv")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(FieldError, match="not a file"):
        load_field(tmp_path / "folder.npz")
    for name, message in (("text.npz", "not an .npz file"), ("text.vti", "not a VTI file")):
        (tmp_path / name).write_text("hello")
        with pytest.raises(FieldError, match=message):
            load_field(tmp_path / name)


def test_damaged_files(save, save_vti, capfd):
    path = save(E=E, nu=NU)
    content = path.read_bytes()
    place = content.index(b"NUMPY") + 200  # inside the numbers of the first array
    path.write_bytes(content[:place] + bytes(20) + content[place + 20 :])
    with pytest.raises(FieldError, match="damaged"):
        load_field(path)
    path = save_vti({"E": E, "nu": NU})
    content = path.read_bytes()
    for cut in (len(content) // 2, len(content) - 60):
        path.write_bytes(content[:cut])
        with pytest.raises(FieldError, match="damaged"):
            load_field(path)
    assert capfd.readouterr().err == ""  # VTK does not write beside us


def test_vti_that_is_no_field(save_vti):
    with pytest.raises(FieldError, match=r"must be cubes, the spacing is \(0\.5, 0\.5, 0\.505\)"):
        load_field(save_vti({"E": E, "nu": NU}, spacing=(0.5, 0.5, 0.505)))
    with pytest.raises(FieldError, match="no array nu"):
        load_field(save_vti({"E": E}))
    with pytest.raises(FieldError, match="given at points"):
        load_field(save_vti({"E": E, "nu": NU}, points=True))


def test_voxels_that_are_no_cubes_are_divided_into_cubes(save_vti):
    """Trial 13: edges of 1, 1, 2.5 make 2 x 2 x 5 cubes of every voxel, and no shape changes."""
    data = load_field(save_vti({"E": E, "nu": NU}, spacing=(1.0, 1.0, 2.5)))
    assert data.E.shape == (6, 8, 25) and data.edge == pytest.approx(0.5)
    assert (data.E[::2, ::2, ::5] == E).all() and (data.E[1::2, 1::2, 4::5] == E).all()
    with pytest.raises(FieldError, match="must be cubes"):
        load_field(save_vti({"E": E, "nu": NU}, spacing=(1.0, 1.0, 2.5)), most_voxels=100)
