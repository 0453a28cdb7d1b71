"""Round trip: design -> voxel field -> projection, with noise on the field too."""

import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.microstructure.particles.fitting import (
    FitError,
    inscribed_radii,
    project,
    project_to_single_material,
)
from relaxdesign.microstructure.particles.packing import place_particles


def field_of(labels, matrix, particle, noise, generator):
    shape = (3,) + (1,) * labels.ndim
    field = torch.where(labels[None], particle.view(shape), matrix.view(shape))
    return field + noise * torch.randn(field.shape, generator=generator, dtype=field.dtype)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(("vf", "d"), [(0.06, 0.25), (0.2, 0.15), (0.35, 0.3), (0.5, 0.15), (0.5, 0.38)])
def test_2d_round_trip(vf, d, noise):
    generator = torch.Generator().manual_seed(int(1000 * vf))
    packing = place_particles(vf, d, 2, grid=64, generator=generator)[0]
    labels = packing.voxelise(64)
    catalogue, channels = Catalogue.default(), AsinhChannels()
    values = channels.encode(catalogue.properties, axis=-1)
    matrix, particle = (
        next(i for i, m in enumerate(catalogue.materials) if m.category == c) for c in ("polymer", "ceramic")
    )
    projection = project(field_of(labels, values[matrix], values[particle], noise, generator))
    assert torch.equal(torch.from_numpy(projection.labels), labels) or noise
    assert abs(projection.volume_fraction - float(labels.double().mean())) < (1e-12 if noise == 0 else 2e-3)
    assert abs(projection.diameter - packing.diameter) < 1 / 64
    found = torch.stack((projection.matrix, projection.particle))
    _, nearest = catalogue.nearest(channels, found)
    if noise == 0:
        assert nearest[:, 0].tolist() == [matrix, particle]
    assert projection.within_phase_deviation == pytest.approx(noise, abs=0.01)


@pytest.mark.parametrize(("vf", "d"), [(0.1, 0.3), (0.3, 0.3), (0.5, 0.4)])
def test_3d_round_trip(vf, d):
    generator = torch.Generator().manual_seed(1)
    packing = place_particles(vf, d, 3, grid=32, generator=generator)[0]
    labels = packing.voxelise(32)
    projection = project(field_of(labels, torch.full((3,), -0.5), torch.full((3,), 0.5), 0.05, generator))
    assert (projection.particle > 0).all()
    assert abs(projection.diameter - packing.diameter) < 1 / 32


@pytest.mark.parametrize("dim", [2, 3])
def test_blurred_interfaces_do_not_hide_the_materials(dim):
    """Every interface across x is a blend: the phases keep their values, although a mean over them would not."""
    generator = torch.Generator().manual_seed(2)
    grid = 64 if dim == 2 else 32
    labels = place_particles(0.15, 0.35, dim, grid=grid, generator=generator)[0].voxelise(grid)
    sharp = field_of(labels, torch.full((3,), -0.6), torch.full((3,), 0.5), 0.0, generator)
    blurred = 0.6 * sharp + 0.2 * sharp.roll(1, 1) + 0.2 * sharp.roll(-1, 1)
    found = project(blurred)
    torch.testing.assert_close(found.matrix, torch.full((3,), -0.6).double(), rtol=0, atol=1e-5)
    torch.testing.assert_close(found.particle, torch.full((3,), 0.5).double(), rtol=0, atol=1e-5)
    assert (blurred[:, labels].mean(1) - 0.5).abs().min() > 0.02
    assert abs(found.volume_fraction - float(labels.double().mean())) < 0.01  # not all blends on one side


def test_the_stiffer_phase_is_not_assumed_to_be_the_particles():
    generator = torch.Generator().manual_seed(3)
    labels = place_particles(0.4, 0.25, 2, grid=64, generator=generator)[0].voxelise(64)
    soft = project(field_of(labels, torch.full((3,), 0.5), torch.full((3,), -0.5), 0.02, generator))
    assert (soft.particle < 0).all() and abs(soft.volume_fraction - 0.4) < 0.02


def test_projection_does_not_depend_on_where_the_periodic_cell_is_cut():
    generator = torch.Generator().manual_seed(4)
    labels = place_particles(0.3, 0.3, 2, grid=64, generator=generator)[0].voxelise(64)
    field = field_of(labels, torch.full((3,), 0.5), torch.full((3,), -0.5), 0.0, generator)
    reference = project(field)
    for shift in ((13, 0), (32, 32), (5, 50)):
        moved = project(field.roll(shift, (1, 2)))
        assert moved.volume_fraction == reference.volume_fraction
        assert moved.diameter == pytest.approx(reference.diameter, abs=1e-9)


def test_each_particle_is_counted_once():
    packing = place_particles(0.45, 0.2, 2, grid=64, generator=torch.Generator().manual_seed(5))[0]
    radii = inscribed_radii(packing.voxelise(64).numpy())
    assert len(radii) == len(packing.centres)


def test_homogeneous_and_shapeless_fields_are_refused_with_the_reason():
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(FitError, match="homogeneous"):
        project(0.3 + 0.001 * torch.randn(3, 64, 64, generator=generator))
    with pytest.raises(FitError, match="speckle"):
        project(torch.randn(3, 64, 64, generator=generator))
    stripes = torch.zeros(3, 64, 64)
    stripes[:, :, ::4], stripes[:, :, 1::4] = 0.8, 0.8
    stripes[:, 20:, :] = 0.8
    with pytest.raises(FitError, match="particles"):
        project(stripes)


def test_a_field_without_phases_counts_as_its_mean_material():
    field = 0.3 + 0.001 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    projection = project_to_single_material(field)
    assert projection.homogeneous
    torch.testing.assert_close(projection.matrix, torch.full((3,), 0.3, dtype=torch.float64), atol=1e-3, rtol=0)
    assert torch.equal(projection.matrix, projection.particle)
