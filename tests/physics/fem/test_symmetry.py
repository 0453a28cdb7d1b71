"""What geometry demands of the effective stiffness: symmetry, rotation, translation, consistency."""

import pytest
import torch

from relaxdesign.physics.fem import bulk_modulus, effective_stiffness
from relaxdesign.physics.fem.elements import VOIGT

from .cells import random_moduli

SHAPES = [(6, 6, 6), (8, 8, 1)]


def to_tensor(C):
    """Fourth-order tensor C_ijkl of a 6×6 stiffness with engineering shear."""
    place = torch.zeros(3, 3, dtype=torch.long)
    for row, (i, j) in enumerate(VOIGT):
        place[i, j] = place[j, i] = row
    return C[place[:, :, None, None], place[None, None, :, :]]


@pytest.mark.parametrize("shape", SHAPES)
def test_symmetric_positive_definite(shape, generator):
    C = effective_stiffness(*random_moduli((2, *shape), generator)).C
    assert torch.equal(C, C.mT)
    assert (torch.linalg.eigvalsh(C) > 0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_bulk_modulus_is_the_average_of_the_stiffness(shape, generator):
    K, G = random_moduli((2, *shape), generator)
    result = effective_stiffness(K, G, tol=1e-10)
    one_case = bulk_modulus(K, G, tol=1e-10)
    torch.testing.assert_close(result.bulk, one_case.value, rtol=1e-12, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_rotating_the_field_rotates_the_stiffness(shape, generator):
    K, G = random_moduli((1, *shape), generator)
    rotated = effective_stiffness(*(torch.rot90(m, 1, dims=(1, 2)).contiguous() for m in (K, G)), tol=1e-11)
    R = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    tensor = to_tensor(effective_stiffness(K, G, tol=1e-11).C[0])
    expected = torch.einsum("ai,bj,ck,dl,ijkl->abcd", R, R, R, R, tensor)
    torch.testing.assert_close(to_tensor(rotated.C[0]), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_translating_a_periodic_field_changes_nothing(shape, generator):
    K, G = random_moduli((1, *shape), generator)
    shifted = (torch.roll(m, (1, 3), dims=(1, 2)) for m in (K, G))
    before, after = effective_stiffness(K, G), effective_stiffness(*shifted)
    torch.testing.assert_close(before.C, after.C, rtol=1e-9, atol=1e-9)


def test_scaling_the_moduli_scales_the_result(generator):
    K, G = random_moduli((1, 8, 8, 1), generator)
    value = bulk_modulus(K, G).value
    torch.testing.assert_close(bulk_modulus(1e-3 * K, 1e-3 * G).value, 1e-3 * value, rtol=1e-9, atol=0)


def test_stiffening_any_voxel_never_softens_the_cell(generator):
    result = bulk_modulus(*random_moduli((1, 6, 6, 6), generator))
    assert (result.gradient_bulk >= 0).all()
    by_mu = result.gradient_shear + 2.0 / 3.0 * result.gradient_bulk
    assert (by_mu >= 0).all()


def test_moduli_are_homogeneous_of_degree_one(generator):
    """Euler: K* = Σ K_e ∂K*/∂K_e + G_e ∂K*/∂G_e, since scaling all moduli scales K*."""
    K, G = random_moduli((1, 8, 8, 1), generator)
    result = bulk_modulus(K, G)
    total = (K * result.gradient_bulk + G * result.gradient_shear).sum()
    assert total.item() == pytest.approx(result.value.item(), rel=1e-12)
