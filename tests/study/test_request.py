"""Requests in their short form, and those that contradict themselves."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest, read_request, request_file


def test_the_short_form_is_the_long_form():
    short = DesignRequest.model_validate({"target_bulk": 120, "density_weight": 0.5})
    assert short == DesignRequest(objectives=(parse_objective("K = 120"), parse_objective("minimise density @ 0.5")))
    assert (short.target_bulk, short.density_weight) == (120, 0.5)
    assert DesignRequest.model_validate_json(short.model_dump_json()) == short


def test_only_guided_diffusion_begins_from_a_microstructure():
    with pytest.raises(ValidationError, match="only guided diffusion"):
        DesignRequest.model_validate({"target_bulk": 120, "start": "cell.vti", "method": "genetic"})


def test_files_of_megabytes_and_thousands_of_objectives_are_refused_at_once():
    assert read_request(request_file(DesignRequest.model_validate({"target_bulk": 5})).encode()).target_bulk == 5
    with pytest.raises(ValueError, match="the file has 5 MB: a request has at most 4"):
        read_request(b" " * (5 * 2**20))
    with pytest.raises(ValueError, match="should have at most 64 items"):
        DesignRequest.model_validate({"objectives": [{"quantity": "K", "low": 5, "high": 5}] * 10_000})
