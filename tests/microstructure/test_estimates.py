"""Closed-form estimates against exact relations and against the evaluator."""

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.estimates import estimate_stiffness, pair_estimates
from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.physics.bounds import two_phase_bounds
from relaxdesign.physics.fem import bulk_modulus
from relaxdesign.study.attainable import attainable


def test_spheres_are_the_hashin_shtrikman_bound_with_the_matrix_as_reference():
    soft, stiff, vf = (10.0, 5.0), (200.0, 80.0), np.linspace(0, 1, 11)
    lower = two_phase_bounds(*soft, *stiff, vf).hs_lower
    upper = two_phase_bounds(*stiff, *soft, vf).hs_upper
    np.testing.assert_allclose(estimate_stiffness(*soft, *stiff, vf, 3).bulk, lower, rtol=1e-12)
    np.testing.assert_allclose(estimate_stiffness(*stiff, *soft, vf, 3).bulk, upper, rtol=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_limits_are_the_phases_and_equal_phases_change_nothing(dim):
    assert estimate_stiffness(10, 5, 200, 80, 0.0, dim).bulk == pytest.approx(10)
    assert estimate_stiffness(10, 5, 200, 80, 1.0, dim).bulk == pytest.approx(200)
    assert estimate_stiffness(70, 26, 70, 26, 0.3, dim).bulk == pytest.approx(70)


def test_equal_shear_moduli_obey_hill_exactly_in_both_dimensions():
    """Hill 1963: with one G everywhere, 1/(K + 4G/3) averages, whatever the geometry."""
    exact = 1 / (0.7 / (20 + 40) + 0.3 / (200 + 40)) - 40
    for dim in (2, 3):
        assert estimate_stiffness(20, 30, 200, 30, 0.3, dim).bulk == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("matrix", "particle"),
    [
        ((3.0, 1.2), (400.0, 160.0)),
        ((160.0, 80.0), (5.0, 2.0)),
        ((0.15, 1.25), (3.9, 1.3)),  # auxetic, ν = -0.6
        ((20.0, 15.0), (0.15, 1.25)),
        ((1.0, 1.5), (20.0, 30.0)),  # ν = 0
    ],
)
def test_cylinders_bound_simulated_cells_closely(matrix, particle):
    """The assemblage is the lower bound for stiff and the upper bound for soft cylinders."""
    packings = place_particles(0.25, 0.2, 2, grid=64, count=4, generator=torch.Generator().manual_seed(0))
    phase = torch.stack([p.voxelise(64) for p in packings])[..., None]
    K, G = (torch.where(phase, float(p), float(m)).double() for m, p in zip(matrix, particle, strict=True))
    simulated = float(bulk_modulus(K, G, tol=1e-5).value.mean())
    estimate = float(estimate_stiffness(*matrix, *particle, 0.25, 2).bulk)
    if particle[0] > matrix[0]:
        assert estimate < simulated < 1.2 * estimate
    else:
        assert 0.8 * estimate < simulated < estimate


def test_reachable_interval_lies_inside_the_catalogue_and_needs_two_materials():
    catalogue = Catalogue.default().select()
    bulk = catalogue.properties.bulk
    for dim in (2, 3):
        ((low, high),) = attainable(catalogue, dim, "K")
        assert float(bulk.min()) < low < 0.01 and 300 < high < float(bulk.max())
    with pytest.raises(ValueError, match="two materials"):
        attainable(Catalogue(catalogue.materials[:1]), 2, "K")


def test_pair_estimates_are_monotone_in_the_volume_fraction():
    """Root finding relies on it: between phases of ordered stiffness K moves one way only."""
    metals = Catalogue.default().select(categories=["metal"])
    values = pair_estimates(metals, np.linspace(0.05, 0.5, 10), 3, "K")
    stiffer = metals.properties.bulk[None, :] > metals.properties.bulk[:, None]
    steps = np.diff(values, axis=0)
    assert (steps[:, stiffer.numpy()] > 0).all()
