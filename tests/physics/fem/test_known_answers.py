"""Cells whose effective moduli are known in closed form."""

import itertools
import math

import pytest
import torch

from benchmarks.verification.dilute import spheres
from benchmarks.verification.grids import sphere
from relaxdesign.physics.bounds import field_bounds
from relaxdesign.physics.fem import (
    bulk_modulus,
    bulk_shear_from_young_poisson,
    effective_stiffness,
    gradient_young_poisson,
)

from .cells import isotropic_stiffness


@pytest.mark.parametrize("poisson", [-0.6, 0.0, 0.33])
@pytest.mark.parametrize("shape", [(4, 4, 4), (3, 5, 2), (6, 4, 1), (1, 1, 1)])
def test_homogeneous_cell_returns_its_material(shape, poisson):
    young = 70.0
    K, G = bulk_shear_from_young_poisson(young, poisson)
    ones = torch.ones(1, *shape, dtype=torch.float64)
    result = effective_stiffness(K * ones, G * ones)
    torch.testing.assert_close(result.C[0], isotropic_stiffness(K, G), rtol=0, atol=1e-10)
    assert result.young.item() == pytest.approx(young, rel=1e-12)
    assert result.poisson.item() == pytest.approx(poisson, rel=1e-12, abs=1e-13)
    assert result.anisotropy.item() == pytest.approx(0.0, abs=1e-12)
    torch.testing.assert_close(
        result.directional_young, torch.full((1, 3), young, dtype=torch.float64), rtol=1e-12, atol=0
    )

    bulk = bulk_modulus(K * ones, G * ones)
    assert bulk.value.item() == pytest.approx(K, rel=1e-13)
    by_young, by_poisson = gradient_young_poisson(bulk.gradient_bulk, bulk.gradient_shear, young * ones, poisson * ones)
    voxels = ones.numel()
    torch.testing.assert_close(by_young, K / (young * voxels) * ones, rtol=1e-10, atol=0)
    expected = 2.0 * K / ((1.0 - 2.0 * poisson) * voxels) * ones
    torch.testing.assert_close(by_poisson, expected, rtol=1e-10, atol=0)


def backus(K, G):
    """Stiffness of layers normal to z (Backus 1962, doi:10.1029/JZ067i011p04427); K, G (layers,)."""
    lam, mu = K - 2.0 * G / 3.0, G
    p_wave = lam + 2.0 * mu
    C33 = 1.0 / (1.0 / p_wave).mean()
    C13 = (lam / p_wave).mean() * C33
    C11 = (4.0 * mu * (lam + mu) / p_wave).mean() + (lam / p_wave).mean() ** 2 * C33
    C44, C66 = 1.0 / (1.0 / mu).mean(), mu.mean()
    C = torch.zeros(6, 6, dtype=torch.float64)
    C[0, 0] = C[1, 1] = C11
    C[0, 1] = C[1, 0] = C11 - 2.0 * C66
    C[:2, 2] = C[2, :2] = C13
    C[2, 2], C[3, 3], C[4, 4], C[5, 5] = C33, C44, C44, C66
    return C


@pytest.mark.parametrize("shape", [(1, 1, 6), (1, 3, 6), (2, 3, 6)])
def test_laminate_is_exact(shape, generator):
    K = 1.0 + 50.0 * torch.rand(6, generator=generator, dtype=torch.float64)
    G = 0.1 + 30.0 * torch.rand(6, generator=generator, dtype=torch.float64)
    result = effective_stiffness(*(m.expand(1, *shape).contiguous() for m in (K, G)), tol=1e-11)
    torch.testing.assert_close(result.C[0], backus(K, G), rtol=1e-10, atol=1e-10)


def test_laminate_in_2d_along_x(generator):
    """Layers normal to x in an (nx, ny, 1) cell: the same laminate with the axes permuted."""
    K = 1.0 + 50.0 * torch.rand(8, generator=generator, dtype=torch.float64)
    G = 0.1 + 30.0 * torch.rand(8, generator=generator, dtype=torch.float64)
    fields = (m.reshape(1, 8, 1, 1).expand(1, 8, 3, 1).contiguous() for m in (K, G))
    C = effective_stiffness(*fields, tol=1e-11).C[0]
    to_z = [2, 1, 0, 5, 4, 3]  # exchange x and z
    torch.testing.assert_close(C[to_z][:, to_z], backus(K, G), rtol=1e-10, atol=1e-10)


def test_equal_shear_moduli_give_hills_bulk_modulus_as_the_grid_is_refined():
    """Hill 1963: with one G, 1/(K + 4G/3) averages exactly, for any geometry."""
    G, low, high = 30.0, 20.0, 200.0
    blocks = torch.tensor([[[0, 1], [1, 1]], [[1, 0], [0, 1]]], dtype=torch.float64)
    K = low + (high - low) * blocks
    exact = 1.0 / (1.0 / (K + 4.0 * G / 3.0)).mean() - 4.0 * G / 3.0
    errors = []
    for repeat in (2, 4, 8):
        field = K
        for axis in range(3):
            field = field.repeat_interleave(repeat, axis)
        value = bulk_modulus(field[None], torch.full_like(field, G)[None]).value
        errors.append((value / exact - 1.0).item())
    coarse, middle, fine = errors
    assert fine > 0  # compatible elements overestimate the energy
    order = math.log2((coarse - middle) / (middle - fine))
    assert 1.3 < order < 2.0  # below 2: stress singularities at the edges of the blocks
    extrapolated = fine - (middle - fine) / (2.0**order - 1.0)
    assert extrapolated == pytest.approx(0.0, abs=0.005)


@pytest.mark.parametrize(
    ("particle", "tolerance"), [("2 × stiffer", 0.003), ("100 × stiffer", 0.01), ("4 × softer", 0.003)]
)
def test_dilute_sphere_has_eshelbys_slope(particle, tolerance):
    """Extrapolated to no voxels and no neighbours, see `benchmarks.verification.dilute`."""
    runs = ((24, 4.0), (24, 6.0), (32, 4.0), (32, 6.0), (32, 8.0), (40, 10.0))
    (check,) = spheres(runs, samples=2, pairs=(particle,)).checks
    assert check.value < tolerance


def test_sphere_converges_with_the_grid_at_first_order():
    """Second-order elements on a staircase surface: the error is proportional to the voxel size."""
    study = sphere(sizes=(16, 24, 32, 48, 64), samples=2, pairs=("2 × stiffer", "130 × stiffer"), coarsest=16)
    for pair in study.series["pairs"].values():
        assert 0.85 < pair["order"] < 1.2
        assert all(coarse > fine > 0 for coarse, fine in itertools.pairwise(pair["errors"]))
    assert study.series["pairs"]["130 × stiffer"]["errors"][2] < 0.03  # 32³


def test_thickness_does_not_matter_in_2d(generator):
    """One voxel thick and four equal layers are the same cell."""
    K, G = (1.0 + 20.0 * torch.rand(1, 6, 5, 1, generator=generator, dtype=torch.float64) for _ in "ab")
    thin = effective_stiffness(K, G, tol=1e-11)
    thick = effective_stiffness(K.expand(-1, -1, -1, 4), G.expand(-1, -1, -1, 4), tol=1e-11)
    torch.testing.assert_close(thin.C, thick.C, rtol=1e-10, atol=1e-10)
    assert field_bounds(K, G).admits(thin.bulk).all()
