"""The compiled kernels are the same operator as the dense products, whatever the shape, batch or threads."""

import pytest
import torch

from relaxdesign.physics.fem import bulk_modulus, kernels, solver
from relaxdesign.physics.fem.elements import CONDUCTION
from relaxdesign.physics.fem.operator import VoxelOperator

from .cells import random_moduli


def operator_and_field(shape, generator, *, batch=2, load_cases=1, periodic=True, dtype=torch.float64):
    moduli = random_moduli((batch, *shape), generator, dtype=dtype)
    components = tuple(axis for axis in range(3) if shape[axis] > 1)
    operator = VoxelOperator(moduli, components, periodic=periodic)
    fields = (batch * load_cases, len(components), *operator.nodes)
    return operator, torch.randn(fields, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 5, 4), (2, 3, 1200), (5, 70, 3), (2, 2, 1), (7, 1, 90)])
def test_kernel_equals_dense_products(shape, periodic, generator, monkeypatch):
    operator, u = operator_and_field(shape, generator, load_cases=3, periodic=periodic)
    fused = operator.apply(u)
    monkeypatch.setattr(VoxelOperator, "fused", False)
    torch.testing.assert_close(fused, operator.apply(u), rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("batch", "load_cases"), [(1, 1), (2, 2)])
@pytest.mark.parametrize("shape", [(7, 4, 5), (7, 5, 1)])
def test_threads_share_the_layers(shape, batch, load_cases, periodic, generator, monkeypatch):
    operator, u = operator_and_field(shape, generator, batch=batch, load_cases=load_cases, periodic=periodic)
    alone = operator.apply(u)
    monkeypatch.setattr(kernels, "THREADED_VOXELS", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    torch.testing.assert_close(operator.apply(u), alone, rtol=0, atol=0)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 5, 4), (2, 3, 1200), (5, 70, 3)])
def test_heat_kernel_equals_dense_products(shape, periodic, generator, monkeypatch):
    conductivity = random_moduli((2, *shape), generator)[0]
    operator = VoxelOperator((conductivity,), problem=CONDUCTION, periodic=periodic)
    u = torch.randn((6, 1, *operator.nodes), generator=generator, dtype=torch.float64)
    fused, rest = operator.apply(u), operator.residual(u, u)
    monkeypatch.setattr(VoxelOperator, "fused", False)
    torch.testing.assert_close(fused, operator.apply(u), rtol=1e-12, atol=1e-10)
    torch.testing.assert_close(rest, u - fused, rtol=1e-12, atol=1e-10)


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
    monkeypatch.setattr(VoxelOperator, "fused", False)
    dense = bulk_modulus(K, G, tol=1e-11)
    torch.testing.assert_close(fused.value, dense.value, rtol=1e-13, atol=0)
    torch.testing.assert_close(fused.gradient_bulk, dense.gradient_bulk, rtol=1e-9, atol=1e-14)


def test_fused_steps_of_the_iteration_are_those_of_conjugate_gradients(generator):
    x, r, p, q, z = (torch.randn(3, 50, generator=generator, dtype=torch.float64) for _ in range(5))
    rz = torch.tensor([0.7, 0.0, -0.2], dtype=torch.float64)  # 0: a load case that is solved from the start
    expected = [tensor.clone() for tensor in (x, r, p, rz)]
    curvature, norm = solver._descend(expected[0], expected[1], p, q, rz)
    solver._redirect(expected[2], expected[1], z, expected[3])
    found = kernels.descend(x, r, p, q, rz)
    kernels.redirect(p, r, z, rz)
    for a, b in zip((x, r, p, rz, *found), (*expected, curvature, norm), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
