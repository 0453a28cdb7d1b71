"""The front against its definition, on random points."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from relaxdesign.pareto import pareto_front


@pytest.mark.parametrize(("small_x", "small_y"), list(itertools.product((True, False), repeat=2)))
def test_the_front_is_what_nobody_betters(small_x, small_y):
    x, y = np.random.default_rng(0).random((2, 200))
    a, b = x * (1 if small_x else -1), y * (1 if small_y else -1)
    best = [i for i in range(200) if not np.any((a <= a[i]) & (b <= b[i]) & ((a < a[i]) | (b < b[i])))]
    front = pareto_front(x, y, small_x=small_x, small_y=small_y)
    assert sorted(front) == best
    assert (np.diff(x[front]) > 0).all()


def test_points_that_are_not_known_and_no_points():
    assert list(pareto_front([1, np.nan, 2], [1, 0, np.nan], small_x=True, small_y=True)) == [0]
    assert list(pareto_front([], [], small_x=True, small_y=False)) == []
    assert len(pareto_front([1, 1], [2, 2], small_x=True, small_y=True)) == 1, "one of equals"
