"""Numbers at the ends of what a request accepts are worked with; what no solver can do is refused at once."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from relaxdesign.study import run as study
from relaxdesign.study.guidance_settings import GuidanceSettings
from relaxdesign.study.methods.guided import guided_sample
from relaxdesign.study.objective import Objective, parse_objective
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.request import DesignRequest
from tests.analytic_prior import gaussian_prior, generator, last


def ends(model) -> list[tuple[str, float]]:
    """Every number that a model bounds, at both bounds; a little inside those that are not accepted themselves."""
    found = []
    for name, field in model.model_fields.items():
        for limit in field.metadata:
            for kind, shift in (("ge", 0.0), ("le", 0.0), ("gt", 1e-12), ("lt", -1e-12)):
                if (value := getattr(limit, kind, None)) is not None:
                    found.append((name, value + shift))
    return found


@pytest.mark.parametrize(("name", "value"), ends(GuidanceSettings))
def test_guidance_works_at_the_ends_of_every_setting(name, value):
    begin = {"begin": 1.0} if name == "end" else {"end": 0.0}
    settings = GuidanceSettings.model_validate(begin | {name: value})
    wanted = [parse_objective("K = 30"), parse_objective("minimise density")]
    objectives = Objectives(wanted, tolerance=settings.tolerance, reuse=settings.reuse)
    end = last(guided_sample(gaussian_prior(), objectives, 2, steps=4, settings=settings, generator=generator()))
    assert end.alive.all() and not end.messages, end.messages
    assert end.clean.isfinite().all() and end.evaluation.bulk.isfinite().all()


@pytest.mark.parametrize("weight", [1e-6, 10.0])
def test_guidance_works_at_the_ends_of_the_weights(weight):
    wanted = [parse_objective("K = 30"), parse_objective("G = 20"), parse_objective("minimise density")]
    uneven = [
        wanted[0].model_copy(update={"weight": weight}),
        wanted[1],
        wanted[2].model_copy(update={"weight": weight}),
    ]
    end = last(guided_sample(gaussian_prior(), Objectives(uneven), 1, steps=4, generator=generator()))
    assert end.alive.all() and end.clean.isfinite().all()


def test_every_tolerance_that_is_accepted_can_be_had_by_soft_cells():
    """A cell 10⁴ times softer than its average asks for residuals 100 times smaller."""
    prior = gaussian_prior()
    objectives = Objectives([parse_objective("K = 30")], tolerance=1e-6)
    clean = torch.full((1, 3, 8, 8), -0.9)
    clean[:, :, :4] = 0.9
    values = [float(objectives.evaluate(prior, clean, finished=finished).bulk) for finished in (False, False, True)]
    assert all(value == pytest.approx(values[0], rel=1e-4) for value in values)


@pytest.mark.parametrize(
    ("name", "value"),
    [(n, v) for n in ("tolerance", "clip") for v in (1e-300, 1e-9, 0, -1, float("inf"), float("nan"))],
)
def test_what_no_solver_can_do_is_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        GuidanceSettings.model_validate({name: value})


@pytest.mark.parametrize("weight", [0, 1e-300, 11, float("nan"), float("inf")])
def test_weights_that_vanish_are_refused(weight):
    with pytest.raises(ValidationError, match="weight"):
        Objective(quantity="K", low=1.0, weight=weight)


def test_the_largest_seed_is_a_seed():
    request = DesignRequest(target_bulk=60, count=1, steps=2, method="random", seed=2**63 - 1)
    (design,) = study.design(request).designs
    assert design.ok, design.message
