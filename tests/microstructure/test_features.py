"""How thin the parts of a phase are, and cells whose thin parts are widened."""

import numpy as np
import pytest

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.features import smallest_feature, thickened, thin
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
