"""The compiled 3D kernel is the same operator as the dense products, whatever the shape, batch or threads."""

import pytest
import torch

from relaxdesign.fem import bulk_modulus, kernels
from relaxdesign.fem.operator import VoxelOperator

from .cells import random_moduli


def operator_and_field(shape, generator, *, batch=2, load_cases=1, periodic=True, dtype=torch.float64):
    moduli = random_moduli((batch, *shape), generator, dtype=dtype)
    operator = VoxelOperator(moduli, periodic=periodic)
    fields = (batch * load_cases, 3, *operator.nodes)
    return operator, torch.randn(fields, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 5, 4), (2, 3, 200), (5, 70, 3)])
def test_kernel_equals_dense_products(shape, periodic, generator, monkeypatch):
    operator, u = operator_and_field(shape, generator, load_cases=3, periodic=periodic)
    fused = operator.apply(u)
    monkeypatch.setattr(VoxelOperator, "_fused", False)
    torch.testing.assert_close(fused, operator.apply(u), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("batch", "load_cases"), [(1, 1), (2, 2)])
def test_threads_share_the_planes(batch, load_cases, periodic, generator, monkeypatch):
    operator, u = operator_and_field((7, 4, 5), generator, batch=batch, load_cases=load_cases, periodic=periodic)
    alone = operator.apply(u)
    monkeypatch.setattr(kernels, "THREADED_VOXELS", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    torch.testing.assert_close(operator.apply(u), alone, rtol=0, atol=0)


def test_single_precision_keeps_seven_digits(generator):
    operator, u = operator_and_field((4, 6, 8), generator)
    single = operator.to(torch.float32).apply(u.float()).double()
    assert (single - operator.apply(u)).norm() < 1e-6 * operator.apply(u).norm()


def test_numbers_that_are_not_finite_stay_visible(generator):
    operator, u = operator_and_field((4, 4, 4), generator, batch=1)
    u[0, 1, 2, 2, 2] = torch.nan
    assert torch.isnan(operator.apply(u)).any()


def test_load_cases_of_one_cell_share_its_moduli(generator):
    """Two load cases of two cells at once are the four single products."""
    operator, u = operator_and_field((3, 4, 5), generator, batch=2, load_cases=2)
    together = operator.apply(u).unflatten(0, (2, 2))
    for case in range(2):
        one = u.unflatten(0, (2, 2))[:, case].contiguous()
        torch.testing.assert_close(together[:, case], operator.apply(one), rtol=1e-13, atol=1e-13)


def test_bulk_modulus_is_the_same_without_the_kernel(generator, monkeypatch):
    K, G = random_moduli((1, 6, 6, 6), generator)
    fused = bulk_modulus(K, G, tol=1e-11)
    monkeypatch.setattr(VoxelOperator, "_fused", False)
    dense = bulk_modulus(K, G, tol=1e-11)
    torch.testing.assert_close(fused.value, dense.value, rtol=1e-13, atol=0)
    torch.testing.assert_close(fused.gradient_bulk, dense.gradient_bulk, rtol=1e-9, atol=1e-14)
