"""Options are made of the fields of a request: a new field needs no further code."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from relaxdesign.cli.design import design
from relaxdesign.cli.request_options import RequestCommand, request_options
from relaxdesign.study.fields import describe
from relaxdesign.study.request import DesignRequest
from tests.bigger_request import BiggerRequest


class BiggerCommand(RequestCommand):
    model = BiggerRequest


@pytest.fixture
def bigger():
    """``bigger(*options)``: the request that a command of a bigger request makes of options."""
    app, seen = typer.Typer(), {}

    @app.command(cls=BiggerCommand)
    @request_options(BiggerRequest)
    def command(*, settings: dict[str, Any]) -> None:
        seen.update(request=BiggerRequest.model_validate({"target_bulk": 60} | settings))

    def run(*options: str) -> Any:
        result = CliRunner().invoke(app, options, env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        return seen["request"] if seen else result.stdout

    return run


def test_a_new_field_is_an_option(bigger):
    request = bigger("--feature", "0.3", "--mirrored", "--solver", "direct", "--outline", "star", "--hidden", "4")
    assert (request.feature, request.mirrored, request.solver) == (0.3, True, "direct")
    assert (request.outline, request.hidden) == ("star", 4)


def test_a_new_field_is_explained(bigger):
    page = " ".join(bigger("--help").split())
    assert "--feature" in page and "Smallest wall. Unit: mm." in page
    assert "star: snow" in page and "One of cg, direct." in page
    assert "--mirrored" in page and "--no-mirrored" in page


def test_what_is_not_given_is_left_to_the_request(bigger):
    assert bigger() == BiggerRequest(target_bulk=60)
    given = bigger("--category", "metal", "--category", "glass", "--sampler", "ddim", "--start", "a.vti")
    assert given.categories == ("metal", "glass") and given.start == str(Path("a.vti").absolute())
    assert given.guidance.sampler == "ddim" and given.guidance.mean == DesignRequest(target_bulk=60).guidance.mean


def test_every_setting_of_a_request_is_an_option_of_design():
    parameters = inspect.signature(design).parameters
    for setting in describe(DesignRequest):
        if len(setting.path) == 1 and setting.ui.option != "":
            assert setting.name in parameters
            assert (parameters[setting.name].default or None) == (setting.default or None), setting.name


def test_help_of_design_names_the_methods(cli):
    page = " ".join(cli("design", "--help").stdout.replace("│", " ").split())
    assert "best-of-n" in page and "recurrence" in page


def test_help_of_design_tells_how_shapes_can_be_made(cli):
    page = " ".join(cli("design", "--help").stdout.replace("│", " ").split())
    assert "--symmetry" in page and "--no-open-voids" in page and "--min-feature" in page
