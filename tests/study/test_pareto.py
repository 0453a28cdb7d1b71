"""The front against its definition, on random points."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from relaxdesign.study.objective import parse_objective
from relaxdesign.study.pareto import conflict, missed, pareto_front, trade_offs
from relaxdesign.study.result import Design
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
    assert conflict([light, stiff, worse]).startswith(
        "none of 3 designs meets both K = 100 GPa and density ≤ 2 g/cm³: K −40 … −20 %, density +50 … +75 %; "
    )
    assert trade_offs([scripted_design(0)]) == [] and conflict([scripted_design(0, target=1.0)]) == ""


def test_what_was_missed_is_said_of_each_quantity():
    met, light, stiff = compromise(0, 100.0, 1.9), compromise(1, 60.0, 2.0), compromise(2, 100.5, 3.0)
    assert [design.on_target for design in (met, light, stiff)] == [True, False, False]
    assert missed([met]) == "" and missed([]) == "" and missed([scripted_design(0, failed=True)]) == ""
    assert missed([met, light]) == "1 of 2 designs misses a target: K −40 %"
    assert missed([met, light, stiff]) == "2 of 3 designs miss a target: K −40 %, density +50 %"
    assert missed([stiff]) == "the design does not meet both K = 100 GPa and density ≤ 2 g/cm³: density +50 %"
    assert conflict([met, light, stiff]) == "", "one meets both"


def test_single_targets_and_quantities_without_a_relative_miss_can_be_missed_too():
    values = {"K": 100.0, "nu": 0.31}
    off = replace(scripted_design(0), objectives=(parse_objective("nu = 0.2"),), stages={"realised": values})
    assert not off.on_target and missed([off]) == "the design does not meet nu = 0.2: nu 0.31"
    far = replace(scripted_design(1), objectives=(parse_objective("K = 80"),), stages={"realised": values})
    assert missed([far, far]) == "none of 2 designs meets K = 80 GPa: K +25 %"


def test_designs_that_miss_are_never_counted_as_on_target():
    """Each target is met by some design, none by all."""
    designs = [compromise(0, 100.0, 2.84), compromise(1, 81.0, 2.0)]
    assert sum(design.on_target for design in designs) == 0
    records = [design.to_dict() for design in designs]
    assert [record["on_target"] for record in records] == [False, False]
    assert [Design.from_dict(record).on_target for record in records] == [False, False]
