"""Shapes of three given phases, of which one may be void: from the request to the verified cell."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from relaxdesign.export import ALL_FORMATS, result_files
from relaxdesign.export.records import design_json
from relaxdesign.library.records import named_columns
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import SOFTEST_WHILE_STEERING, PhaseChannels
from relaxdesign.microstructure.base import FitError
from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.features import smallest_feature
from relaxdesign.microstructure.free_form import free_form_of
from relaxdesign.microstructure.symmetry import NO_SYMMETRY, Symmetry
from relaxdesign.prior.model import load_prior
from relaxdesign.study import run as study
from relaxdesign.study.objective import Objective
from relaxdesign.study.objectives import Objectives
from relaxdesign.study.presets import fields_of
from relaxdesign.study.projected import Projected
from relaxdesign.study.refinement.interface import Interface
from relaxdesign.study.refinement.making import Making, MakingOfThree
from relaxdesign.study.request import DesignRequest, RequestError
from relaxdesign.study.result import Design
from relaxdesign.study.simulation import Simulation

INVAR, ALUMINIUM = "invar-36", "aluminium-alloy-6061-t6"
THREE = {"family": "free-form", "phases": ("void", INVAR, ALUMINIUM)}
PHASES = Catalogue.default().of_phases(("void", INVAR, ALUMINIUM))
FAMILY = free_form_of(3)
ASKED = ("K", "Ex", "cte_x", "cte", "conductivity", "solid", "density")
"""Quantities of every physics."""


def request(**more) -> DesignRequest:
    return DesignRequest.model_validate({"target_bulk": 15.0} | THREE | more)


def bumps(grid: int, dim: int, seed: int, smooth: float = 3.0) -> np.ndarray:
    """Random smooth fields (2, *grid) of deviation 1."""
    rng = np.random.default_rng(seed)
    fields = [gaussian_filter(rng.standard_normal((grid,) * dim), smooth, mode="wrap") for _ in range(2)]
    return np.stack([field / field.std() for field in fields])


@pytest.fixture
def solved_to_the_end(monkeypatch):
    monkeypatch.setattr(Simulation, "_tolerance", lambda *_: 1e-6)


# ---- what a request may say ----


def test_three_phases_are_named_in_one_text_or_three():
    for said in (f"void,{INVAR},{ALUMINIUM}", (f"void, {INVAR},{ALUMINIUM}",), ("void", INVAR, ALUMINIUM)):
        assert request(phases=said).phases == ("void", INVAR, ALUMINIUM)
    two = request(phases="void,Titanium alloy Ti-6Al-4V, annealed")  # a name with a comma, as before
    assert two.phases == ("void", "Titanium alloy Ti-6Al-4V, annealed")
    last = study.materials_on_offer(request(phases=(INVAR, ALUMINIUM, "pores")))
    assert [material.id for material in last.materials] == ["void", INVAR, ALUMINIUM]  # void is the first phase


def test_more_than_three_are_refused():
    with pytest.raises(ValidationError, match="at most 3"):
        request(phases=("void", INVAR, ALUMINIUM, "copper"))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"phases": ("void", INVAR, "invar-36")}, "have to be different"),
        ({"phases": ("void", INVAR, "unobtainium")}, "unknown material 'unobtainium'"),
        ({"method": "level-set"}, "between two phases: choose topology or guided"),
        ({"method": "genetic"}, "these do: guided"),
        ({"target_bulk": 150.0}, "out of reach"),
        ({"objectives": ({"quantity": "cte_x", "high": 0.0},), "phases": ("void", INVAR)}, "give a second solid"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_any_work(wrong, match):
    with pytest.raises(RequestError, match=match):
        next(study.run(request(**wrong)))


def test_a_material_without_expansion_is_named_with_those_that_have_it():
    lacking = next(each for each in Catalogue.default().materials if each.expansion is None)
    asked = request(objectives=({"quantity": "cte_x", "high": 0.0},), phases=("void", INVAR, lacking.id))
    with pytest.raises(RequestError) as refused:
        study.check_request(asked)
    assert f"thermal expansion of {lacking.name} is not known, that of Void and Invar 36 is" in str(refused.value)


def test_an_expansion_below_those_of_all_phases_is_a_target_of_three():
    assert study.check_request(request(objectives=({"quantity": "cte", "high": -5.0},))).given


# ---- what lies between three phases while they form ----


def test_channels_hold_three_phases():
    channels = PhaseChannels().of(PHASES.materials)
    ends = channels.encode(PHASES.properties, axis=1)[:, :, None, None, None].double()
    assert ends.shape == (3, 2, 1, 1, 1)
    young = channels.decode(ends).young.flatten()
    expected = [each.young for each in PHASES.materials]
    assert young[1:].tolist() == pytest.approx(expected[1:], rel=1e-6)
    assert float(channels.decode(ends).bulk[0]) == pytest.approx(SOFTEST_WHILE_STEERING * PHASES.materials[1].bulk)
    assert channels.decode(ends).density.flatten().tolist() == pytest.approx([m.density for m in PHASES.materials])
    with pytest.raises(ValueError, match="two or three of them, got 4"):
        PhaseChannels().of((*PHASES.materials, PHASES.materials[1]))


def test_gradients_of_samples_are_those_of_differences():
    """Of all physics, by both channels: the objectives that guidance steers by, in double precision."""
    prior = load_prior("free-form-2d-64")
    prior.offer(PHASES)
    asked = DesignRequest.model_validate(THREE | {"objectives": [{"quantity": name, "low": 1e3} for name in ASKED[:5]]})
    objectives = Objectives.from_request(asked, PHASES, prior.channels)
    objectives.tolerance = 1e-6
    clean = torch.from_numpy(np.clip(0.4 * bumps(16, 2, 5, 2.0), -0.9, 0.9))[None]
    change = torch.from_numpy(bumps(16, 2, 6, 2.0))[None]
    found = objectives.evaluate(prior, clean, finished=True).linearisation.target_gradient

    def coordinates(amount: float) -> np.ndarray:
        values = objectives.evaluate(prior, clean + amount * change, finished=True, unrelated=True).values
        return np.array([float(each.coordinate(values[each.quantity][0])) for each in objectives.targets])

    step = 1e-3
    expected = (coordinates(step) - coordinates(-step)) / (2.0 * step)
    assert (found[0] * change[0]).flatten(1).sum(1).numpy() == pytest.approx(expected, rel=2e-3, abs=1e-5)


@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_gradients_of_projected_fields_are_those_of_differences(sharpness, solved_to_the_end):
    targets = [Objective(quantity=name, low=1e3) for name in ASKED if name != "solid"]
    simulation = Simulation.of([*targets, Objective(quantity="solid", low=0.9)], "periodic", 2, 16, void=True)
    problem = Projected(PHASES.materials, simulation)
    values, change = 0.3 * bumps(16, 2, 1, 2.0), 0.3 * bumps(16, 2, 2, 2.0)
    _, gradients = problem.solved(values, sharpness)
    step = 1e-3
    (high, _), (low, _) = (problem.solved(values + sign * step * change, sharpness) for sign in (1, -1))
    found = (gradients * change).reshape(len(gradients), -1).sum(1)
    assert found == pytest.approx((high - low) / (2.0 * step), rel=5e-3, abs=1e-4)
    off, slope = problem.unbalance(values, sharpness)
    further = problem.unbalance(values + step * change, sharpness)[0]
    assert (further - off) / step == pytest.approx(float((slope * change).sum()), rel=1e-2)


# ---- cells ----


@pytest.mark.parametrize("dim", [2, 3])
def test_shares_are_those_of_the_labels_and_their_derivatives_those_of_differences(dim):
    level = 3.0 * bumps(16, dim, 3)
    geometry = FAMILY.geometry(level)
    shares = geometry.shares(32)
    labels = FAMILY.labels(level)
    assert shares.shape == (2, *(32,) * dim) and float(shares.min()) >= 0.0 and float(shares.sum(0).max()) < 1.0 + 1e-9
    assert [float(each.mean()) for each in shares] == pytest.approx(
        [(labels == phase).mean() for phase in (1, 2)], abs=0.02
    )
    weights, change = torch.from_numpy(bumps(16, dim, 4, 1.0)), bumps(16, dim, 5)
    step = 1e-3

    def total(amount: float) -> float:
        return float((weights * FAMILY.geometry(level + amount * change).shares(16)).sum())

    found = (geometry.by_level(weights[None])[0] * change).sum()
    assert found == pytest.approx((total(step) - total(-step)) / (2.0 * step), rel=1e-2)
    grown = geometry.moved(0.02).shares(16).sum(0) - geometry.shares(16).sum(0)
    assert float(grown.mean()) > 0.0 and float(grown.min()) > -1e-9


def test_two_equal_solids_are_one():
    """Of a void and twice the same material C and expansion are those of the cell of two phases."""
    level = 3.0 * bumps(32, 2, 7) + np.array([3.0, 0.0])[:, None, None]
    names = [Objective(quantity=name, sense="minimise") for name in ("K", "Ex", "conductivity", "cte_x")]
    simulation = Simulation.of(names, "periodic", 2, 32, void=True)
    void, invar, _ = PHASES.materials
    three = simulation.cells((void, invar, invar), [FAMILY.geometry(level)]).values
    two = simulation.cells((void, invar), [free_form_of(2).geometry(level[0])]).values
    for name in ("K", "Ex", "conductivity", "cte_x"):
        assert float(three[name][0]) == pytest.approx(float(two[name][0]), rel=1e-4)
    assert float(three["cte_x"][0]) == pytest.approx(invar.expansion, rel=1e-4)


def test_a_void_is_one_beside_a_solid_that_is_far_softer_than_the_other():
    """Else what is solid of a cut voxel would count in series with the void, which is nothing."""
    soft, hard = (Catalogue.default().find(name) for name in ("pdms-sylgard-184-25c", INVAR))
    simulation = Simulation.of([Objective(quantity="K", sense="minimise")], "periodic", 3, 4, void=True)
    shares = torch.zeros(1, 2, 4, 4, 4, dtype=torch.float64)
    shares[:, 0] = 0.5
    fields = simulation.fields(simulation.evaluator, (PHASES.materials[0], soft, hard), shares)
    assert fields["shear"].numpy() == pytest.approx(0.5 * soft.shear, rel=1e-3)


@pytest.mark.parametrize("symmetry", [NO_SYMMETRY, Symmetry("cubic", 2)])
def test_shape_derivatives_of_expansion_are_those_of_differences(symmetry, solved_to_the_end):
    """By both level sets together, along what the steps of refinement move."""
    targets = [Objective(quantity=name, low=value) for name, value in (("cte_x", 40.0), ("Ex", 900.0))]
    simulation = Simulation.of(targets, "periodic", 2, 32, void=True, symmetry=symmetry)
    level = symmetry.averaged(6.0 * bumps(32, 2, 9) + np.array([1.5, 0.0])[:, None, None])
    interface = Interface(FAMILY, PHASES.materials, simulation)
    solved = interface.solved(level)
    answers = interface._answers(solved, solved.coordinates)
    change = symmetry.averaged(bumps(32, 2, 10))
    step = 2e-3
    high, low = (interface.solved(level + sign * step * change) for sign in (1, -1))
    found = (answers * change).reshape(2, -1).sum(1)
    ends = zip(high.coordinates, low.coordinates, strict=True)
    assert found == pytest.approx([float((a - b).detach()) / (2.0 * step) for a, b in ends], rel=5e-3)


def test_steps_move_both_interfaces_onto_their_targets():
    targets = [Objective(quantity="cte_x", low=6.0, high=6.0), Objective(quantity="Ex", low=20.0, high=20.0)]
    simulation = Simulation.of(targets, "periodic", 2, 32, void=True)
    level = 6.0 * bumps(32, 2, 9) + np.array([4.0, 0.0])[:, None, None]
    interface = Interface(FAMILY, PHASES.materials, simulation)
    miss, moved = interface.shifted(level)
    assert miss < 5e-3 < 0.05 < interface.solved(level).miss
    assert all((moved[i] != level[i]).any() for i in (0, 1))


def test_thin_parts_of_a_solid_grow_and_specks_go():
    outer, inner = np.full((32, 32), -3.0), np.full((32, 32), -3.0)
    outer[8:24, :] = outer[:, 8:24] = 3.0
    inner[:, 14:16] = inner[4:6, 10:12] = 3.0  # a wall of two voxels and a speck
    inner[12:24, 8:14] = 3.0
    making = MakingOfThree(Making(1, False, NO_SYMMETRY))
    parted = FAMILY.labels(making.makeable(np.stack([outer, inner]), 3.0))
    assert (parted[13:23, 8:13] == 2).all() and not (parted == 2)[3:7, 9:13].any()
    assert smallest_feature(parted == 2) >= 3.0
    falling, rising = making.thin(np.stack([outer, inner]), 3.0)
    assert falling[1][28, 14] and not falling[1][18, 10] and falling.shape == rising.shape == (2, 32, 32)


def test_a_sample_without_one_of_its_phases_is_refused():
    with pytest.raises(FitError, match="lacks 1 of its three phases"):
        FAMILY.fit(torch.stack([torch.ones(8, 8), torch.linspace(-1, 1, 8).expand(8, 8)]))


# ---- the whole study ----


@pytest.mark.parametrize("method", ["guided", "random", "topology"])
def test_designs_are_verified_kept_and_exported(method):
    wanted = ({"quantity": "Ex", "low": 5.0}, {"quantity": "solid", "high": 0.8}, {"quantity": "cte_x", "high": 15.0})
    asked = request(target_bulk=None, objectives=wanted, count=1, steps=6, seed=3, method=method)
    result = study.design(asked)
    (design,) = result.designs
    assert design.ok, design.message
    assert design.phases == ("void", "first solid", "second solid") and set(np.unique(design.labels)) == {0, 1, 2}
    assert design.solid is not None and design.solid.connected and pieces(design.labels[..., 0] > 0).connected
    assert design.value("solid") == pytest.approx(sum(design.shares[1:]), rel=1e-6)
    assert len(design.sensitivity["cte_x"].phases) == 3 and design.trust["cte_x"].grid > 0.0
    assert design.makeable is not None
    read = json.loads(design_json(design))
    again = Design.from_dict(read)
    assert again.solid == design.solid and again.phases == design.phases and again.shares == design.shares
    table = named_columns(design.family, design.parameters, [material.name for material in design.materials])
    assert table["third phase"] == design.materials[2].name
    if method != "guided":
        return
    files = dict(result_files(result, ALL_FORMATS))
    assert {f"design-01/{name}.stl" for name in ("void", "first solid", "second solid")} <= files.keys()
    assert b"phase_2" in files["design-01/design.vti"]


@pytest.mark.slow
def test_two_solids_that_expand_make_a_lattice_that_shrinks():
    """The classic problem of Sigmund & Torquato (1996, doi:10.1063/1.117961), of Invar, aluminium and void."""
    preset = fields_of("Zero-expansion lattice") | {"count": 1, "steps": 24, "seed": 2}
    (design,) = study.design(DesignRequest.model_validate(preset)).designs
    assert design.ok, design.message
    expansion, young = design.trust["cte_x"], design.trust["Ex"]
    assert min(material.expansion for material in design.materials[1:]) > 1.0
    assert expansion.value < 0.0 and expansion.value + expansion.grid < 0.0
    assert design.verified["cte_x"] < 0.0  # on 128², twice the grid
    assert young.value >= 5.0 and young.grid < 0.2 * young.value
    assert design.value("solid") <= 0.7 and min(design.shares) >= 0.02
    assert design.solid.connected and design.value("cte_y") == pytest.approx(design.value("cte_x"))
    labels = design.labels[..., 0]
    assert min(smallest_feature(labels == phase) for phase in range(3)) >= 2.5 and smallest_feature(labels > 0) >= 3.0
