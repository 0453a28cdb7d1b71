"""Objectives at relaxed fields: values, gradients against finite differences, what a met target asks for."""

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Properties
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.fem import boundary
from relaxdesign.study.guidance import step_direction
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.selection import with_known_properties
from tests.analytic_prior import gaussian_prior, generator


def test_gradient_of_the_objectives_matches_finite_differences():
    prior = gaussian_prior()
    clean = (0.2 * torch.randn(2, 3, 8, 8, generator=generator(4), dtype=torch.float64)).clamp(-1, 1)
    request = DesignRequest(target_bulk=60, density_weight=1)
    objectives = Objectives(request.objectives, tolerance=1e-9)
    evaluation = objectives.evaluate(prior, clean)
    direction = torch.randn(clean.shape, generator=generator(5), dtype=torch.float64)
    h = 1e-5

    def values(shift):
        e = objectives.evaluate(prior, clean + shift * direction)
        return e.linearisation.target_residual[:, 0], e.density.log()

    (up, up_density), (down, down_density) = values(h), values(-h)
    slope = (evaluation.linearisation.target_gradient[:, 0] * direction).flatten(1).sum(1)
    torch.testing.assert_close(slope, (up - down) / (2 * h), rtol=1e-6, atol=1e-9)
    slope = (evaluation.linearisation.minimise_gradient[:, 0] * direction).flatten(1).sum(1)
    torch.testing.assert_close(slope, (up_density - down_density) / (2 * h), rtol=1e-6, atol=1e-9)
    assert set(evaluation.losses) == {"bulk modulus", "density"}


def test_a_finished_field_is_solved_as_closely_as_its_softness_needs(monkeypatch):
    """With the Green operator, as on a GPU: multigrid finds such a cell's K at any residual."""
    monkeypatch.setattr(boundary, "make_multigrid", lambda operator: None)
    prior = gaussian_prior()
    moduli = ((0.0017, 200.0), (0.0019, 120.0), (0.016, 4.0))  # a foam, a ceramic
    foam, ceramic = prior.channels.encode(Properties(*torch.tensor(moduli, dtype=torch.float64)), axis=-1)
    edge = (torch.arange(16, dtype=torch.float64) + 0.5) / 16 - 0.5
    radius = (edge[:, None, None] ** 2 + edge[:, None] ** 2 + edge**2).sqrt()
    share = torch.sigmoid(400 * (0.4 - radius))  # a ball with a blurred surface
    field = (foam.view(3, 1, 1, 1) * (1 - share) + ceramic.view(3, 1, 1, 1) * share)[None]
    properties = prior.decode(field)
    exact = float(Evaluator(tolerance=1e-8)(properties.as_fields()).values["K"])
    objectives = Objectives([parse_objective("K = 0.004")])
    for _ in range(3):  # as at the end of sampling, where the softness is known from before
        found = float(objectives.evaluate(prior, field, finished=True).bulk)
    assert found == pytest.approx(exact, rel=1e-3)
    assert abs(float(Evaluator(tolerance=1e-4)(properties.as_fields()).values["K"]) / exact - 1) > 0.01, (
        "not a case that needs it"
    )


@pytest.mark.parametrize(
    "text",
    [
        "G = 20",
        "nu <= 0.01",
        "Ex/Ey = 1.2",
        "C11 >= 300",
        "C12 = 30",
        "AU <= 1e-4",
        "conductivity >= 60",
        "conductivity_x >= 60",
    ],
)
def test_gradients_of_every_kind_of_objective_match_finite_differences(text):
    prior = gaussian_prior()
    generator_ = torch.Generator().manual_seed(4)
    clean = (0.2 * torch.randn(1, 3, 6, 6, generator=generator_, dtype=torch.float64)).clamp(-1, 1)
    request = DesignRequest(objectives=[parse_objective(text)])
    catalogue = with_known_properties(Catalogue.default().select(), request.objectives)
    objectives = Objectives.from_request(request, catalogue, prior.channels)
    objectives.tolerance = 1e-10
    direction = torch.randn(clean.shape, generator=generator_, dtype=torch.float64)
    evaluation = objectives.evaluate(prior, clean)
    residual = evaluation.linearisation.target_residual
    assert float(residual) != 0, "the target is met already: its gradient is not asked for"
    up, down = (objectives.evaluate(prior, clean + h * direction).linearisation.target_residual for h in (1e-4, -1e-4))
    slope = (evaluation.linearisation.target_gradient[:, 0] * direction).sum()
    # The look-up of conductivities works in float32.
    assert float(slope) == pytest.approx(float(up - down) / 2e-4, rel=2e-2 if "conductivity" in text else 1e-4)


def test_an_interval_asks_for_nothing_inside():
    prior = gaussian_prior()
    clean = torch.full((1, 3, 8, 8), 0.1)
    (bulk,) = Objectives([parse_objective("K = 1")]).evaluate(prior, clean).bulk
    inside = Objectives([parse_objective(f"{0.9 * bulk} <= K <= {1.1 * bulk}")]).evaluate(prior, clean)
    assert float(inside.linearisation.target_residual) == 0
    assert not step_direction(inside.linearisation).any()
    below = Objectives([parse_objective(f"K >= {1.2 * bulk}")]).evaluate(prior, clean)
    assert float(below.linearisation.target_residual) == pytest.approx(-np.log(1.2), rel=1e-4)
