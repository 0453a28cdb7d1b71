"""Pieces of a phase in a periodic cell, and the directions along which they go on for ever."""

import numpy as np
import pytest

from relaxdesign.microstructure.connectivity import euler_characteristic, pieces
from relaxdesign.microstructure.solid import Solid, smallest_feature


def bars(*directions: int, grid: int = 16, width: int = 4) -> np.ndarray:
    """Bars through the cell along axes, which meet in one corner."""
    dim = 3
    inside = np.zeros((grid,) * dim, dtype=bool)
    for direction in directions:
        place = [slice(0, width)] * dim
        place[direction] = slice(None)
        inside[tuple(place)] = True
    return inside


@pytest.mark.parametrize(("directions", "spans"), [((0,), 1), ((0, 1), 2), ((0, 1, 2), 3)])
def test_bars_span_the_directions_they_run_along(directions, spans):
    found = pieces(bars(*directions))
    assert found.spans == (spans,) and found.connected == (spans == 3)


def test_a_grain_across_faces_and_corners_is_one_piece_that_spans_nothing():
    grain = np.zeros((12, 12), dtype=bool)
    grain[:3, :3] = True
    rolled = np.roll(grain, (-1, -2), (0, 1))  # in four parts at the corners of the cell
    found = pieces(rolled)
    assert found.voxels.tolist() == [9] and found.spans == (0,)


def test_a_diagonal_band_closes_after_several_turns():
    """It leaves through one side, comes in at another place, and meets itself only after two turns."""
    grid = 16
    x, y = np.meshgrid(np.arange(grid), np.arange(grid), indexing="ij")
    band = (x - 2 * y) % grid < 4
    found = pieces(band)
    assert len(found.voxels) == 1 and found.spans == (1,)


def test_pieces_come_largest_first_and_number_their_voxels():
    phase = np.zeros((10, 10), dtype=bool)
    phase[1:3, 1:3], phase[5:9, 5:9] = True, True
    found = pieces(phase)
    assert found.voxels.tolist() == [16, 4] and found.numbers[6, 6] == 1 and found.numbers[1, 1] == 2
    assert not found.connected and (found.numbers > 0).sum() == 20
    assert not len(pieces(np.zeros((4, 4), dtype=bool)).voxels)


@pytest.mark.parametrize("width", [3, 5, 8])
def test_the_smallest_feature_of_a_wall_is_its_width(width):
    wall = np.zeros((32, 32), dtype=bool)
    wall[4 : 4 + width] = True
    assert smallest_feature(wall) == pytest.approx(width, abs=1.01)


def test_a_neck_counts_and_a_corner_does_not():
    squares = np.zeros((32, 32), dtype=bool)
    squares[4:16, 4:16] = squares[4:16, 18:30] = True
    alone = smallest_feature(squares)
    squares[9:11, 15:19] = True  # a neck of two voxels
    assert smallest_feature(squares) < 3 < 8 < alone


def test_the_solid_of_a_frame_is_connected():
    frame = bars(0, 1, 2, grid=16, width=4)
    solid = Solid.of(frame)
    assert solid.connected and solid.components == 1 and solid.min_feature == pytest.approx(4 / 16, abs=1.01 / 16)
    assert Solid.from_dict({"connected": True, "components": 1, "min_feature": 0.25}) == Solid(True, 1, 0.25)
    assert Solid.from_dict({}) is None


def test_the_euler_characteristic_counts_pieces_less_tunnels_plus_cavities():
    cube = np.zeros((8, 8, 8), dtype=bool)
    cube[2:5, 2:5, 2:5] = True
    ring, shell = cube.copy(), cube.copy()
    ring[3, 3], shell[3, 3, 3] = False, False
    assert [euler_characteristic(phase) for phase in (cube, ring, shell, ring[:, :, 2])] == [1, 0, 2, 0]
    assert euler_characteristic(bars(0, 1, 2, grid=16, width=4)) == 1 - 3  # a bar along each axis, closed periodically
