"""Gradients against central differences of independent solves, and against autograd's own check."""

import pytest
import torch

from relaxdesign.physics.fem import bulk_modulus, check_gradient, effective_bulk_modulus, effective_stiffness
from relaxdesign.physics.fem.gradients import CHANNELS

from .cells import ball, random_moduli, two_phase

SHAPES = [(4, 5, 3), (6, 5, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_bulk_modulus_in_every_channel(shape, generator):
    checks = check_gradient(*random_moduli((1, *shape), generator))
    assert set(checks) == set(CHANNELS)
    for check in checks.values():
        assert check.error < 1e-6, check


@pytest.mark.parametrize("shape", SHAPES)
def test_any_function_of_the_stiffness_in_every_channel(shape, generator):
    weights = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    checks = check_gradient(
        *random_moduli((1, *shape), generator),
        output=lambda result: (weights * result.C).sum((1, 2)) + result.directional_young[:, 0],
    )
    for check in checks.values():
        assert check.error < 1e-6, check


def test_bulk_modulus_at_contrast_130():
    K, G = two_phase(ball(8, 0.3, dim=2))
    for check in check_gradient(K, G).values():
        assert check.error < 1e-6, check


@pytest.mark.parametrize(("shape", "every_entry"), [((4, 4, 1), True), ((4, 4, 4), False)])
def test_gradcheck_bulk(shape, every_entry, generator):
    """Every entry of the Jacobian in 2D, its products with random vectors in 3D."""
    inputs = [m.requires_grad_() for m in random_moduli((1, *shape), generator)]

    def function(K, G):
        return effective_bulk_modulus(K, G, tol=1e-12)

    assert torch.autograd.gradcheck(function, inputs, eps=1e-4, atol=1e-8, rtol=1e-6, fast_mode=not every_entry)


def test_gradcheck_stiffness(generator):
    inputs = [m.requires_grad_() for m in random_moduli((1, 4, 4, 4), generator)]

    def function(K, G):
        return effective_stiffness(K, G, tol=1e-12).C

    assert torch.autograd.gradcheck(function, inputs, eps=1e-4, atol=1e-8, rtol=1e-6, fast_mode=True)


def test_autograd_returns_the_explicit_gradient(generator):
    K, G = (m.requires_grad_() for m in random_moduli((2, 6, 6, 1), generator))
    weights = torch.tensor([2.0, -3.0], dtype=torch.float64)
    (weights * effective_bulk_modulus(K, G)).sum().backward()
    result = bulk_modulus(K, G)
    scale = weights[:, None, None, None]
    torch.testing.assert_close(K.grad, scale * result.gradient_bulk)
    torch.testing.assert_close(G.grad, scale * result.gradient_shear)


def test_stiffness_and_bulk_modulus_share_their_gradient(generator):
    K, G = (m.requires_grad_() for m in random_moduli((2, 4, 4, 4), generator))
    effective_stiffness(K, G, tol=1e-11).bulk.sum().backward()
    result = bulk_modulus(K, G, tol=1e-11)
    torch.testing.assert_close(K.grad, result.gradient_bulk, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(G.grad, result.gradient_shear, rtol=1e-9, atol=1e-12)


def test_value_error_is_second_order_in_the_residual():
    """A hundred times smaller residual gives a value about ten thousand times better."""
    K, G = two_phase(ball(16, 0.3))
    exact = bulk_modulus(K, G, tol=1e-12).value
    for tol in (1e-2, 1e-3, 1e-4):
        result = bulk_modulus(K, G, tol=tol)
        assert result.value >= exact * (1 - 1e-12)  # energy of an admissible field
        assert abs(result.value / exact - 1.0) < 100.0 * tol**2


def test_a_dropped_sample_passes_no_gradient(generator):
    K, G = random_moduli((3, 6, 6, 1), generator)
    K[1, 2, 3, 0] = torch.nan
    K, G = K.requires_grad_(), G.requires_grad_()
    values = effective_bulk_modulus(K, G, raise_on_failure=False)
    assert values.isnan().tolist() == [False, True, False]
    values.nansum().backward()
    assert torch.isfinite(K.grad).all() and torch.isfinite(G.grad).all()
    assert (K.grad[1] == 0).all() and (K.grad[[0, 2]] != 0).all()
