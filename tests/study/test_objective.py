"""Objectives read from words, checked, and measured against values."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.study.objective import Objective, parse_objective
from relaxdesign.study.request import problems


@pytest.mark.parametrize(
    ("text", "low", "high", "sense", "weight"),
    [
        ("K = 50", 50, 50, "reach", 1),
        ("density<=3", None, 3, "reach", 1),
        ("G >= 2e1 @ 2", 20, None, "reach", 2),
        ("10 <= E <= 20", 10, 20, "reach", 1),
        ("minimise density @ 0.5", None, None, "minimise", 0.5),
        ("maximize conductivity", None, None, "maximise", 1),
        ("Ex/Ey = 1.5", 1.5, 1.5, "reach", 1),
        ("nu <= -0.1", None, -0.1, "reach", 1),
    ],
)
def test_objectives_in_words(text, low, high, sense, weight):
    objective = parse_objective(text)
    assert (objective.low, objective.high, objective.sense, objective.weight) == (low, high, sense, weight)
    if sense == "reach" and objective.weight == 1:
        assert parse_objective(str(objective).rsplit(" GPa")[0].rsplit(" g/cm³")[0]) == objective


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"quantity": "Q", "low": 1}, "unknown quantity"),
        ({"quantity": "K"}, "say which bulk modulus"),
        ({"quantity": "K", "low": -1}, "must be above 0"),
        ({"quantity": "nu", "low": 0.7}, "between -1 and 0.5"),
        ({"quantity": "AU", "high": -1}, "never below 0"),
        ({"quantity": "K", "low": math.inf}, "finite"),
        ({"quantity": "K", "sense": "minimise", "low": 3}, "takes no limits"),
    ],
)
def test_impossible_objectives_are_refused_in_words(values, words):
    with pytest.raises(ValidationError) as caught:
        Objective.model_validate(values)
    assert words in " ".join(problems(caught.value))


def test_misses_are_relative_and_zero_inside():
    between = Objective(quantity="K", low=10, high=20)
    assert between.miss(15) == 0 and between.miss(22) == pytest.approx(0.1) and between.miss(9) == pytest.approx(-0.1)
    assert Objective(quantity="nu", low=0.3, high=0.3).miss(0.33) == pytest.approx(0.1)
    assert QUANTITIES["C12"].miss(-1.0, 1.0) < 0
