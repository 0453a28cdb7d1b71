"""Free form: the two phases of a sample as they are."""

import numpy as np
import pytest
import torch

from relaxdesign.microstructure import FREE_FORM
from relaxdesign.microstructure.base import FitError


def test_level_set_has_the_sign_of_the_phase_and_unit_slope():
    x = np.arange(32)
    laminate = np.broadcast_to((x >= 8) & (x < 24), (32, 32)).T
    level = FREE_FORM.level_set(laminate)
    assert ((level > 0) == laminate).all()
    np.testing.assert_allclose(np.diff(level[10:14, 0]), 1.0, atol=0.02)


def test_a_homogeneous_sample_has_no_phases():
    with pytest.raises(FitError, match="homogeneous"):
        FREE_FORM.fit(torch.zeros(3, 16, 16))
