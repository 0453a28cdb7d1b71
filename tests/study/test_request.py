"""Requests in their short form, and those that contradict themselves."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest


def test_the_short_form_is_the_long_form():
    short = DesignRequest.model_validate({"target_bulk": 120, "density_weight": 0.5})
    assert short == DesignRequest(objectives=(parse_objective("K = 120"), parse_objective("minimise density @ 0.5")))
    assert (short.target_bulk, short.density_weight) == (120, 0.5)
    assert DesignRequest.model_validate_json(short.model_dump_json()) == short


def test_only_guided_diffusion_begins_from_a_microstructure():
    with pytest.raises(ValidationError, match="only guided diffusion"):
        DesignRequest.model_validate({"target_bulk": 120, "start": "cell.vti", "method": "genetic"})
