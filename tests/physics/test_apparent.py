"""Estimates for cells that do not repeat: their order, and what is exact."""

import numpy as np
import pytest

from relaxdesign.physics.apparent import embedded, estimates, mirrored
from relaxdesign.physics.effective_properties import evaluate
from relaxdesign.physics.voxel_fields import VoxelFields

TOL = 1e-7


def blocks(n: int = 12, nz: int = 1) -> VoxelFields:
    """Blocks of 2 or 200 GPa at random, of three voxels, that do not repeat."""
    stiff = np.kron(np.random.default_rng(1).integers(0, 2, (n // 3, n // 3, max(1, nz // 3))), np.ones((3, 3, 3)))
    stiff = stiff[:, :, :nz] > 0.5
    return VoxelFields(np.where(stiff, 200.0, 2.0), np.where(stiff, 0.2, 0.35))


def test_the_frame_of_a_homogeneous_cell_does_not_count():
    data = VoxelFields(np.full((6, 6, 6), 70.0), np.full((6, 6, 6), 0.33))
    exact = evaluate(data, tol=TOL).C
    assert np.allclose(embedded(data, tol=TOL).C, exact, rtol=1e-5, atol=1e-5 * exact.max())
    assert np.allclose(embedded(data, (5.0, 3.0), tol=TOL).C, exact, rtol=1e-5, atol=1e-5 * exact.max())
    with pytest.raises(ValueError, match="a frame of void carries no load"):
        embedded(data, (0.0, 0.0))


def test_displacements_of_the_surface_are_an_upper_estimate_and_softer_frames_give_less():
    data = blocks()
    found, periodic = estimates(data, tol=TOL), evaluate(data, tol=TOL)
    kubc = found["kubc"].C
    own, soft = embedded(data, tol=TOL), embedded(data, (1.0, 0.5), tol=TOL)
    for other in (periodic.C, found["mirrored"].C):
        assert np.linalg.eigvalsh(kubc - other).min() > -1e-6 * kubc.max()
    assert soft.values["K"] < own.values["K"] < found["kubc"].bulk
    assert own.frame == pytest.approx((own.values["K"], own.values["G"]), rel=2e-4) and 1 < own.rounds < 20


def test_a_mirrored_cell_is_orthotropic_and_repeats():
    data = mirrored(blocks(6, 3))
    assert data.E.shape == (12, 12, 6) and (data.E[0] == data.E[-1]).all()
    C = evaluate(data, tol=TOL).C
    assert abs(C[:3, 3:]).max() < 1e-5 * C.max()
