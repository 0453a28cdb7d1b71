"""Correlations against answers known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.microstructure.correlation import radial_average, two_point_correlation


@pytest.mark.parametrize("shape", [(16, 16, 1), (8, 12, 10)])
def test_the_correlation_begins_at_the_volume_fraction(shape):
    phase = np.random.default_rng(1).random(shape) < 0.3
    S2 = two_point_correlation(phase)
    centre = tuple(n // 2 for n in shape)
    assert S2[centre] == pytest.approx(phase.mean(), rel=1e-12)
    # Its mean is the probability of two independent points: φ².
    assert S2.mean() == pytest.approx(phase.mean() ** 2, rel=1e-12)
    r, mean = radial_average(S2)
    assert r[0] == 0 and mean[0] == pytest.approx(phase.mean())


def test_the_correlation_is_counted_right():
    phase = (np.random.default_rng(2).random((6, 5, 4)) < 0.4).astype(int)
    S2 = two_point_correlation(phase)
    for shift in [(1, 0, 0), (0, 2, 0), (2, -1, 1)]:
        counted = (phase * np.roll(phase, shift, axis=(0, 1, 2))).mean()
        assert S2[3 + shift[0], 2 + shift[1], 2 + shift[2]] == pytest.approx(counted, abs=1e-14)


def test_noise_forgets_at_once_and_stripes_never():
    noise = np.random.default_rng(3).random((48, 48, 48)) < 0.25
    _, far = radial_average(two_point_correlation(noise))
    assert far[3:] == pytest.approx(0.25**2, rel=0.02)
    stripes = np.zeros((16, 16, 1), int)
    stripes[::2] = 1
    S2 = two_point_correlation(stripes)[:, 8, 0]
    assert np.roll(S2, -8)[:4] == pytest.approx([0.5, 0, 0.5, 0], abs=1e-14)


def test_the_slope_at_the_origin_is_the_specific_surface():
    """S₂'(0) = -s/4 in 3D (Debye, Anderson & Brumberger 1957), s the surface per volume: a slab has s = 2/L."""
    slab = np.zeros((32, 4, 4), int)
    slab[:16] = 1
    along = two_point_correlation(slab)[16:, 2, 2]
    # Along the normal alone the mean over directions becomes s/2: one face lost per voxel at each of both faces.
    assert along[0] - along[1] == pytest.approx(2 / 32 / 2)
