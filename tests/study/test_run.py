"""The whole job with the shipped prior: events, stages, cancelling, failures, repeatability."""

import json

import numpy as np
import pytest
import torch

from relaxdesign.export import result_json
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.fem import bulk_modulus, bulk_shear_from_young_poisson
from relaxdesign.prior.model import MODEL_DIRECTORY, load_prior, shipped_priors
from relaxdesign.study import run as study
from relaxdesign.study.events import DesignEvent, FinishedEvent, StepEvent
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design

REQUEST = DesignRequest(target_bulk=120, count=4, steps=12, seed=3)


@pytest.fixture(scope="module")
def events():
    return list(study.run(REQUEST))


@pytest.fixture(scope="module")
def result(events):
    return events[-1].result


def test_events_come_in_order_and_carry_every_candidate(events):
    steps = [e for e in events if isinstance(e, StepEvent)]
    designs = [e for e in events if isinstance(e, DesignEvent)]
    assert [e.step for e in steps] == list(range(1, 13))
    assert [e.design.index for e in designs] == [0, 1, 2, 3]
    assert isinstance(events[-1], FinishedEvent) and len(events) == 12 + 4 + 1
    assert steps[0].young.shape == (4, 64, 64, 1)
    levels = [e.noise_level for e in steps]
    assert levels == sorted(levels, reverse=True) and levels[-1] == 0
    assert all(np.isfinite(e.bulk).all() and (e.iterations > 0) for e in steps)


def test_guidance_closes_in_on_the_target(events):
    steps = [e for e in events if isinstance(e, StepEvent)]
    first, last = (np.abs(np.log(steps[i].bulk / 120)).max() for i in (0, -1))
    assert last < 0.01 < first
    assert float(steps[-1].losses["bulk modulus"].max()) < 1e-4


def test_designs_are_verified_and_lie_within_the_bounds(result):
    realised = [d for d in result.designs if d.ok]
    assert len(realised) >= 3
    for design in realised:
        assert abs(design.error) < 0.01
        assert design.bounds.admits(design.at("realised", "K"))
        assert design.residual <= 1e-4
        assert design.labels.mean() == pytest.approx(design.shares[1], abs=0.01)
        m, p = design.materials
        phase = torch.from_numpy(design.labels.astype(bool))
        young, poisson = (
            torch.where(phase, *(torch.tensor(v, dtype=torch.float64) for v in pair))[None]
            for pair in ((p.young, m.young), (p.poisson, m.poisson))
        )
        again = bulk_modulus(*bulk_shear_from_young_poisson(young, poisson))
        assert float(again.value[0]) == pytest.approx(design.voxels["K"], rel=1e-5)
        assert design.trust["K"].value == design.at("realised", "K")
        share = design.shares[1]
        assert design.value("density") == pytest.approx((1 - share) * m.density + share * p.density)
    pairs = {d.materials for d in realised}
    assert len(pairs) == len(realised)


def test_relaxed_stage_is_the_last_step(events, result):
    last = [e for e in events if isinstance(e, StepEvent)][-1]
    for design in result.designs:
        assert design.at("relaxed", "K") == pytest.approx(float(last.bulk[design.index]), rel=1e-3)
        np.testing.assert_allclose(design.relaxed[0], last.young[design.index], rtol=1e-4)


def test_same_seed_same_designs_other_seed_other_designs(result):
    small = REQUEST.model_copy(update={"count": 2, "steps": 5})
    first, second = (study.design(small) for _ in range(2))
    other = study.design(small.model_copy(update={"seed": 4}))
    for a, b in zip(first.designs, second.designs, strict=True):
        assert a.stages == b.stages and a.materials == b.materials
    assert [d.stages for d in other.designs] != [d.stages for d in first.designs]


def test_cancel_between_steps_ends_early_with_a_result():
    seen = []
    events = []
    for event in study.run(REQUEST, cancel=lambda: len(seen) >= 3):
        seen.append(event)
        events.append(event)
    assert sum(isinstance(e, StepEvent) for e in events) == 3
    assert events[-1].result.status == "cancelled" and events[-1].result.designs == ()


def test_unreachable_target_names_the_interval_before_any_work():
    with pytest.raises(study.RequestError, match=r"550 GPa is out of reach.*between .* and 4\d\d"):
        next(study.run(DesignRequest(target_bulk=550)))
    with pytest.raises(study.RequestError, match="out of reach"):
        next(study.run(DesignRequest(target_bulk=120, categories=("polymer",))))
    with pytest.raises(study.RequestError, match="unknown categories"):
        next(study.run(DesignRequest(target_bulk=120, categories=("cheese",))))
    with pytest.raises(study.RequestError, match="makes 2D fields"):
        next(study.run(DesignRequest(target_bulk=120, dim=3, prior="composite-2d-64")))


def test_a_negative_poissons_ratio_can_be_asked_of_auxetic_materials():
    """Not refused where an auxetic material is on offer; of two nearly equal steels it is out of reach."""
    own = "id,name,E_GPa,nu,rho_g_cm3\naux,Auxetic foam,0.001,-0.6,0.1\nsteel,Steel,210,0.3,7.85"
    asked = {"objectives": [parse_objective("nu = -0.2")], "family": "free-form"}
    for dim in (2, 3):
        request = DesignRequest.model_validate(asked | {"dim": dim, "materials_csv": own})
        assert [m.poisson for m in study.materials_on_offer(request).materials] == [-0.6, 0.3]
    alike = own.replace("-0.6", "0.3").replace("0.001,", "200,")
    with pytest.raises(study.RequestError, match="out of reach"):
        study.materials_on_offer(DesignRequest.model_validate(asked | {"materials_csv": alike}))


def test_only_materials_on_offer_are_used():
    request = DesignRequest(target_bulk=60, count=2, steps=8, categories=("metal", "glass"), seed=1)
    for design in study.design(request).designs:
        if design.ok:
            assert {material.category for material in design.materials} <= {"metal", "glass"}
            assert not any(material.flag for material in design.materials)


def test_results_survive_json(result):
    values = json.loads(result_json(result))
    for stored, design in zip(values["designs"], result.designs, strict=True):
        assert set(stored["stages"]) == {"relaxed", "projected", "snapped", "refined", "realised"}
        back = Design.from_dict(stored, labels=design.labels, relaxed=design.relaxed)
        assert (
            back.index == design.index
            and back.stages == design.stages
            and back.materials == design.materials
            and back.bounds == design.bounds
            and back.snapped == design.snapped is not None
        )


def test_3d_designs_are_spheres_on_target():
    result = study.design(DesignRequest(target_bulk=60, dim=3, count=2, steps=10, seed=1))
    assert result.prior.startswith("composite-3d-32")
    for design in result.designs:
        assert design.ok and abs(design.error) < 0.01, design.message
        assert design.labels.shape == (32, 32, 32) and design.bounds.admits(design.at("realised", "K"))
        # Most planes cut particles, and none is all particle: neither a fibre nor a layer.
        for axis in range(3):
            share = design.labels.mean(axis=tuple(a for a in range(3) if a != axis))
            assert (share > 0.0).mean() > 0.7 and share.max() < 0.9


@pytest.mark.parametrize("name", shipped_priors())
def test_shipped_priors_say_what_they_are(name):
    prior = load_prior(name)
    assert (MODEL_DIRECTORY / f"{name}.safetensors").stat().st_size < 30e6
    assert prior.card["description"]
    if prior.of_shapes:
        assert prior.card["metrics"]["connected_but_specks"] > 0.8 and prior.card["metrics"]["crisp"] > 0.85
        return
    assert prior.card["metrics"]["two_phase"] > 0.9
    trained_with, offered = len(prior.network.head.materials), len(Catalogue.default().select())
    assert abs(trained_with - offered) < 0.05 * offered, "some came, and some went, after the training"


def test_unrefined_designs_are_of_different_materials_too():
    """Six samples and few pairs of what is on offer that suit them: the nearest would be taken more than once."""
    rows = ("a,A,70,0.33,2.7", "b,B,400,0.2,3.9", "c,C,76,0.33,2.8", "d,D,380,0.21,3.8")
    own = "\n".join(("id,name,E_GPa,nu,rho_g_cm3", *rows))
    settings = {"target_bulk": 90.0, "count": 6, "steps": 10, "seed": 1, "refine": False, "materials_csv": own}

    def pairs(**more) -> list[tuple[str, str]]:
        designs = study.design(DesignRequest.model_validate(settings | more)).designs
        return [d.materials for d in designs if d.ok]

    different, as_they_come = pairs(), pairs(distinct=False)
    assert len(set(different)) == len(different) >= 3
    assert len(set(as_they_come)) < len(as_they_come)
    assert different[0] == as_they_come[0]


@pytest.mark.parametrize("method", ["guided", "gradient", "random"])
def test_when_all_candidates_fail_each_says_why(method, monkeypatch):
    def spoilt(self, prior, clean, **options):
        return solve(self, prior, torch.full_like(clean, torch.nan), **options)

    solve = Objectives.evaluate
    monkeypatch.setattr(Objectives, "evaluate", spoilt)
    result = study.design(DesignRequest(target_bulk=60, count=2, steps=4, method=method))
    assert result.status == "finished" and [design.ok for design in result.designs] == [False, False]
    assert all("homogenisation" in design.message for design in result.designs)


def test_conduction_that_fails_is_a_failure_of_its_cell_only():
    fields = {
        name: torch.full((2, 4, 4, 1), value) for name, value in (("bulk", 10.0), ("shear", 5.0), ("density", 1.0))
    }
    conductivity = torch.full((2, 4, 4, 1), 3.0)
    conductivity[1, 0, 0, 0] = torch.nan
    effective = Evaluator({"conductivity"})(fields | {"conductivity": conductivity}, raise_on_failure=False)
    assert float(effective.values["conductivity"][0]) == pytest.approx(3.0)
    assert list(effective.messages) == [1] and "conductivity" in effective.messages[1]


def test_targets_that_exclude_each_other_are_said_to_be_missed():
    own = "id,name,E_GPa,nu,rho_g_cm3\nf,Foam,0.5,0.3,0.3\ns,Steel,210,0.3,7.8\na,Alumina,380,0.22,3.9"
    objectives = [{"quantity": "K", "low": 100}, {"quantity": "density", "high": 1}]
    settings = {"count": 2, "steps": 4, "method": "random", "distinct": False, "materials_csv": own}
    request = DesignRequest.model_validate({"objectives": objectives} | settings)
    result = study.design(request)
    assert [design.ok for design in result.designs] == [True, True]
    assert result.remark.startswith("none of 2 designs meets both K ≥ 100 GPa and density ≤ 1 g/cm³: ")
    told = result.remark.split(": ", 1)[1]
    for name in ("K", "density"):
        assert any(name in design.off_target for design in result.designs) == (f"{name} " in told)
    values = json.loads(result_json(result))
    assert values["on_target"] == 0 and values["remark"] == result.remark
    assert [design["on_target"] for design in values["designs"]] == [False, False]
