"""Both ways to apply the Green operator are the inverse stiffness of a homogeneous cell, and agree with each other."""

import pytest
import torch

from relaxdesign.physics.fem import green, kernels
from relaxdesign.physics.fem.convolution import PackedConvolution, RealConvolution
from relaxdesign.physics.fem.elements import CONDUCTION
from relaxdesign.physics.fem.operator import VoxelOperator

from .cells import random_moduli

SHAPES = [(8, 1, 1), (1, 1, 2), (5, 6, 1), (6, 2, 1), (3, 5, 4), (4, 2, 2), (2, 3, 18)]


def made_with(kind, operator, monkeypatch):
    monkeypatch.setattr(green, "make_convolution", kind)
    return green.make_green(operator)


def random_field(operator, generator, load_cases=1):
    fields = operator.zeros(load_cases)
    return torch.randn(fields.shape, generator=generator, dtype=torch.float64).to(fields.dtype)


@pytest.mark.parametrize("kind", [PackedConvolution, RealConvolution])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_inverts_the_stiffness_of_homogeneous_cells(kind, shape, generator, monkeypatch):
    """K G f = f less its mean, up to the scale of the reference: μ = 1 there, 3 and 7 here."""
    mu = torch.tensor([3.0, 7.0], dtype=torch.float64).reshape(2, 1, 1, 1).expand(2, *shape)
    operator = VoxelOperator((1.5 * mu, mu), tuple(axis for axis in range(3) if shape[axis] > 1))
    inverse = made_with(kind, operator, monkeypatch)
    force = random_field(operator, generator)
    force = force - force.mean(tuple(range(2, force.ndim)), keepdim=True)
    scale = operator.moduli[1][:, None]
    torch.testing.assert_close(operator.apply(inverse.apply(force)) / scale, force, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("problem", ["elasticity", "conduction"])
@pytest.mark.parametrize("shape", SHAPES)
def test_packed_and_real_transforms_agree(shape, problem, generator, monkeypatch):
    moduli = random_moduli((3, *shape), generator)
    components = tuple(axis for axis in range(3) if shape[axis] > 1)
    operator = (
        VoxelOperator(moduli[:1], problem=CONDUCTION) if problem == "conduction" else VoxelOperator(moduli, components)
    )
    packed, real = (made_with(kind, operator, monkeypatch) for kind in (PackedConvolution, RealConvolution))
    force = random_field(operator, generator, load_cases=2)
    expected = real.apply(force)
    torch.testing.assert_close(packed.apply(force), expected, rtol=1e-12, atol=1e-13)
    keep = torch.tensor([2, 0])
    kept = force.unflatten(0, (3, 2))[keep].flatten(0, 1)
    torch.testing.assert_close(packed.select(keep).apply(kept), real.select(keep).apply(kept), rtol=1e-12, atol=1e-13)
    single = packed.to(torch.float32).apply(force.float()).double()
    assert (single - expected).norm() < 1e-6 * expected.norm()


def test_an_even_last_axis_is_packed_and_an_odd_one_is_not(generator):
    for shape, kind in (((3, 5, 4), PackedConvolution), ((4, 6, 5), RealConvolution)):
        assert type(green.make_green(VoxelOperator(random_moduli((1, *shape), generator)))) is kind


def test_threads_share_the_planes(generator, monkeypatch):
    operator = VoxelOperator(random_moduli((2, 5, 4, 6), generator))
    inverse, force = green.make_green(operator), random_field(operator, generator, load_cases=2)
    alone = inverse.apply(force)
    monkeypatch.setattr(kernels, "THREADED_VOXELS", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 20)
    assert torch.equal(inverse.apply(force), alone)


def test_numbers_that_are_not_finite_stay_visible(generator):
    operator = VoxelOperator(random_moduli((1, 4, 4, 4), generator))
    force = random_field(operator, generator)
    force[0, 1, 2, 3, 0] = torch.nan
    assert torch.isnan(green.make_green(operator).apply(force)).any()
