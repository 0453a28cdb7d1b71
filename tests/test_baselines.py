"""Every method hands over one field per candidate, within its budget, through the same interface."""

import math

import numpy as np
import pytest
import torch

from relaxdesign import study
from relaxdesign.baselines import sampler_for
from relaxdesign.baselines.discrete import DiscreteDesign, Encoding
from relaxdesign.baselines.searchers import PairSearch
from relaxdesign.catalogue import Catalogue
from relaxdesign.channels import AsinhChannels
from relaxdesign.events import StepEvent
from relaxdesign.objectives import Objectives
from relaxdesign.prior.model import PriorError, load_prior
from relaxdesign.projection import project
from relaxdesign.request import DesignRequest

CATALOGUE = Catalogue.default().select()


def steps_of(method: str, count: int = 2, steps: int = 12, **settings):
    request = DesignRequest.model_validate(
        {"target_bulk": 60, "count": count, "steps": steps, "method": method} | settings
    )
    prior = load_prior("composite-2d-64")
    objectives = Objectives.from_request(request, CATALOGUE, prior.channels)
    return list(sampler_for(request, prior, objectives, CATALOGUE)), objectives


@pytest.mark.parametrize("method", ["random", "pairs", "genetic", "cma-es", "gradient"])
def test_searches_keep_their_budget_and_end_better_than_they_began(method):
    steps, objectives = steps_of(method, count=3, steps=25)
    assert [step.index for step in steps] == list(range(1, 26)) and all(step.steps == 25 for step in steps)
    assert objectives.load_cases == 25 * 3
    first, last = (np.abs(np.log(steps[i].evaluation.bulk.numpy() / 60)) for i in (0, -1))
    assert np.median(last) < np.median(first)
    again, _ = steps_of(method, count=3, steps=25)
    assert torch.equal(steps[-1].clean, again[-1].clean)


@pytest.mark.parametrize("method", ["random", "pairs", "genetic", "cma-es"])
def test_discrete_designs_survive_the_projection(method):
    steps, _ = steps_of(method, count=2, steps=4)
    for field in steps[-1].clean:
        assert field.flatten(1).unique(dim=1).shape[1] == 2  # two materials, nothing between
        project(field)


def test_gradient_descent_meets_its_target_but_not_two_phases():
    steps, _ = steps_of("gradient", steps=15)
    torch.testing.assert_close(steps[-1].evaluation.bulk, torch.full((2,), 60.0), rtol=1e-2, atol=0)
    assert float(steps[-1].clean[0].std()) > 0.1


def test_noise_optimisation_moves_samples_onto_the_target():
    steps, _ = steps_of("noise", count=1, steps=8)
    first, last = (abs(math.log(float(steps[i].evaluation.bulk) / 60)) for i in (0, -1))
    assert last < 0.05 < first


def test_root_finding_closes_in_on_the_target():
    """On a made-up monotone response the search ends at its root."""
    search = PairSearch(CATALOGUE, 3)
    pair, residual = search.pair, 1.0
    for _ in range(12):
        design = search.ask()
        if (design.matrix, design.particle) != (pair.matrix, pair.particle):
            break
        residual = np.log((0.2 + design.volume_fraction**2) / 0.26)
        search.tell(design, residual**2, residual)
    assert abs(residual) < PairSearch._CLOSE


def test_encoded_designs_decode_to_themselves():
    encoding = Encoding.of(CATALOGUE, AsinhChannels())
    design = DiscreteDesign(3, 200, 0.31, 0.22)
    back = encoding.decode(encoding.encode(design))
    assert (back.matrix, back.particle) == (3, 200)
    assert (back.volume_fraction, back.diameter) == pytest.approx((0.31, 0.22))


def test_conditional_prior_is_told_one_bulk_modulus_only():
    with pytest.raises(PriorError, match="unconditional"):
        steps_of("conditional")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"method": "conditional", "objectives": [{"quantity": "G", "low": 20}]}, "one value of K only, got G ≥ 20"),
        ({"method": "conditional", "target_bulk": 60, "dim": 3}, "no prior for 3D here: choose another"),
        (
            {"method": "pairs", "objectives": [{"quantity": "K", "low": 60}, {"quantity": "density", "high": 3}]},
            "one target, got K ≥ 60 GPa and density ≤ 3",
        ),
    ],
)
def test_what_a_method_cannot_serve_is_refused_before_any_work(values, why):
    with pytest.raises(study.RequestError, match=why):
        next(study.run(DesignRequest.model_validate(values)))


def test_a_study_by_search_ends_in_verified_designs():
    request = DesignRequest.model_validate({"target_bulk": 60, "count": 2, "steps": 10, "method": "pairs"})
    *events, finished = study.run(request)
    assert sum(isinstance(event, StepEvent) for event in events) == 10
    assert all(abs(design.error) < 0.01 for design in finished.result.designs)
    assert finished.result.load_cases > 20
