"""Intervals of images: spheres of high contrast as whole voxels and as shares, against a finer grid."""

from dataclasses import replace

import numpy as np
import pytest

from relaxdesign.microstructure.mixed_voxels import composite_fields
from relaxdesign.microstructure.voxel_interval import coarser, voxel_interval
from relaxdesign.physics.effective_properties import evaluate
from relaxdesign.physics.overlaps import overlaps
from tests.conftest import make_material

PHASES = [replace(make_material(name, E, 0.3, 1.0), conductivity=E) for name, E in (("soft", 1.0), ("stiff", 100.0))]


def sphere(n: int, share: float = 0.4) -> np.ndarray:
    """Shares of a matrix and a sphere in a cell of n³ whole voxels."""
    x = (np.arange(n) + 0.5) / n - 0.5
    inside = x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 < (0.75 * share / np.pi) ** (2 / 3)
    return np.stack([~inside, inside]).astype(np.float32)


def test_the_conductivity_of_an_array_of_spheres_lies_in_the_interval():
    """Simple cubic, 40 %, ratio 100: 3.172 W/(m K) on 64³ and 128³ composite voxels, extrapolated."""
    for shares in (sphere(24), coarser(coarser(sphere(48)))):
        given = evaluate(composite_fields(shares, PHASES), tol=1e-5)
        interval = voxel_interval(shares, PHASES, given, tol=1e-5)
        assert interval is not None
        value, half = interval.values["conductivity"]
        assert abs(value - 3.172) < half < 0.15 * value
        assert np.allclose(interval.stiffness, interval.stiffness.T, rtol=1e-3, atol=1e-3)


def test_few_voxels_have_no_interval():
    shares = sphere(6)
    assert voxel_interval(shares, PHASES, evaluate(composite_fields(shares, PHASES), tol=1e-4)) is None


@pytest.mark.parametrize(("count", "new"), [(6, 3), (7, 3), (4, 6)])
def test_overlaps_keep_shares(count, new):
    weights = overlaps(count, new)
    assert weights.sum(1) == pytest.approx(1.0) and weights.sum(0) == pytest.approx(new / count)
    assert coarser(sphere(7)).sum(0) == pytest.approx(1.0)
