"""Bounds: their order, their limits, exact cases, and homogenized cells inside them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relaxdesign.physics.bounds import (
    bulk_bounds,
    conductivity_bounds,
    field_bounds,
    field_conductivity_bounds,
    field_shear_bounds,
    in_plane_upper_bounds,
    shear_bounds,
    two_phase_bounds,
)
from relaxdesign.physics.fem import bulk_modulus, effective_stiffness

modulus = st.floats(1e-3, 1e3)
fraction = st.floats(0.0, 1.0)


@given(modulus, modulus, modulus, modulus, fraction)
def test_bounds_are_ordered(km, gm, kp, gp, vf):
    for bounds in (
        two_phase_bounds(km, gm, kp, gp, vf),
        shear_bounds([km, kp], [gm, gp], [1.0 - vf, vf]),
        conductivity_bounds([km, kp], [1.0 - vf, vf]),
    ):
        slack = 1.0 + 1e-9
        assert bounds.reuss <= bounds.hs_lower * slack
        assert bounds.hs_lower <= bounds.hs_upper * slack
        assert bounds.hs_upper <= bounds.voigt * slack


@given(modulus, modulus, modulus, modulus)
def test_pure_phases_are_reached(km, gm, kp, gp):
    bounds = two_phase_bounds(km, gm, kp, gp, [0.0, 1.0])
    for value in (bounds.reuss, bounds.hs_lower, bounds.hs_upper, bounds.voigt):
        np.testing.assert_allclose(value, [km, kp], rtol=1e-9)


def test_hashin_shtrikman_of_a_textbook_pair():
    """Two-phase form K₁ + f₂ / (1/(K₂ - K₁) + f₁/(K₁ + 4G₁/3)), glass spheres in epoxy."""
    K1, G1, K2, G2, f2 = 5.0, 1.2, 43.0, 29.0, 0.3
    bounds = two_phase_bounds(K1, G1, K2, G2, f2)
    lower = K1 + f2 / (1.0 / (K2 - K1) + (1.0 - f2) / (K1 + 4.0 * G1 / 3.0))
    upper = K2 + (1.0 - f2) / (1.0 / (K1 - K2) + f2 / (K2 + 4.0 * G2 / 3.0))
    assert bounds.hs_lower == pytest.approx(lower, rel=1e-12)
    assert bounds.hs_upper == pytest.approx(upper, rel=1e-12)
    shear = shear_bounds([K1, K2], [G1, G2], [1.0 - f2, f2])
    lower = G1 + f2 / (1.0 / (G2 - G1) + 6.0 * (K1 + 2.0 * G1) * (1.0 - f2) / (5.0 * G1 * (3.0 * K1 + 4.0 * G1)))
    assert shear.hs_lower == pytest.approx(lower, rel=1e-12)


def test_hashin_shtrikman_of_a_textbook_conductor():
    """Two-phase form k₁ + f₂ / (1/(k₂ - k₁) + f₁/(3k₁)), Maxwell's mixture."""
    k1, k2, f2 = 0.2, 30.0, 0.4
    bounds = conductivity_bounds([k1, k2], [1.0 - f2, f2])
    assert bounds.hs_lower == pytest.approx(k1 + f2 / (1.0 / (k2 - k1) + (1.0 - f2) / (3.0 * k1)), rel=1e-12)
    assert bounds.hs_upper == pytest.approx(k2 + (1.0 - f2) / (1.0 / (k1 - k2) + f2 / (3.0 * k2)), rel=1e-12)
    assert bounds.voigt == pytest.approx(0.6 * k1 + 0.4 * k2, rel=1e-12)
    assert bounds.reuss == pytest.approx(1.0 / (0.6 / k1 + 0.4 / k2), rel=1e-12)
    field = np.array([k1, k1, k1, k2, k2]).reshape(1, 5, 1)
    assert field_conductivity_bounds(field).hs_lower == pytest.approx(float(bounds.hs_lower), rel=1e-12)


def test_equal_shear_moduli_make_the_bulk_bounds_meet():
    bounds = two_phase_bounds(20.0, 30.0, 200.0, 30.0, np.linspace(0, 1, 7))
    np.testing.assert_allclose(bounds.hs_lower, bounds.hs_upper, rtol=1e-12)


def test_pairs_and_fractions_broadcast():
    km, kp = np.array([1.0, 2.0, 3.0])[:, None], np.array([10.0, 20.0, 30.0])[:, None]
    bounds = two_phase_bounds(km, 0.5 * km, kp, 0.6 * kp, np.linspace(0.05, 0.5, 4))
    assert bounds.hs_upper.shape == (3, 4)
    one = two_phase_bounds(2.0, 1.0, 20.0, 12.0, 0.5)
    assert bounds.hs_lower[1, 3] == pytest.approx(float(one.hs_lower))


def test_absent_phases_do_not_widen_the_bounds():
    with_absent = bulk_bounds([1.0, 10.0, 500.0], [1.0, 5.0, 300.0], [0.5, 0.5, 0.0])
    without = bulk_bounds([1.0, 10.0], [1.0, 5.0], [0.5, 0.5])
    assert with_absent.hs_upper == pytest.approx(float(without.hs_upper))


def test_fields_are_mixtures_of_their_voxels():
    K = np.array([1.0, 1.0, 1.0, 9.0]).reshape(2, 2, 1)
    bounds = field_bounds(K, 0.5 * K)
    pair = two_phase_bounds(1.0, 0.5, 9.0, 4.5, 0.25)
    for name in ("reuss", "hs_lower", "hs_upper", "voigt"):
        assert getattr(bounds, name) == pytest.approx(float(getattr(pair, name)))
    assert field_bounds(np.stack([K, K]), np.stack([K, K])).voigt.shape == (2,)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    log_contrast=st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 5.0)),
    poisson_like=st.floats(0.2, 2.0),
    share=st.floats(0.1, 0.9),
    shape=st.sampled_from([(6, 6, 1), (3, 3, 3), (4, 3, 2)]),
)
def test_homogenized_cells_lie_between_reuss_and_voigt(seed, log_contrast, poisson_like, share, shape):
    mask = torch.rand(1, *shape, generator=torch.Generator().manual_seed(seed)) < share
    K = torch.where(mask, 10.0 ** log_contrast[0], 1.0).double()
    G = poisson_like * torch.where(mask, 10.0 ** log_contrast[1], 1.0).double()
    result = effective_stiffness(K, G)
    assert field_bounds(K, G).admits(result.bulk).all()
    assert field_shear_bounds(K, G).admits(result.shear).all()


@pytest.mark.parametrize("contrast", [1.0, 10.0, 1e2, 1e3, 1e5])
def test_random_cells_lie_within_hashin_shtrikman(contrast):
    """Grains of 2×2×2 voxels; grains of one voxel are too coarse for a finite element to tell the difference."""
    mask = torch.rand(4, 5, 5, 5, generator=torch.Generator().manual_seed(1)) < 0.5
    for axis in (1, 2, 3):
        mask = mask.repeat_interleave(2, axis)
    K = torch.where(mask, contrast, 1.0).double()
    bounds, value = field_bounds(K, 0.6 * K), bulk_modulus(K, 0.6 * K).value.numpy()
    assert (value >= 0.97 * bounds.hs_lower).all()
    assert (value <= 1.03 * bounds.hs_upper).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: two_phase_bounds(1, 1, 2, 2, 30), "not per cent"),
        (lambda: bulk_bounds([1.0, -2.0], [1.0, 1.0]), r"K is -2.0 at index \(1,\)"),
        (lambda: bulk_bounds([1.0, 2.0], [1.0, np.nan]), r"G is nan at index \(1,\)"),
        (lambda: bulk_bounds([1.0, 2.0], [1.0, 1.0], [0.5, 0.6]), "sum to 1"),
        (lambda: conductivity_bounds([1.0, 0.0]), r"k is 0.0 at index \(1,\); .* W/\(m K\)"),
        (lambda: field_bounds(np.ones((2, 2)), np.ones((2, 2))), r"expected \(nx, ny, nz\)"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("fraction", "k", "G"),
    [(0.2, 0.06410, 0.03153), (0.3, 0.10490, 0.05106), (0.4, 0.15385, 0.07396), (0.5, 0.21368, 0.10121)],
)
def test_upper_bounds_in_the_plane_of_a_solid_with_voids(fraction, k, G):
    """Of a solid with E = 1 and ν = 0.3."""
    found = in_plane_upper_bounds(1 / 1.2, 1 / 2.6, fraction)
    assert found == pytest.approx((k, G), abs=6e-6)
