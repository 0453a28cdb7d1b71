"""What a plane, spheres and a level set leave of a voxel."""

import numpy as np
import pytest
import torch

from relaxdesign.microstructure import FREE_FORM
from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.microstructure.shares import plane_shares


@pytest.mark.parametrize("dim", [2, 3])
def test_the_share_of_a_cut_cube_is_that_of_its_points(dim):
    generator = torch.Generator().manual_seed(3)
    slope = torch.randn(300, dim, generator=generator, dtype=torch.float64)
    depth = 0.6 * torch.randn(300, generator=generator, dtype=torch.float64)
    slope[:20, 0] = 0.0  # a plane along an axis
    parts = {2: 200, 3: 50}[dim]
    inside = torch.cartesian_prod(*[(torch.arange(parts, dtype=torch.float64) + 0.5) / parts - 0.5] * dim)
    counted = (depth + inside @ slope.T > 0).double().mean(0)
    assert float((plane_shares(depth, slope) - counted).abs().max()) < 0.012  # what points in a lattice can tell


def test_the_share_of_a_cube_cut_along_an_axis_is_its_depth():
    slope = torch.tensor([[0.0, 2.0, 0.0]], dtype=torch.float64)
    for depth in (-1.5, -0.4, 0.0, 0.7, 3.0):
        share = float(plane_shares(torch.tensor([depth], dtype=torch.float64), slope))
        assert share == pytest.approx(np.clip(0.5 + depth / 2, 0, 1), abs=2e-5)


@pytest.mark.parametrize(("dim", "grid", "diameter"), [(2, 32, 0.15), (2, 64, 0.3), (3, 32, 0.15), (3, 16, 0.4)])
def test_spheres_keep_their_volume_on_every_grid(dim, grid, diameter):
    packing = place_particles(0.3, diameter, dim, grid=grid, generator=torch.Generator().manual_seed(1))[0]
    assert float(packing.shares(grid).mean()) == pytest.approx(0.3, rel=5e-4)
    apart = (packing.shares(grid) - packing.voxelise(grid).double()).abs()
    assert float(apart.max()) < 0.8  # a voxel whose centre is inside is not nearly empty


def test_a_level_set_has_the_same_shape_on_a_finer_grid():
    labels = place_particles(0.3, 0.35, 2, grid=32, generator=torch.Generator().manual_seed(1))[0].voxelise(32)
    level = FREE_FORM.level_set(labels.numpy())
    coarse, fine = (FREE_FORM.geometry(level).shares(grid) for grid in (32, 128))
    assert float(fine.mean()) == pytest.approx(float(coarse.mean()), rel=0.01)
    together = fine.unfold(0, 4, 4).unfold(1, 4, 4).mean((-1, -2))
    assert float((together - coarse).abs().max()) < 0.2
    assert ((coarse > 0.5).numpy() == (level > 0)).mean() > 0.99


def test_shares_follow_the_interface_smoothly():
    depth = torch.linspace(-0.9, 0.9, 181, dtype=torch.float64, requires_grad=True)
    slope = torch.tensor([0.8, 0.5, 0.3], dtype=torch.float64).expand(181, 3)
    shares = plane_shares(depth, slope)
    (rate,) = torch.autograd.grad(shares.sum(), depth)
    steps = shares.detach().diff() / depth.detach().diff()
    assert torch.allclose(0.5 * (rate[1:] + rate[:-1]), steps, atol=2e-3) and float(rate.min()) >= 0.0
