"""Free form: the two phases of a sample as they are."""

import itertools

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

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


def test_shares_of_a_level_set_are_those_of_its_plane_on_any_grid():
    x = np.arange(16) + 0.5
    level = np.broadcast_to(np.minimum(x - 4.3, 12.1 - x)[:, None], (16, 16)).copy()
    geometry = FREE_FORM.geometry(level)
    for grid in (16, 32):
        shares = geometry.shares(grid)[:, 0].numpy()
        edges = np.arange(grid + 1) * 16 / grid
        exact = [max(0.0, min(b, 12.1) - max(a, 4.3)) * grid / 16 for a, b in itertools.pairwise(edges)]
        np.testing.assert_allclose(shares, exact, atol=1e-5)


def test_shares_of_a_level_set_follow_its_labels_in_3d():
    rng = np.random.default_rng(0)
    level = FREE_FORM.level_set(gaussian_filter(rng.normal(size=(16, 16, 16)), 2.5, mode="wrap") > 0)
    shares = FREE_FORM.geometry(level).shares(16)
    assert float(shares.mean()) == pytest.approx((level > 0).mean(), abs=0.01)
    assert (((shares > 0.5).numpy() == (level > 0)) | (np.abs(level) < 0.5)).all()
