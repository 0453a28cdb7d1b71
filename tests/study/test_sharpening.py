"""Steps onto targets, and relaxed shapes made crisp on them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.study.objective import Objective
from relaxdesign.study.refinement.sharpening import sharpened
from relaxdesign.study.refinement.steps import closing_amplitudes
from relaxdesign.study.simulation import Simulation

PHASES = Catalogue.default().of_phases(("void", "titanium-alloy-ti-6al-4v-annealed")).materials


def linear(low: float | None, high: float | None) -> Objective:
    """A target whose coordinate is its value."""
    return Objective(quantity="C11", low=low, high=high, scale=1.0)


def test_a_step_closes_what_is_missed_and_keeps_intervals():
    targets = [linear(2.0, 2.0), linear(0.1, 1.1)]
    gram = np.array([[1.0, 0.8], [0.8, 1.0]])
    at = np.array([1.0, 1.0])  # to close the first alone would take the second to 1.8
    there = at + gram @ closing_amplitudes(gram, at, targets)
    assert there == pytest.approx([2.0, 1.0], abs=1e-3)
    met = np.array([2.0, 0.5])
    assert not closing_amplitudes(gram, met, targets).any()


@pytest.mark.parametrize("dim", [2, 3])
def test_derivatives_by_the_level_set_are_those_of_the_shares(dim):
    """Of a weighted sum of shares, on grids as fine, finer and coarser, along a smooth change of the level set."""
    grid, rng = 24, np.random.default_rng(1)
    axis = (np.arange(grid) + 0.5) / grid
    shifted = [x + shift for x, shift in zip(np.meshgrid(*(axis,) * dim), rng.random(dim), strict=True)]
    waves = [np.cos(2 * np.pi * x) for x in shifted]
    level, change = 4.0 * sum(waves) + 1.5, waves[0] * waves[1]
    for other in (grid // 2, grid, 2 * grid):
        at = np.meshgrid(*((np.arange(other) + 0.5) / other,) * dim)
        weights = torch.from_numpy(1.0 + 0.5 * np.cos(2 * np.pi * (at[0] + at[1])))

        def total(amount, weights=weights, other=other):
            return float((weights * FREE_FORM.geometry(level + amount * change).shares(other)).sum())

        expected = (total(0.1) - total(-0.1)) / 0.2
        found = (FREE_FORM.geometry(level).by_level(weights[None])[0] * change).sum()
        assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("dim", [2, 3])
def test_derivatives_hold_where_the_level_set_has_kinks(dim):
    """As that of a crisp cell of random bumps has: slopes change from voxel to voxel, and interfaces lie on faces."""
    grid, rng = 24, np.random.default_rng(4)
    bumps = gaussian_filter(rng.standard_normal((grid,) * dim), 1.5, mode="wrap")
    level = FREE_FORM.level_set(np.clip(0.5 + 20.0 * bumps, 0.0, 1.0))
    waves = gaussian_filter(rng.standard_normal(level.shape), 3.0, mode="wrap")
    change = gaussian_filter((waves > 0).astype(float), 2.0, mode="wrap")
    weights = torch.from_numpy(rng.random(level.shape))

    def total(amount):
        return float((weights * FREE_FORM.geometry(level + amount * change).shares(grid)).sum())

    expected = (total(1e-3) - total(-1e-3)) / 2e-3
    found = (FREE_FORM.geometry(level).by_level(weights[None])[0] * change).sum()
    assert found == pytest.approx(expected, rel=5e-3)


def test_a_wall_that_is_blurred_away_is_found_again_on_the_target():
    """A cross of walls, one of which is half void for a few voxels: crisp, it would be cut."""
    sampled = np.full((32, 32), -1.0)
    sampled[12:20, :] = sampled[:, 12:20] = 1.0
    sampled[24:27, 12:20] = -0.2
    assert not pieces(sampled > 0).connected
    whole = np.where(sampled == -0.2, 1.0, sampled)
    free = Simulation.of([linear(1.0, None)], "periodic", 2, 32, void=True)
    wanted = free.values(PHASES, [FREE_FORM.geometry(FREE_FORM.level_set(whole > 0))]).one(0)["C11"]
    target = Objective(quantity="C11", low=wanted, high=wanted, scale=wanted)
    simulation = Simulation.of([target], "periodic", 2, 32, void=True)
    shares = sharpened(sampled, PHASES, simulation)
    assert (np.abs(shares - 0.5) > 0.4).mean() > 0.97
    level = FREE_FORM.level_set(shares)
    assert pieces(level > 0).connected
    assert simulation.values(PHASES, [FREE_FORM.geometry(level)]).one(0)["C11"] == pytest.approx(wanted, rel=0.1)
