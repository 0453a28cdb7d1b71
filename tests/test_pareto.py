"""The front against its definition, on random points."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from relaxdesign.pareto import conflict, pareto_front, trade_offs
from relaxdesign.request import parse_objective
from tests.scripted_study import scripted_design


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


def compromise(index: int, bulk: float, density: float):
    """A design of K = 100 GPa and at most 2 g/cm³."""
    values = {"K": bulk, "density": density}
    objectives = parse_objective("K = 100"), parse_objective("density <= 2")
    return replace(scripted_design(index), objectives=objectives, properties=values, stages={"realised": values})


def test_designs_of_conflicting_targets_are_weighed_against_each_other():
    light, stiff, worse = compromise(0, 60.0, 2.0), compromise(1, 100.0, 3.0), compromise(2, 80.0, 3.5)
    assert trade_offs([light, stiff, worse]) == [light, stiff]
    assert conflict([light, stiff, worse]).endswith("in everything: 1, 2")
    assert conflict([light, stiff, compromise(3, 99.0, 2.0)]) == "", "one comes near both"
    assert trade_offs([scripted_design(0)]) == [] and conflict([scripted_design(0, target=1.0)]) == ""
