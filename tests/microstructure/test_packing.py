"""Placement and voxelisation of equal particles in the periodic cell."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from relaxdesign.microstructure.particles.packing import (
    Packing,
    PlacementError,
    particle_count,
    particle_diameter,
    place_particles,
    random_cells,
)


@settings(max_examples=40, deadline=None)
@given(vf=st.floats(0.05, 0.5), d=st.floats(0.15, 0.4), seed=st.integers(0, 1000))
def test_discs_never_overlap_and_fill_the_fraction_exactly(vf, d, seed):
    packing = place_particles(vf, d, 2, grid=64, generator=torch.Generator().manual_seed(seed))[0]
    assert packing.volume_fraction == pytest.approx(vf, rel=1e-9)
    assert packing.largest_size() >= packing.diameter * (1 - 1e-6)
    assert 0.149 < packing.diameter < 0.401


@pytest.mark.parametrize(("vf", "d"), [(0.05, 0.4), (0.3, 0.2), (0.5, 0.15), (0.5, 0.4)])
def test_spheres_never_overlap_up_to_half_the_volume(vf, d):
    packing = place_particles(vf, d, 3, grid=32, generator=torch.Generator().manual_seed(1))[0]
    assert packing.volume_fraction == pytest.approx(vf, rel=1e-9)
    assert packing.largest_size() >= packing.diameter * (1 - 1e-6)


def test_voxels_carry_the_volume_fraction_and_wrap_around():
    corner = Packing(torch.zeros(1, 2, dtype=torch.float64), 0.4)
    labels = corner.voxelise(64)
    assert labels[0, 0] and labels[-1, 0] and labels[0, -1] and labels[-1, -1] and not labels[32, 32]
    assert torch.equal(labels, labels.flip(0)) and torch.equal(labels, labels.T)
    assert float(labels.double().mean()) == pytest.approx(math.pi * 0.04, rel=0.02)


def test_volume_fraction_converges_with_the_grid():
    packing = place_particles(0.3, 0.3, 2, grid=64, generator=torch.Generator().manual_seed(3))[0]
    errors = [abs(float(packing.voxelise(n).double().mean()) - 0.3) for n in (16, 64, 256, 1024)]
    assert errors[-1] < 2e-4 and errors[-1] < errors[0]


def test_batched_cells_match_the_requested_fractions():
    generator = torch.Generator().manual_seed(0)
    vf = 0.05 + 0.45 * torch.rand(300, generator=generator)
    d = 0.15 + 0.25 * torch.rand(300, generator=generator)
    labels = random_cells(vf, d, 64, 2, generator=generator)
    assert labels.shape == (300, 64, 64)
    share = labels.double().mean((1, 2))
    assert (share - vf).abs().max() < 0.01
    assert abs(float((share - vf).mean())) < 5e-4


def test_same_seed_same_placement():
    first, second = (
        place_particles(0.3, 0.2, 2, grid=64, count=2, generator=torch.Generator().manual_seed(5)) for _ in range(2)
    )
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.centres, b.centres)


def test_centres_are_uniform_over_the_cell():
    cells = place_particles(0.2, 0.2, 2, grid=64, count=400, generator=torch.Generator().manual_seed(2))
    centres = torch.cat([cell.centres for cell in cells])
    counts = torch.histc(centres[:, 0], 8, 0, 1)
    expected = len(centres) / 8
    assert float(((counts - expected) ** 2 / expected).sum()) < 24.3  # χ², 7 degrees of freedom, p = 0.001


@pytest.mark.parametrize(("dim", "grid", "vf"), [(2, 64, 0.35), (3, 32, 0.3)])
def test_neighbours_share_no_node_on_the_grid(dim, grid, vf):
    packing = place_particles(vf, 0.3, dim, grid=grid, generator=torch.Generator().manual_seed(4))[0]
    labels = packing.voxelise(grid).numpy()
    # Particles cut by the faces of the cell count twice: look at a 2x2(x2) tiling and count by area.
    tiled = np.tile(labels, (2,) * dim)
    _, parts = label(tiled, structure=np.ones((3,) * dim))
    assert parts >= len(packing.centres) * 2**dim


def test_the_densest_cells_can_still_be_placed():
    for dim, grid in ((2, 64), (3, 32)):
        packing = place_particles(0.5, 0.4, dim, grid=grid, count=20, generator=torch.Generator().manual_seed(4))[0]
        assert packing.volume_fraction == pytest.approx(0.5)


def test_impossible_requests_are_refused_with_the_reason():
    generator = torch.Generator()
    with pytest.raises(PlacementError, match="too dense"):
        place_particles(0.7, 0.2, 2, grid=64, generator=generator)
    with pytest.raises(PlacementError, match=r"outside 0\.15…0\.4"):
        place_particles(0.3, 0.6, 2, grid=64, generator=generator)
    with pytest.raises(PlacementError, match="below the smallest"):
        place_particles(0.01, 0.2, 2, grid=64, generator=generator)
    with pytest.raises(PlacementError, match="dim must be 2 or 3"):
        place_particles(0.3, 0.2, 4, grid=32, generator=generator)


def test_count_and_diameter_are_consistent_for_tensors():
    vf, d = torch.linspace(0.05, 0.5, 50), torch.linspace(0.15, 0.4, 50)
    for dim in (2, 3):
        count = particle_count(vf, d, dim)
        exact = particle_diameter(vf.double(), count, dim)
        assert (count >= 1).all() and (exact > 0.149).all() and (exact < 0.401).all()


@pytest.mark.parametrize(("dim", "grid", "vf", "d"), [(2, 32, 0.45, 0.15), (2, 64, 0.2, 0.4), (3, 32, 0.4, 0.17)])
def test_shares_of_voxels_carry_the_exact_volume_fraction(dim, grid, vf, d):
    packing = place_particles(vf, d, dim, grid=grid, generator=torch.Generator().manual_seed(5))[0]
    shares = packing.shares(grid)
    assert shares.shape == (grid,) * dim and float(shares.min()) >= 0 and float(shares.max()) <= 1
    assert float(shares.mean()) == pytest.approx(vf, rel=5e-4)
    sure = (shares == 0) | (shares == 1)
    assert torch.equal(packing.voxelise(grid)[sure], shares[sure] == 1)


def test_shares_move_with_the_particles_and_wrap_around():
    packing = Packing(torch.tensor([[0.03, 0.41, 0.97]], dtype=torch.float64), 0.3)
    moved = Packing(packing.centres + torch.tensor([1.0, -2.0, 3.0]) / 16, 0.3)
    torch.testing.assert_close(moved.shares(16), packing.shares(16).roll((1, -2, 3), (0, 1, 2)), atol=1e-9, rtol=0)
