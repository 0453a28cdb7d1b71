"""Local fields in VTI files: read back by PyVista, tensors in VTK's order, warping deforms the cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relaxdesign.export import write_fields_vti
from relaxdesign.io.fields import load_field
from relaxdesign.physics.fem import local_fields

pyvista = pytest.importorskip("pyvista")

SHAPES = [(4, 3, 5), (5, 4, 1)]
FROM_VOIGT = [0, 1, 2, 5, 3, 4]  # xx yy zz yz xz xy -> XX YY ZZ XY YZ XZ


def solve(shape, strain=(0.1, -0.2, 0.3, 0.4, 0.5, 0.6)):
    generator = torch.Generator().manual_seed(5)
    K, G = (1.0 + 20.0 * torch.rand(2, *shape, generator=generator, dtype=torch.float64) for _ in "ab")
    return local_fields(K, G, torch.tensor(strain, dtype=torch.float64))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fields.vti"


@pytest.mark.parametrize("shape", SHAPES)
def test_voxel_values_return_exactly(shape, path):
    fields = solve(shape)
    write_fields_vti(path, fields, sample=1)
    image = pyvista.read(path)
    assert image.dimensions == tuple(n + 1 for n in shape)

    def voxels(name):
        return np.asarray(image.cell_data[name]).reshape(*shape, -1, order="F")

    for name, field in (
        ("von_mises", fields.von_mises),
        ("pressure", fields.pressure),
        ("energy_density", fields.energy),
    ):
        assert np.array_equal(voxels(name)[..., 0], field[1].numpy())
    stress, strain = (np.moveaxis(field[1].numpy(), 0, -1)[..., FROM_VOIGT] for field in (fields.stress, fields.strain))
    assert np.array_equal(voxels("stress"), stress)
    assert np.array_equal(voxels("strain"), strain * [1, 1, 1, 0.5, 0.5, 0.5])
    # so that the products of tensors are what VTK's filters compute: σ:ε with both shears
    doubled = np.array([1, 1, 1, 2, 2, 2])
    work = (fields.stress * fields.strain)[1].sum(0).numpy()
    assert (voxels("stress") * voxels("strain") * doubled).sum(-1) == pytest.approx(work, rel=1e-12)
    assert image.field_data["macroscopic_strain"] == pytest.approx(fields.macroscopic_strain[1].numpy())


def test_components_have_the_names_that_readers_expect(path):
    write_fields_vti(path, solve((2, 2, 2)))
    array = pyvista.read(path).GetCellData().GetArray("stress")
    assert [array.GetComponentName(n) for n in range(6)] == ["XX", "YY", "ZZ", "XY", "YZ", "XZ"]


@pytest.mark.parametrize("shape", SHAPES)
def test_warping_by_the_displacement_deforms_the_cell(shape, path):
    """The corners move as the macroscopic strain says, in the file's unit of length."""
    fields = solve(shape)
    edge = 0.25
    write_fields_vti(path, fields, edge=edge, title="a cell")
    image = pyvista.read(path)
    assert image.spacing == (edge,) * 3
    warped = image.warp_by_vector("displacement")
    xx, yy, zz, yz, xz, xy = fields.macroscopic_strain[0].tolist()
    strain = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    far = edge * np.array(shape)
    moved = warped.points[-1] - warped.points[0]  # the last point is the far corner, the first the origin
    assert moved == pytest.approx((np.eye(3) + strain) @ far, rel=1e-9)
    assert "a cell" in str(image.field_data["name"])


def test_the_file_is_itself_a_field_if_it_is_given_one(path):
    shape = (4, 3, 5)
    young = np.random.default_rng(1).uniform(1, 9, shape)
    write_fields_vti(path, solve(shape), voxels={"E": young, "nu": np.full(shape, 0.3)}, edge=0.5)
    again = load_field(path)
    assert np.array_equal(again.E, young)
    assert again.edge == 0.5


def test_what_cannot_be_written_says_why(tmp_path, path, capfd):
    fields = solve((2, 2, 2))
    with pytest.raises(OSError, match="cannot be written"):
        write_fields_vti(tmp_path / "gone" / "fields.vti", fields)
    generator = torch.Generator().manual_seed(1)
    K = 1.0 + torch.rand(1, 6, 6, 6, generator=generator, dtype=torch.float64)
    failed = local_fields(K, K, "xx", max_iterations=1, raise_on_failure=False)
    with pytest.raises(ValueError, match="sample 0 has no solution to write: the iteration limit"):
        write_fields_vti(path, failed)
    assert not path.exists()
    assert capfd.readouterr().err == ""  # VTK does not write beside us
