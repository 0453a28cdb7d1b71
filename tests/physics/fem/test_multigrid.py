"""The V-cycle is an approximate inverse, symmetric and positive, and what it finds is what others find."""

import pytest
import torch

from relaxdesign.physics.fem import boundary, bulk_modulus, effective_conductivity, multigrid
from relaxdesign.physics.fem.elements import CONDUCTION
from relaxdesign.physics.fem.green import make_green
from relaxdesign.physics.fem.multigrid import hierarchy, make_multigrid
from relaxdesign.physics.fem.operator import VoxelOperator

from .cells import MATRIX, ball, random_moduli, two_phase


def stiff_ball(size: int, contrast: float) -> tuple[torch.Tensor, torch.Tensor]:
    """K and G of a cell with a ball in its middle, (1, size, size, size)."""
    return two_phase(ball(size, 0.35), particle=(contrast * MATRIX[0], contrast * MATRIX[1]))


def with_green(solve, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(boundary, "make_multigrid", lambda operator: None)
        return solve()


@pytest.mark.parametrize("problem", ["elasticity", "conduction"])
def test_cycle_is_symmetric_and_positive(problem, generator):
    K, G = random_moduli((2, 8, 12, 16), generator)
    operator = VoxelOperator((K,), problem=CONDUCTION) if problem == "conduction" else VoxelOperator((K, G))
    cycle = make_multigrid(operator)
    assert cycle is not None
    # a product of fluctuations, which add up to zero as forces do
    a, b = (operator.apply(torch.randn(operator.zeros(2).shape, generator=generator).double()) for _ in range(2))
    Ma, Mb = cycle.apply(a), cycle.apply(b)
    forth, back = ((u * v).flatten(1).sum(1) for u, v in ((a, Mb), (b, Ma)))
    torch.testing.assert_close(forth, back, rtol=1e-9, atol=1e-9 * float(forth.abs().max()))
    assert ((a * Ma).flatten(1).sum(1) > 0).all()
    assert Ma.mean((2, 3, 4)).abs().max() < 1e-12 * Ma.abs().max()


@pytest.mark.parametrize("contrast", [1e4, 1e-4])
def test_high_contrast_takes_a_fraction_of_the_iterations(contrast, monkeypatch):
    K, G = stiff_ball(16, contrast)
    found = bulk_modulus(K, G)
    green = with_green(lambda: bulk_modulus(K, G), monkeypatch)
    torch.testing.assert_close(found.value, green.value, rtol=1e-10, atol=0)
    torch.testing.assert_close(found.gradient_bulk, green.gradient_bulk, rtol=1e-4, atol=1e-7)
    assert int(found.iterations) < int(green.iterations) / 3


def test_iterations_hardly_grow_with_the_grid():
    few, many = (int(bulk_modulus(*stiff_ball(size, 100.0)).iterations) for size in (16, 32))
    assert many < 1.4 * few


def test_conductivity_is_that_of_the_green_operator(monkeypatch):
    k = stiff_ball(16, 1e3)[0]
    found = effective_conductivity(k)
    green = with_green(lambda: effective_conductivity(k), monkeypatch)
    torch.testing.assert_close(found.k, green.k, rtol=1e-10, atol=1e-9)
    assert int(found.iterations.sum()) < int(green.iterations.sum()) / 2


def test_cells_of_a_batch_are_solved_as_alone(generator):
    """Cells that need fewer iterations leave the batch; what is left of the hierarchy belongs to the others."""
    K, G = (torch.cat(pair) for pair in zip(stiff_ball(16, 3.0), stiff_ball(16, 1e3), strict=True))
    together = bulk_modulus(K, G)
    alone = [bulk_modulus(K[n : n + 1], G[n : n + 1]) for n in range(2)]
    assert together.iterations.tolist() == [int(one.iterations) for one in alone]
    torch.testing.assert_close(together.value, torch.cat([one.value for one in alone]), rtol=1e-12, atol=0)


def test_cell_whose_spectrum_was_underestimated_is_solved_all_the_same(monkeypatch):
    """A V-cycle that is not positive counts as broken down: the Green operator takes over."""
    K, G = stiff_ball(16, 50.0)
    right = bulk_modulus(K, G)
    monkeypatch.setattr(multigrid, "_lanczos", lambda operator, inverse: torch.full((1,), 0.3, dtype=torch.float64))
    again = bulk_modulus(K, G)
    torch.testing.assert_close(again.value, right.value, rtol=1e-10, atol=0)


@pytest.mark.parametrize("seed", range(3))
def test_voxels_of_their_own_do_not_break_the_cycle(seed):
    """Stiff voxels alone in a soft cell are where the spectrum of the smoother reaches furthest."""
    generator = torch.Generator().manual_seed(seed)
    stiff = torch.rand(1, 16, 16, 16, generator=generator) > 0.97
    K = torch.where(stiff, 1e6, 1.0).double()
    cycle = make_multigrid(VoxelOperator((K / 3, K / 2)))
    assert cycle is not None
    force = VoxelOperator((K, K)).apply(torch.randn(4, 3, 16, 16, 16, generator=generator).double())
    assert ((force * cycle.apply(force.repeat(1, 1, 1, 1, 1))).flatten(1).sum(1) > 0).all()


@pytest.mark.parametrize(
    ("grid", "coarsest"),
    [((32, 32, 32), (4, 4, 4)), ((48, 48, 48), (3, 3, 3)), ((64, 8, 8), (16, 2, 2)), ((25, 25, 25), (25, 25, 25))],
)
def test_grids_are_halved_while_they_can(grid, coarsest):
    assert hierarchy(grid)[-1] == coarsest


@pytest.mark.parametrize("shape", [(4, 4, 4), (25, 25, 25), (64, 64, 1)])
def test_other_grids_are_left_to_the_green_operator(shape):
    operator = VoxelOperator((torch.ones(1, *shape), torch.ones(1, *shape)), components=(0, 1))
    assert make_multigrid(operator) is None
    assert make_green(operator) is not None
