"""The iteration: independent of the grid, robust at high contrast, honest about failure."""

import pytest
import torch

from relaxdesign.physics.bounds import field_bounds
from relaxdesign.physics.fem import ConvergenceError, SolveStatus, bulk_modulus, effective_stiffness, solver
from relaxdesign.physics.fem.green import make_green
from relaxdesign.physics.fem.moduli import lame_from_bulk_shear
from relaxdesign.physics.fem.operator import VoxelOperator
from relaxdesign.physics.fem.solver import solve

from .cells import MATRIX, PARTICLE, ball, random_moduli, two_phase

ELASTOMER = (2.0, 0.0004)
"""ν = 0.4999."""
CARBIDE = (350.0, 270.0)
FOAM = (0.003, 0.001)


def test_iterations_do_not_grow_with_the_grid():
    """Four times finer: 1.4 times the iterations at most, levelling off; unpreconditioned would be 4 times."""
    counts = [bulk_modulus(*two_phase(ball(size, 0.3, dim=2))).iterations.item() for size in (32, 64, 128)]
    assert counts[2] <= 1.5 * counts[0]
    assert counts[2] - counts[1] <= counts[1] - counts[0]


@pytest.mark.parametrize(
    ("matrix", "particle"),
    [(ELASTOMER, CARBIDE), (CARBIDE, ELASTOMER), (FOAM, CARBIDE), (CARBIDE, FOAM)],
)
@pytest.mark.parametrize("dim", [2, 3])
def test_contrast_of_1e5_converges_within_bounds(matrix, particle, dim):
    K, G = two_phase(ball(32 if dim == 2 else 8, 0.3, dim), matrix, particle)
    result = bulk_modulus(K, G)
    assert result.status == (SolveStatus.CONVERGED,)
    assert result.residual.item() <= 1e-8
    assert result.iterations.item() > 0
    assert field_bounds(K, G).admits(result.value).all()


def test_reported_residual_is_the_true_one(generator):
    K, G = random_moduli((2, 5, 5, 5), generator)
    result = bulk_modulus(K, G, tol=1e-6)
    operator = VoxelOperator(lame_from_bulk_shear(K, G))
    strain = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    out_of_balance = operator.forces(operator.restrict(result.displacement), strain)[0]
    load = operator.load(strain)
    relative = out_of_balance.flatten(1).norm(dim=1) / load.flatten(1).norm(dim=1)
    torch.testing.assert_close(relative, result.residual, rtol=1e-6, atol=0)
    assert (relative <= 1e-6).all()


def test_a_batch_gives_what_its_samples_give(generator):
    K, G = random_moduli((4, 6, 6, 1), generator)
    K[2] *= torch.linspace(1.0, 100.0, 6, dtype=torch.float64)[:, None, None]  # a slower sample
    batch = bulk_modulus(K, G)
    for n in range(4):
        single = bulk_modulus(K[n : n + 1], G[n : n + 1])
        assert batch.value[n].item() == pytest.approx(single.value.item(), rel=1e-12)
        assert abs(batch.iterations[n] - single.iterations[0]) <= 1
        torch.testing.assert_close(batch.gradient_bulk[n], single.gradient_bulk[0], rtol=1e-5, atol=1e-9)
    assert len(set(batch.iterations.tolist())) > 1


def test_large_cells_take_turns(generator, monkeypatch):
    K, G = random_moduli((3, 6, 5, 4), generator)
    together = bulk_modulus(K, G), effective_stiffness(K, G)
    monkeypatch.setattr(solver, "VALUES_AT_ONCE", 1)
    alone = bulk_modulus(K, G), effective_stiffness(K, G)
    assert torch.equal(alone[0].iterations, together[0].iterations)
    torch.testing.assert_close(alone[0].value, together[0].value, rtol=1e-13, atol=0)
    torch.testing.assert_close(alone[1].C, together[1].C, rtol=1e-11, atol=1e-11)


def test_warm_start_saves_iterations_and_changes_nothing(generator):
    K, G = two_phase(ball(32, 0.3, dim=2))
    noise = 1.0 + 0.01 * torch.randn(K.shape, generator=generator, dtype=torch.float64)
    cold = bulk_modulus(K * noise, G)
    warm = bulk_modulus(K * noise, G, initial=bulk_modulus(K, G).displacement)
    assert warm.iterations.item() < cold.iterations.item()
    assert warm.value.item() == pytest.approx(cold.value.item(), rel=1e-12)
    again = bulk_modulus(K, G, initial=bulk_modulus(K, G).displacement)
    assert again.iterations.item() == 0
    first = effective_stiffness(K, G)
    again = effective_stiffness(K, G, initial=first.displacement)
    assert (again.iterations == 0).all()
    torch.testing.assert_close(again.C, first.C, rtol=1e-12, atol=1e-12)


def test_a_cap_that_is_hit_is_an_error(generator):
    K, G = random_moduli((2, 8, 8, 1), generator)
    K[0], G[0] = 5.0, 2.0  # homogeneous: done at once
    with pytest.raises(ConvergenceError, match=r"sample 1 stopped after 3 iterations.*max_iterations") as error:
        bulk_modulus(K, G, max_iterations=3)
    assert error.value.statuses == (SolveStatus.CONVERGED, SolveStatus.MAX_ITERATIONS)
    with pytest.raises(ConvergenceError):
        effective_stiffness(K, G, max_iterations=3)


def test_a_failing_sample_leaves_the_others_alone(generator):
    K, G = random_moduli((4, 8, 8, 1), generator)
    good = bulk_modulus(K, G)
    K[1, 0, 0, 0] = torch.nan
    G[2] = 1e-3 * G[2] ** 6  # too hard for the cap
    result = bulk_modulus(K, G, max_iterations=40, raise_on_failure=False)
    assert result.status == (
        SolveStatus.CONVERGED, SolveStatus.INVALID_FIELD, SolveStatus.MAX_ITERATIONS, SolveStatus.CONVERGED,
    )  # fmt: skip
    assert result.converged.tolist() == [True, False, False, True]
    assert result.value.isnan().tolist() == [False, True, True, False]
    torch.testing.assert_close(result.value[[0, 3]], good.value[[0, 3]], rtol=1e-12, atol=0)
    for field in (result.gradient_bulk, result.gradient_shear, result.displacement):
        assert torch.isfinite(field).all()
        assert (field[[1, 2]] == 0).all()
    stiffness = effective_stiffness(K, G, max_iterations=60, raise_on_failure=False)
    assert stiffness.C.isnan().flatten(1).any(1).tolist() == [False, True, True, False]


def test_float32_agrees_with_float64():
    K, G = two_phase(ball(16, 0.3))
    exact = bulk_modulus(K, G)
    single = bulk_modulus(K.float(), G.float())
    assert single.value.dtype == torch.float32
    assert single.tol == 1e-4
    assert single.value.item() == pytest.approx(exact.value.item(), rel=1e-5)
    error = (single.gradient_bulk.double() - exact.gradient_bulk).norm() / exact.gradient_bulk.norm()
    assert error < 1e-3
    C, C_single = effective_stiffness(K, G).C, effective_stiffness(K.float(), G.float()).C
    torch.testing.assert_close(C_single.double(), C, rtol=1e-4, atol=1e-4)


def test_round_off_that_stops_the_solve_is_reported():
    K, G = two_phase(ball(64, 0.3, dim=2), ELASTOMER, CARBIDE, dtype=torch.float32)
    with pytest.raises(ConvergenceError, match="round-off") as error:
        bulk_modulus(K, G, tol=1.2e-6)
    assert error.value.statuses == (SolveStatus.STAGNATED,)
    assert error.value.residual.item() > 1.2e-6


def test_nearly_homogeneous_float32_field_is_solved(generator):
    """The load is a small difference of large numbers; round-off is then accuracy enough."""
    noise = 1.0 + 1e-5 * torch.randn(1, 16, 16, 1, generator=generator)
    result = bulk_modulus(70.0 * noise, 26.0 * noise)
    assert result.status == (SolveStatus.CONVERGED,)
    assert result.value.item() == pytest.approx(70.0 * noise.mean().item(), rel=1e-5)


def test_same_input_gives_the_same_bits(generator):
    K, G = random_moduli((2, 6, 6, 6), generator)
    first, second = bulk_modulus(K, G), bulk_modulus(K, G)
    assert torch.equal(first.value, second.value)
    assert torch.equal(first.gradient_shear, second.gradient_shear)


@pytest.mark.parametrize("particle", [PARTICLE, CARBIDE])
def test_mixed_precision_reaches_the_same_residual(particle):
    """Passes in float32, residual in float64: the same answer as float64 throughout."""
    K, G = two_phase(ball(12, 0.3), MATRIX, particle)
    operator = VoxelOperator(lame_from_bulk_shear(K, G))
    strain = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    load = operator.load(strain)
    double, mixed = (
        solve(operator, make_green(operator), load, tol=1e-10, max_iterations=1000, mixed_precision=flag)
        for flag in (False, True)
    )
    assert mixed.status == double.status == (SolveStatus.CONVERGED,)
    assert mixed.residual.item() <= 1e-10
    assert mixed.iterations.item() <= 1.5 * double.iterations.item()
    difference = (mixed.displacement - double.displacement).norm() / double.displacement.norm()
    assert difference < 1e-7
