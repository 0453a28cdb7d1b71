"""Every method hands over one field per candidate, within its budget, through the same interface."""

import math
from typing import get_args

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.microstructure import PARTICLES
from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.particles.fitting import project
from relaxdesign.prior.model import PriorError, load_prior
from relaxdesign.study import methods
from relaxdesign.study import run as study
from relaxdesign.study.events import StepEvent
from relaxdesign.study.guidance import SamplerStep
from relaxdesign.study.methods import level_set, random_shapes, sampler_for
from relaxdesign.study.methods.discrete import DiscreteDesign, Encoding, search
from relaxdesign.study.methods.searchers import PairSearch
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.objectives import Evaluation, Objectives
from relaxdesign.study.refinement.interface import Interface
from relaxdesign.study.request import DesignRequest, Method
from relaxdesign.study.selection import PairTable
from relaxdesign.study.tuning import TUNING

METHODS = ("guided", "noise", "best-of-n", "gradient", "random", "pairs", "genetic", "cma-es")
CATALOGUE = Catalogue.default().select()
MANY_SAMPLES = pytest.param("best-of-n", marks=pytest.mark.slow)


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
    search = PairSearch(CATALOGUE, PARTICLES, 3)
    pair, residual = search.pair, 1.0
    for _ in range(12):
        design = search.ask()
        if design.pair != pair.pair:
            break
        residual = np.log((0.2 + design.share**2) / 0.26)
        search.tell(design, residual**2, residual)
    assert abs(residual) < PairSearch._CLOSE


def test_encoded_designs_decode_to_themselves():
    encoding = Encoding.of(CATALOGUE, AsinhChannels(), PARTICLES)
    design = DiscreteDesign((3, 200), 0.31, 0.22)
    back = encoding.decode(encoding.encode(design))
    assert back.pair == (3, 200)
    assert (back.share, back.size) == pytest.approx((0.31, 0.22))


def test_conditional_prior_is_told_one_bulk_modulus_only():
    with pytest.raises(PriorError, match="unconditional"):
        steps_of("conditional")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            {"method": "conditional", "objectives": [{"quantity": "G", "low": 20}]},
            "one value of K and nothing else, got G ≥ 20",
        ),
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


def test_conditional_prior_is_told_nothing_but_a_bulk_modulus():
    with pytest.raises(ValueError, match="nothing else, got K = 60 GPa and minimise density"):
        steps_of("conditional", density_weight=1)


def test_a_study_by_search_ends_in_verified_designs():
    request = DesignRequest.model_validate({"target_bulk": 60, "count": 2, "steps": 10, "method": "pairs"})
    *events, finished = study.run(request)
    assert sum(isinstance(event, StepEvent) for event in events) == 10
    assert all(abs(design.error) < 0.01 for design in finished.result.designs)
    assert finished.result.load_cases > 20


# ---- quantities to be small or large ----


def pair_fields(prior, *pairs: tuple[int, int]) -> torch.Tensor:
    """A disc of the second material in the first, per pair of indices."""
    points = prior.channels.encode(CATALOGUE.properties, axis=-1).float()
    edge = (torch.arange(prior.grid) + 0.5) / prior.grid - 0.5
    disc = edge[:, None] ** 2 + edge**2 < 0.09
    return torch.stack([torch.where(disc, *(points[i].view(3, 1, 1) for i in (p, m))) for m, p in pairs])


def test_searches_and_refinement_weigh_what_is_to_be_small_alike():
    prior = load_prior("composite-2d-64")
    wanted = [parse_objective(text) for text in ("K = 60 @ 2", "minimise density @ 3", "maximise C12")]
    objectives = Objectives(wanted)
    evaluation = objectives.evaluate(prior, pair_fields(prior, (3, 40), (100, 7)))
    values = {name: value.double().numpy() for name, value in evaluation.values.items()}
    density, coupling = np.log(values["density"]), np.arcsinh(values["C12"])
    expected = 2 * np.log(values["K"] / 60) ** 2 + TUNING.extreme_worth * (3 * density - coupling)
    np.testing.assert_allclose(objectives.losses(evaluation), expected, rtol=1e-5)
    light, plain = (PairTable(CATALOGUE, wanted[: 1 + n], PARTICLES, 2, 64) for n in (1, 0))
    at = np.searchsorted(np.linspace(0.05, 0.5, 24), light.share).clip(1, 23)
    vf, rho = np.linspace(0.05, 0.5, 24)[at], CATALOGUE.properties.density.numpy()
    mean = (1 - vf) * rho[light.matrix] + vf * rho[light.inclusion]
    np.testing.assert_allclose(light.extreme_cost, 3 * TUNING.extreme_worth * np.log(mean))
    assert not plain.extreme_cost.any()


def test_a_quantity_to_be_small_may_be_negative():
    prior = load_prior("composite-2d-64")
    objectives = Objectives([parse_objective("K >= 1e-3"), parse_objective("minimise C16")])
    edge = torch.arange(prior.grid)
    stripes = (((edge[:, None] + sign * edge) % 64 < 32) for sign in (1, -1))
    points = prior.channels.encode(CATALOGUE.properties, axis=-1).float()[[0, 200]].view(2, 3, 1, 1)
    evaluation = objectives.evaluate(prior, torch.stack([torch.where(stripe, *points) for stripe in stripes]))
    mirrored = evaluation.values["C16"]
    assert mirrored.abs().min() > 0.01 and float(mirrored[0]) == pytest.approx(-float(mirrored[1]), rel=1e-3)
    losses = objectives.losses(evaluation)
    assert losses.isfinite().all() and int(losses.argmin()) == int(mirrored.argmin())


@pytest.mark.parametrize("method", [MANY_SAMPLES, "random", "cma-es", "gradient"])
def test_every_method_heeds_a_low_density(method):
    """Against the same seeds without it; refinement, which would make up for it, is not asked."""

    def density(weight: float) -> float:
        found = [steps_of(method, count=3, steps=24, density_weight=weight, seed=seed)[0][-1] for seed in (0, 1)]
        return float(np.mean([step.evaluation.density.mean() for step in found]))

    assert density(10.0) < 0.8 * density(0.0)


# ---- seeds and failures ----


class Repeating:
    """Asks for one design again and again; keeps what it was told."""

    def __init__(self, design: DiscreteDesign):
        self.design, self.told = design, []

    def ask(self) -> DiscreteDesign:
        return self.design

    def tell(self, design: DiscreteDesign, loss: float, residual: float) -> None:
        self.told.append((loss, residual))


def placed(seeds: list[int], vf: float = 0.3) -> tuple[list[SamplerStep], Repeating]:
    prior = load_prior("composite-2d-64")
    searcher = Repeating(DiscreteDesign((3, 40), vf, 0.2))
    objectives = Objectives([parse_objective("K = 60")])
    steps = list(search(prior, objectives, CATALOGUE, PARTICLES, [searcher] * len(seeds), seeds, 4))
    return steps, searcher


def test_placements_follow_the_seed():
    (first, *_), _ = placed([1, 2])
    (again, *_), _ = placed([1])
    assert torch.equal(first.clean[0], again.clean[0]) and not torch.equal(first.clean[0], first.clean[1])
    one, other = (steps_of("random", count=1, steps=2, seed=seed)[0][0].clean for seed in (0, 1))
    assert not torch.equal(one, other)


def test_a_design_that_cannot_be_placed_is_passed_over_and_said():
    steps, searcher = placed([1], vf=0.7)
    assert not steps[-1].alive.any() and "too dense" in steps[-1].messages[0]
    assert all(loss >= 1e3 and math.isnan(residual) for loss, residual in searcher.told)


class Failing(Objectives):
    """Real objectives of fields in which one candidate holds no numbers at some evaluations."""

    calls = 0
    at: tuple[int, ...] = ()

    def evaluate(self, prior, clean, **how) -> Evaluation:
        self.calls += 1
        if self.calls in self.at:
            clean = clean.clone()
            clean[1] = torch.nan
        return super().evaluate(prior, clean, **how)


def failing_steps(method: str, at: tuple[int, ...], steps: int = 6) -> tuple[list[SamplerStep], Failing]:
    request = DesignRequest.model_validate({"target_bulk": 60, "count": 3, "steps": steps, "method": method})
    prior = load_prior("composite-2d-64")
    objectives = Failing(request.objectives)
    objectives.at = at
    return list(sampler_for(request, prior, objectives, CATALOGUE)), objectives


@pytest.mark.parametrize("method", ["guided", "noise", "gradient"])
def test_a_failed_candidate_is_dropped_for_good(method):
    steps, objectives = failing_steps(method, at=(3,))
    dropped = next(i for i, step in enumerate(steps) if not step.alive.all())
    for step in steps[dropped:]:
        assert step.alive.tolist() == [True, False, True] and len(step.clean) == 2
        assert "homogenisation" in step.messages[1]
        assert step.evaluation.bulk.isfinite().all() and len(step.evaluation.bulk) == 2
    assert objectives.load_cases <= 3 * 3 + 2 * (objectives.calls - 3)
    assert float(steps[-1].evaluation.bulk.log().sub(math.log(60)).abs().max()) < float(
        steps[0].evaluation.bulk[[0, 2]].log().sub(math.log(60)).abs().max()
    )


@pytest.mark.parametrize("method", [MANY_SAMPLES, "random", "pairs", "genetic", "cma-es"])
def test_a_search_passes_over_single_failures_and_drops_who_has_nothing_else(method):
    steps, _ = failing_steps(method, at=(2, 4))
    assert steps[-1].alive.all() and not steps[-1].messages and steps[-1].evaluation.bulk.isfinite().all()
    steps, _ = failing_steps(method, at=tuple(range(1, 6)))
    assert steps[-1].alive.tolist() == [True, False, True] and len(steps[-1].clean) == 2
    assert "homogenisation" in steps[-1].messages[1]


@pytest.mark.parametrize("method", [MANY_SAMPLES if name == "best-of-n" else name for name in METHODS])
def test_a_failure_of_the_finished_field_is_said(method):
    steps, objectives = failing_steps(method, at=())
    steps, _ = failing_steps(method, at=(objectives.calls,))
    assert steps[-1].alive.tolist() == [True, False, True] and "homogenisation" in steps[-1].messages[1]


def test_gradients_are_not_reused_between_designs_that_have_nothing_in_common():
    steps, objectives = steps_of("random", count=1, steps=6, guidance={"reuse": 3})
    assert objectives.load_cases == 6 and all(step.evaluation.bulk.isfinite().all() for step in steps)


def test_requests_can_name_every_method_and_no_other():
    assert set(get_args(Method)) == set(methods.METHODS)


# ---- shapes of given phases ----

TITANIUM = "titanium-alloy-ti-6al-4v-annealed"
CASES = 6  # linear systems of an evaluation for these two and K
STIFF_ALONG_X = ({"quantity": "C11", "low": 50, "high": 50}, {"quantity": "C22", "low": 25, "high": 25})


def shapes_of(method: str, count: int = 2, steps: int = 12, **settings):
    asked = {"family": "free-form", "phases": ("void", TITANIUM), "objectives": STIFF_ALONG_X, "method": method}
    request = DesignRequest.model_validate(asked | {"count": count, "steps": steps} | settings)
    materials, prior = study.check_request(request), load_prior("free-form-2d-64")
    prior.offer(materials)
    objectives = Objectives.from_request(request, materials, prior.channels)
    return list(sampler_for(request, prior, objectives, materials)), objectives


@pytest.mark.parametrize("method", ["level-set", "random"])
def test_searches_among_shapes_keep_their_budget_and_end_better_than_they_began(monkeypatch, method):
    solved, solve = [], Interface.solved
    monkeypatch.setattr(Interface, "solved", lambda self, level: solved.append(level) or solve(self, level))
    steps, objectives = shapes_of(method, steps=18)
    shown = 18 if method == "random" else 3
    assert [step.index for step in steps] == [18 // shown * (i + 1) for i in range(shown)]
    assert len(solved) <= 2 * (18 - shown) and (method == "random" or len(solved) > 18 - shown)
    assert objectives.load_cases == CASES * (2 * shown + len(solved))
    began, ended = steps[0].evaluation, steps[-1].evaluation
    assert began is not None and ended is not None
    first, last = objectives.losses(began), objectives.losses(ended)
    assert bool((last < 1.01 * first).all()), "the last ones are solved accurately"
    assert float(last.mean()) < 0.5 * float(first.mean()) and float(last.max()) < 0.1
    again, _ = shapes_of(method, steps=18)
    assert torch.equal(steps[-1].clean, again[-1].clean)
    assert not torch.equal(steps[-1].clean[0], steps[-1].clean[1])


def test_a_candidate_draws_the_same_shapes_however_many_there_are():
    few, many = (shapes_of("random", count=count, steps=3)[0] for count in (1, 17))
    for one, other in zip(few[:2], many[:2], strict=True):
        assert torch.equal(one.clean[0], other.clean[0]) and not torch.equal(other.clean[0], other.clean[1])


def test_random_shapes_are_whole_symmetric_and_of_the_kind_that_is_asked_for():
    for settings in ({}, {"symmetry": "orthotropic"}, {"shape": "lattice", "symmetry": "orthotropic"}):
        (first, *_), _ = shapes_of("random", count=4, steps=2, **settings)
        for field in first.clean[:, 0]:
            assert set(field.unique().tolist()) == {-1.0, 1.0} and pieces((field > 0).numpy()).connected
            if settings.get("symmetry"):
                assert torch.equal(field, field.flip(0)) and torch.equal(field, field.flip(1))
    swapped, _ = shapes_of("random", steps=2, phases=(TITANIUM, "void"))
    assert all(pieces((field < 0).numpy()).connected for field in swapped[0].clean[:, 0]), "the solid, first here"


def test_random_shapes_that_cannot_be_drawn_are_passed_over_and_said(monkeypatch):
    def failing(*_):
        raise RuntimeError("hardly any cell is one piece")

    monkeypatch.setattr(random_shapes, "draw_shapes", failing)
    steps, _ = shapes_of("random", steps=3)
    assert not steps[-1].alive.any() and "hardly any" in steps[-1].messages[0]


def test_level_sets_begin_with_a_solid_that_hangs_together_at_the_fraction_that_is_asked_for():
    field = np.sin(np.arange(64) * np.pi / 16)[:, None] + np.sin(np.arange(64) * np.pi / 32)[None]
    for solid in (0, 1):
        level = level_set._start(field, 0.6, solid)
        inside = (level > 0) == bool(solid)
        assert pieces(inside).spans[0] == 2 and 0.55 < inside.mean() < 0.95
    assert (level_set._start(field, 0.2, None) > 0).mean() == pytest.approx(0.2, abs=0.03)
    asked = {"objectives": [{"quantity": "solid", "high": 0.4}, {"quantity": "K", "low": 5}]}
    given = {"family": "free-form", "phases": ("void", TITANIUM)}
    assert level_set._solid_fraction(DesignRequest.model_validate(asked | given)) == 0.4


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"method": "level-set"}, "the method level-set searches among shapes of given phases: give two"),
        (
            {"method": "pairs", "family": "free-form", "phases": ("void", TITANIUM)},
            "these do: guided.*level-set, random",
        ),
    ],
)
def test_methods_refuse_what_they_cannot_search_among(wanted, said):
    with pytest.raises(study.RequestError, match=said):
        study.check_request(DesignRequest.model_validate({"target_bulk": 15} | wanted))
