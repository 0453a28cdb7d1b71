"""Bad input is refused before any work, with the array, the voxel and the remedy."""

import pytest
import torch

from relaxdesign.physics.fem import (
    bulk_modulus,
    bulk_shear_from_young_poisson,
    check_gradient,
    check_young_poisson,
    checks,
    density,
    effective_stiffness,
    young_poisson_from_bulk_shear,
)

GOOD = torch.full((2, 4, 4, 1), 3.0, dtype=torch.float64)


def with_value(value, voxel=(1, 2, 3, 0)):
    field = GOOD.clone()
    field[voxel] = value
    return field


@pytest.mark.parametrize("function", [bulk_modulus, effective_stiffness])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_bad_moduli_are_named(function, value):
    with pytest.raises(ValueError, match=r"K is .* at \(sample, x, y, z\) = \(1, 2, 3, 0\)"):
        function(with_value(value), GOOD)
    with pytest.raises(ValueError, match=r"G is .* at .*\(1, 2, 3, 0\)"):
        function(GOOD, with_value(value))


@pytest.mark.parametrize(
    ("K", "G", "message"),
    [
        (GOOD[0], GOOD[0], r"K has shape \(4, 4, 1\).*K\[None\]"),
        (GOOD, GOOD[:1], "G has shape"),
        (GOOD, GOOD.float(), "G has dtype torch.float32"),
        (GOOD.half(), GOOD.half(), "K has dtype torch.float16"),
        (GOOD.long(), GOOD, "K has dtype torch.int64"),
        (GOOD.numpy(), GOOD, "K is a ndarray"),
        (GOOD[:0], GOOD[:0], "no voxels or no samples"),
    ],
)
def test_bad_layout_is_explained(K, G, message):
    with pytest.raises(ValueError, match=message):
        bulk_modulus(K, G)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boundary": "dirichlet"}, "'dirichlet' is unknown; available: 'periodic'"),
        ({"tol": 0.0}, "tol is 0.0"),
        ({"tol": 2}, "tol is 2"),
        ({"tol": 1e-16}, "reaches 1e-12 at best; use float64"),
        ({"max_iterations": 0}, "max_iterations is 0"),
        ({"initial": GOOD}, "initial has shape"),
    ],
)
def test_bad_options_are_explained(options, message):
    for function in (bulk_modulus, effective_stiffness):
        with pytest.raises(ValueError, match=message):
            function(GOOD, GOOD, **options)


def test_a_field_too_large_for_memory_is_refused_before_the_work(monkeypatch):
    monkeypatch.setattr(checks, "available_memory", lambda device: 1000)
    with pytest.raises(ValueError, match=r"GiB on cpu.*coarser grid"):
        bulk_modulus(GOOD, GOOD)


def test_bad_young_and_poisson_are_named():
    poisson = torch.full((4, 4, 1), 0.3, dtype=torch.float64)
    young = GOOD[0]
    check_young_poisson(young, poisson)
    for value in (0.5, -1.0, 0.7, float("nan")):
        bad = poisson.clone()
        bad[1, 2, 0] = value
        with pytest.raises(ValueError, match=r"nu is .* at voxel \(1, 2, 0\).*0\.4999"):
            check_young_poisson(young, bad)
    with pytest.raises(ValueError, match=r"E is -1.0 at voxel \(0, 0, 0\)"):
        check_young_poisson(torch.where(young == 3.0, -1.0, young), poisson)
    with pytest.raises(ValueError, match="E has shape"):
        check_young_poisson(young, poisson[:2])


def test_check_gradient_wants_one_double_cell():
    with pytest.raises(ValueError, match="one float64 cell"):
        check_gradient(GOOD, GOOD)
    with pytest.raises(ValueError, match="unknown"):
        check_gradient(GOOD[:1], GOOD[:1], channels=("lambda",))


def test_conversions_are_inverse_of_each_other():
    E = torch.tensor([0.01, 70.0, 400.0], dtype=torch.float64)
    nu = torch.tensor([0.4999, 0.33, -0.2], dtype=torch.float64)
    back = young_poisson_from_bulk_shear(*bulk_shear_from_young_poisson(E, nu))
    torch.testing.assert_close(back[0], E, rtol=1e-10, atol=0)
    torch.testing.assert_close(back[1], nu, rtol=1e-10, atol=0)


def test_density_is_the_volume_average():
    rho = torch.tensor([1.0, 3.0], dtype=torch.float64).reshape(1, 2, 1, 1)
    assert density(rho).tolist() == [2.0]
