"""How thin the parts of a phase are, and cells whose thin parts are widened."""

import numpy as np
import pytest

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.features import mended, smallest_feature, thickened, thin
from relaxdesign.microstructure.free_form import FREE_FORM

EDGE = 40


def blocks(dim: int) -> np.ndarray:
    """A thick wall across the cell along every axis but the last."""
    phase = np.zeros((EDGE,) * dim, dtype=bool)
    phase[..., 4:16] = True
    return phase


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("width", [3.0, 4.0])
def test_a_neck_is_widened_to_what_was_asked_for(dim, width):
    phase = blocks(dim)
    neck = (slice(19, 21),) * (dim - 1)
    phase[(*neck, slice(None))] = True
    assert smallest_feature(phase) < width
    wider = thickened(FREE_FORM.level_set(phase.astype(float)), width) > 0
    assert smallest_feature(wider) >= width - 0.5
    assert pieces(wider).connected
    across = wider[..., 30]  # the neck alone
    assert width ** (dim - 1) <= across.sum() < (width + 3) ** (dim - 1)


def test_a_neck_across_a_face_of_the_cell_is_a_neck():
    phase = np.roll(blocks(2), 20, axis=1)
    phase[19:21, :] = True
    assert pieces(thickened(FREE_FORM.level_set(np.roll(phase, 20, axis=0)), 4.0) > 0).connected


def test_a_spur_is_taken_away_and_what_is_thick_stays():
    phase = blocks(2)
    level = FREE_FORM.level_set(phase.astype(float))
    assert np.array_equal(thickened(level, 4.0), level)
    spur = phase.copy()
    spur[20:22, 16:26] = True
    assert (thickened(FREE_FORM.level_set(spur.astype(float)), 4.0) > 0)[20:22, 19:26].sum() == 0


def test_gaps_between_walls_are_widened_too():
    phase = np.ones((EDGE, EDGE), dtype=bool)
    phase[4:16, 4:16] = phase[24:36, 4:16] = phase[16:24, 9:11] = False  # two pores and a slit between them
    assert smallest_feature(~phase) < 4
    level = thickened(FREE_FORM.level_set(phase.astype(float)), 4.0)
    assert smallest_feature(level <= 0) >= 3.5


def test_where_phases_are_thin():
    phase = blocks(2)
    phase[19:21, :] = True
    first, second = thin(FREE_FORM.level_set(phase.astype(float)), 4.0)
    assert first[19:21, 20:36].all() and not first[:, 8:12].any() and not second.any()


def axes(dim: int, edge: int, middle: float) -> list[np.ndarray]:
    """Coordinates of a cell's voxels from a middle, in voxels."""
    return [axis - middle for axis in np.meshgrid(*[np.arange(edge)] * dim, indexing="ij")]


@pytest.mark.parametrize(("share", "middle"), [(0.3, 0.0), (0.3, 0.5), (0.5, 0.0), (0.5, 0.5)])
def test_the_neck_of_a_network_of_the_schwarz_surface(share, middle):
    """cos x + cos y + cos z > c narrows to cos y + cos z > 1 + c at x = π, least across the diagonal y = z."""
    edge = 32
    level = sum(np.cos(2 * np.pi * axis / edge) for axis in axes(3, edge, middle))
    above = np.quantile(level, 1 - share)
    neck = np.sqrt(2) * edge / np.pi * np.arccos((1 + above) / 2)
    assert smallest_feature(level > above) == pytest.approx(neck, abs=1.1)


@pytest.mark.parametrize(("dim", "width"), [(2, 5), (2, 9), (3, 5)])
def test_known_necks_and_walls(dim, width):
    """A dumbbell, an hourglass that goes on for ever, a plate, a frame of square bars; widths of an odd number."""
    along, *across = axes(dim, EDGE, 19.0)
    beside = np.sqrt(sum(axis**2 for axis in across))
    ends = np.minimum(np.hypot(along - 9, beside), np.hypot(along + 9, beside))
    dumbbell = (ends <= 7.5) | ((np.abs(along) < 9) & (beside <= width / 2))
    hourglass = beside <= width / 2 + 7 * np.abs(np.sin(np.pi * along / EDGE))
    within = [np.abs(axis) < width / 2 for axis in (along, *across)]
    bars = [np.all(within[:axis] + within[axis + 1 :], axis=0) for axis in range(dim)]
    for phase in (dumbbell, hourglass, within[0], np.any(bars, axis=0)):
        assert smallest_feature(phase) == pytest.approx(width, abs=1.0)


@pytest.mark.parametrize("dim", [2, 3])
def test_short_walls_between_pores_are_thin(dim):
    """Round pores whose walls are thin where they are nearest only: two that are apart, and one with its own images."""
    two = [np.sqrt(sum(axis**2 for axis in axes(dim, EDGE, middle))) for middle in (9.0, 29.0)]
    gap = np.sqrt(dim) * 20 - 2 * 12
    assert smallest_feature(np.minimum(*two) > 12) == pytest.approx(min(gap, EDGE - 2 * 12), abs=1.0)
    one = np.sqrt(sum(axis**2 for axis in axes(dim, EDGE, 19.5)))
    assert smallest_feature(one > 17) == pytest.approx(EDGE - 2 * 17, abs=1.0)


def test_a_ring_is_as_thin_as_where_it_is_thinnest():
    """A ring in the middle of a cell, whose hole is not in its middle."""
    first, second, third = axes(3, EDGE, 19.5)
    around = np.hypot(first, second)
    ring = (around < 16) & (np.hypot(first - 5, second) > 5) & (np.abs(third) < 8)
    assert smallest_feature(ring) == pytest.approx(16 - 10, abs=1.0)
    assert smallest_feature((around < 16) & (np.abs(third) < 8)) > 14


@pytest.mark.parametrize("dim", [2, 3])
def test_short_necks_are_mended_and_what_is_thick_stays(dim):
    """An hourglass that goes on for ever and narrows to three voxels, in either phase."""
    along, *across = axes(dim, 24, 11.0)
    hourglass = np.sqrt(sum(axis**2 for axis in across)) <= 1.5 + 6 * np.abs(np.sin(np.pi * along / 24))
    level = FREE_FORM.level_set(hourglass.astype(float))
    assert np.array_equal(mended(level, 3.0), level)
    assert smallest_feature(hourglass) == pytest.approx(3.0, abs=1.0)
    for cell in (level, -level):
        wider = mended(cell, 6.0) > 0
        assert min(smallest_feature(phase) for phase in (wider, ~wider)) >= 5.5
        assert (wider != (cell > 0)).mean() < 0.05
