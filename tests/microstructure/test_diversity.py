"""Cells that are the same but for how they lie do not differ; pieces, loops and hollows are counted."""

import numpy as np
import pytest

from relaxdesign.microstructure.diversity import betti_numbers, difference, mean_difference


def _cell(dim, seed=3, grid=12):
    return np.random.default_rng(seed).random((grid,) * dim) < 0.4


@pytest.mark.parametrize("dim", [2, 3])
def test_a_cell_shifted_turned_and_mirrored_is_the_same(dim):
    cell = _cell(dim)
    moved = np.flip(np.roll(cell, (3, 5, 7)[:dim], range(dim)).swapaxes(0, dim - 1), 0)
    assert difference(cell, moved) == 0.0
    assert mean_difference([cell, moved, cell]) == 0.0 and mean_difference([cell]) is None


def test_voxels_that_differ_are_counted():
    cell = np.zeros((8, 8), dtype=bool)
    cell[:4, :4] = True
    smaller = cell.copy()
    smaller[0, 0] = False
    assert difference(cell, np.roll(smaller, 5, 1)) == pytest.approx(1 / 64)
    assert difference(cell, ~cell) == pytest.approx(0.5)  # 48 others, 16 of which it may cover


def test_cells_of_different_grids_are_refused():
    with pytest.raises(ValueError, match="same cubic grid"):
        difference(_cell(2), _cell(2, grid=10))


def test_topology_of_known_cells():
    grid = np.indices((16, 16, 16)) + 0.5
    ball = ((grid - 8) ** 2).sum(0) < 25
    shell = ball & (((grid - 8) ** 2).sum(0) > 9)
    rod = ((grid[:2] - 8) ** 2).sum(0) < 16
    assert betti_numbers(ball) == (1, 0, 0)
    assert betti_numbers(shell) == (1, 0, 1)  # encloses a hollow
    assert betti_numbers(rod) == (1, 1, 0)  # goes on for ever along one axis
    frame = sum(((grid[list(axes)] - 8) ** 2).sum(0) < 9 for axes in ((0, 1), (0, 2), (1, 2))) > 0
    assert betti_numbers(frame) == (1, 3, 0)
    disc = ((np.indices((16, 16)) - 7.5) ** 2).sum(0) < 16
    assert betti_numbers(disc) == (1, 0) and betti_numbers(~disc) == (1, 2)
