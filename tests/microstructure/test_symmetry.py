"""Fields averaged over the mirror planes of a cell, and noise that has them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch

from relaxdesign.microstructure.symmetry import Symmetry

CASES = [(name, dim, edge) for name in ("orthotropic", "cubic") for dim in (2, 3) for edge in (5, 6)]


def images(field: np.ndarray, name: str) -> list[np.ndarray]:
    """Of a field (*grid) by generators of the group."""
    mirrored = [np.flip(field, axis) for axis in range(field.ndim)]
    exchanged = [field.transpose(order) for order in permutations(range(field.ndim))] if name == "cubic" else []
    return mirrored + exchanged


@pytest.mark.parametrize(("name", "dim", "edge"), CASES)
def test_averaging_is_a_projection_onto_symmetric_fields(name, dim, edge):
    symmetry = Symmetry(name, dim)
    one, other = np.random.default_rng(dim).normal(size=(2, *(edge,) * dim))
    averaged = symmetry.averaged(one)
    assert all(np.array_equal(image, averaged) for image in images(averaged, name))
    np.testing.assert_allclose(symmetry.averaged(averaged), averaged, rtol=0, atol=1e-15)
    assert averaged.mean() == pytest.approx(one.mean())
    assert (averaged * other).sum() == pytest.approx((one * symmetry.averaged(other)).sum()), "it is orthogonal"
    assert np.abs(averaged - one).max() > 0.1


@pytest.mark.parametrize(("name", "dim", "edge"), CASES)
def test_the_lowest_of_all_images_is_the_level_of_a_region_with_its_images(name, dim, edge):
    field = np.random.default_rng(dim).normal(size=(edge,) * dim)
    lowest = Symmetry(name, dim).lowest(field)
    assert all(np.array_equal(image, lowest) for image in images(lowest, name))
    assert (lowest <= field).all() and lowest.min() == field.min() and set(lowest.flat) <= set(field.flat)
    assert Symmetry("none", dim).lowest(field) is field


@pytest.mark.parametrize(("name", "dim", "edge"), CASES)
def test_noise_keeps_its_variance_in_every_voxel(name, dim, edge):
    symmetry = Symmetry(name, dim)
    noise = torch.randn(4000, 1, *(edge,) * dim, generator=torch.Generator().manual_seed(1))
    copied = symmetry.copied(noise)
    assert all(np.array_equal(image, copied[0, 0]) for image in images(copied[0, 0].numpy(), name))
    assert torch.equal(symmetry.copied(copied), copied)
    variance = copied.var(0)
    assert float(variance.min()) > 0.88 and float(variance.max()) < 1.12
    assert len(copied[0].unique()) == len(symmetry.averaged(noise)[0].unique()) < edge**dim


def test_the_gradient_of_an_average_is_symmetric():
    symmetry = Symmetry("cubic", 3)
    field = torch.randn(2, 1, 4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    weights = torch.randn(field.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    field.requires_grad_()
    (gradient,) = torch.autograd.grad((weights * symmetry.averaged(field)).sum(), field)
    torch.testing.assert_close(gradient, symmetry.averaged(weights))


def test_without_a_symmetry_fields_stay_as_they_are():
    field = torch.randn(1, 4, 5)
    assert Symmetry().averaged(field) is field and Symmetry().copied(field) is field


def test_a_cubic_cell_has_equal_edges():
    with pytest.raises(ValueError, match="equal edges, got 4 × 5 voxels"):
        Symmetry("cubic").averaged(np.zeros((4, 5)))
