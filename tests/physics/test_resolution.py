"""Warnings of grids that cannot carry their cell: for checkers and dust, never for resolved shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.physics.effective_properties import evaluate
from relaxdesign.physics.resolution import crossings, grid_warnings, share_alone, share_touching
from relaxdesign.physics.voxel_fields import VoxelFields


def two_phase(labels: np.ndarray, contrast: float, *, k: bool = False) -> VoxelFields:
    E = np.where(labels, contrast, 1.0)
    return VoxelFields(E, np.full(E.shape, 0.3), k=E if k else None)


def checkers(count: int, size: int, dim: int = 2) -> np.ndarray:
    index = np.indices((count, count, count if dim == 3 else 1))
    return (index // size).sum(axis=0) % 2 == 1


@pytest.mark.parametrize("dim", [2, 3])
def test_checkers_of_one_voxel_are_warned_of(dim):
    """K above its Hashin–Shtrikman bound in no iterations; refined, it falls to less than half and below the bound."""
    labels = checkers(4, 1, dim)
    solved = evaluate(two_phase(labels, 1e6, k=True))
    assert solved.iterations == 0 and solved.bulk > 1.5 * float(solved.bulk_bounds.hs_upper)
    told = "\n".join(solved.warnings)
    assert "100 % of the voxels are details of a single voxel in E (contrast 1e+06)" in told
    assert "K = " in told and "above its Hashin–Shtrikman bound" in told and "repeat every voxel" in told
    assert "single voxel in k" in told and "k = " in told
    fine = labels.repeat(4, 0).repeat(4, 1).repeat(4 if dim == 3 else 1, 2)
    refined = evaluate(two_phase(fine, 1e6), tol=1e-4)
    assert refined.bulk < 0.6 * solved.bulk and refined.bulk < float(refined.bulk_bounds.hs_upper)


def test_larger_checkers_touch_at_corners():
    """Of the blocks at interfaces 1 of 3 and 1 of 7; half of the blocks have a single voxel of their own in neither."""
    for size, share in ((2, 1 / 3), (4, 1 / 7)):
        E = np.where(checkers(16, size), 10.0, 1.0)
        assert share_alone(E) == 0.0
        assert share_touching(E) == pytest.approx(share)
        assert "touch across an edge" in grid_warnings("E", E)[0]
    assert not grid_warnings("E", np.where(checkers(16, 2), 4.0, 1.0)), "a small contrast"


def test_layers_of_one_voxel_are_exact_and_not_warned_of():
    layers = np.arange(8).reshape(8, 1, 1).repeat(8, 1).repeat(8, 2) % 2 == 1
    solved = evaluate(two_phase(layers, 1e4, k=True))
    assert not solved.warnings
    assert solved.conduction is not None
    assert 1 / solved.conduction.tensor[0, 0] == pytest.approx((1 + 1e-4) / 2, rel=1e-6)


@pytest.mark.parametrize("values", [np.ones((1, 1, 1)), np.full((4, 1, 1), 2.0), np.full((3, 3, 3), 5.0)])
def test_homogeneous_cells_are_resolved(values):
    assert not grid_warnings("E", values)


@pytest.mark.parametrize(
    ("dim", "grid", "fraction", "diameter"),
    [(2, 64, 0.3, 0.25), (2, 64, 0.5, 0.15), (3, 32, 0.3, 0.25), (3, 32, 0.45, 0.2), (3, 32, 0.5, 0.15)],
)
def test_discs_and_spheres_on_the_usual_grids_are_not_warned_of(dim, grid, fraction, diameter):
    generator = torch.Generator().manual_seed(1)
    packing = place_particles(fraction, diameter, dim, grid=grid, generator=generator)[0]
    labels = packing.voxelise(grid).numpy().reshape(grid, grid, -1) > 0
    for contrast in (100.0, 0.01):
        assert not grid_warnings("E", np.where(labels, contrast, 1.0))


def test_averages_of_exact_laminates_obey_the_bounds():
    """Far from isotropic and exact on any grid: what leaves the bounds is the grid's error."""
    random = np.random.default_rng(4)
    for _ in range(6):
        E = np.exp(random.uniform(-4, 4, (1, 1, 6)))
        solved = evaluate(VoxelFields(E, random.uniform(-0.5, 0.45, E.shape)))
        for value, bounds in ((solved.bulk, solved.bulk_bounds), (solved.shear, solved.shear_bounds)):
            assert float(bounds.hs_lower) * (1 - 1e-7) <= value <= float(bounds.hs_upper) * (1 + 1e-7)
        assert not solved.warnings


def test_kubc_may_pass_the_bounds_unwarned():
    slab = np.zeros((6, 6, 1), bool)
    slab[1:5, 1:5] = True
    assert not [text for text in evaluate(two_phase(~slab, 50.0), boundary="kubc").warnings if "Hashin" in text]


def test_a_checkerboard_of_large_fields_crosses_at_its_corners_and_a_step_does_not():
    board = np.kron([[1.0, 100.0], [100.0, 1.0]], np.ones((12, 12)))[..., None]
    ((*axes, blocks),) = crossings(board)
    assert axes == [0, 1] and blocks[:, :2].tolist() == [[11, 11], [11, 23], [23, 11], [23, 23]]
    assert "meet crosswise in 4 place(s) in E" in grid_warnings("E", board)[0]
    in_3d = np.tile(board, (1, 1, 4))
    assert sum(len(blocks) for *_, blocks in crossings(in_3d)) == 16
    step = np.where(np.add.outer(np.arange(16), np.arange(16)) % 16 < 8, 100.0, 1.0)[..., None]
    assert not any(len(blocks) for *_, blocks in crossings(step)) and not grid_warnings("E", step)
