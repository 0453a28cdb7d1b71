"""Enclosed voids are joined to open ones by channels through the thinnest wall, or filled if that changes less."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.microstructure.channels import LEAST, nearest_enclosed
from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.features import smallest_feature
from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.microstructure.solid import Solid
from relaxdesign.microstructure.symmetry import Name, Symmetry
from relaxdesign.study.refinement import RefinementError
from relaxdesign.study.refinement.solid import LARGEST_FILLED, check_open, opened

GRID = 24


def ball(centre: tuple[float, ...], radius: float) -> np.ndarray:
    """The voxels of a periodic ball, bool (*grid); lengths in voxels."""
    across = [np.abs(np.arange(GRID) - at) % GRID for at in centre]
    x, y, z = (np.square(np.minimum(each, GRID - each)) for each in across)
    return x[:, None, None] + y[:, None] + z < radius**2


def thick_lattice() -> np.ndarray:
    """A simple cubic lattice with nodes and bars 12 voxels thick about the corners of the cell, bool (*grid)."""
    cell = np.ones((GRID,) * 3, dtype=bool)
    cell[6:18, 6:18, :] = cell[:, 6:18, 6:18] = cell[6:18, :, 6:18] = False
    return cell


def made_open(cell: np.ndarray, symmetry: Name = "none", width: float = 0.0, solid: int = 1) -> np.ndarray:
    """The voxels of the solid once its voids are open; the level set keeps its symmetry to the last bit."""
    group = Symmetry(symmetry, 3)
    level = group.averaged(FREE_FORM.level_set(cell.astype(float))) * (1 if solid else -1)
    after = opened(level, solid, group, width)
    assert np.array_equal(group.averaged(after), after)
    return (after > 0) == bool(solid)


@pytest.mark.parametrize("solid", [0, 1])
def test_a_round_void_in_a_wall_is_joined_through_its_thinnest_side(solid):
    cell = thick_lattice()
    cell &= ~ball((2.0, -0.5, -0.5), 4.0)  # 268 voxels, nearest to the tunnel along +x
    after = made_open(cell, solid=solid)
    assert Solid.of(cell).enclosed == 1 and Solid.of(after).enclosed == 0
    assert Solid.of(after).connected
    taken = cell & ~after
    assert not (after & ~cell).any() and 0 < taken.sum() < 30, "a channel and no more"
    assert smallest_feature(~after) >= LEAST - 0.5
    check_open(after, 1)


@pytest.mark.parametrize("symmetry", ["none", "orthotropic", "cubic"])
def test_a_void_that_is_alone_is_joined_to_its_images(symmetry):
    """A closed-cell foam: one ball in the middle, whose walls are thinnest along the axes."""
    cell = ~ball((11.5,) * 3, 9.0)
    after = made_open(cell, symmetry)
    found = pieces(~after)
    assert Solid.of(after).connected and Solid.of(after).enclosed == 0
    assert found.spans == ((3,) if symmetry == "cubic" else (1,)), "and of a cubic cell along all axes"
    assert not (after & ~cell).any() and (cell & ~after).mean() < 0.02


@pytest.mark.parametrize("symmetry", ["none", "orthotropic"])
def test_channels_of_a_symmetric_cell_are_symmetric(symmetry):
    cell = thick_lattice() & ~ball((-0.5,) * 3, 4.5)
    after = made_open(cell, symmetry)
    mirrored = all(np.array_equal(after, np.flip(after, axis)) for axis in range(3))
    assert Solid.of(after).connected and Solid.of(after).enclosed == 0
    assert mirrored == (symmetry == "orthotropic") and (cell & ~after).any()


def test_channels_are_as_wide_as_the_thinnest_part_that_is_asked_for():
    cell = ~ball((11.5,) * 3, 8.0)
    for width in (3.0, 5.0):
        after = made_open(cell, "cubic", width)
        assert Solid.of(after).enclosed == 0 and smallest_feature(~after) >= width - 0.5


def test_a_void_behind_another_is_joined_to_it():
    cell = ~ball((5.0, 11.5, 11.5), 4.0) & ~ball((14.0, 11.5, 11.5), 4.0)
    cell[11:13, :, 0] = False  # an open channel, far away
    after = made_open(cell)
    assert Solid.of(cell).enclosed == 2 and Solid.of(after).enclosed == 0
    assert (cell & ~after).mean() < LARGEST_FILLED and not (after & ~cell).any()


def test_a_void_is_filled_where_a_channel_would_take_more_of_the_solid():
    cell = thick_lattice() & ~ball((-0.5,) * 3, 4.5)
    after = made_open(cell, "cubic")  # by its symmetry many channels
    assert np.array_equal(after, thick_lattice())


def test_a_cell_that_would_change_too_much_is_refused():
    cell = np.ones((GRID,) * 3, dtype=bool)
    cell[11:13, 11:13, 11:13] = False
    with pytest.raises(RefinementError, match="too large to be filled, and a channel"):
        made_open(cell, width=10.0)


def test_the_largest_void_comes_first_where_none_is_open():
    cell = ~ball((5.0,) * 3, 3.0) & ~ball((15.0,) * 3, 5.0)
    found = nearest_enclosed(~cell)
    assert found is not None and found.alone and np.array_equal(found.voxels, ball((15.0,) * 3, 5.0))
    assert nearest_enclosed(~thick_lattice()) is None
