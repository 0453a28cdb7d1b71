"""Shapes of two given phases, of which one may be void: from the request to the verified cell."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from relaxdesign.export import ALL_FORMATS, result_files
from relaxdesign.export.records import design_json
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import SOFTEST_WHILE_STEERING, PhaseChannels, Properties
from relaxdesign.materials.material import VOID
from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.features import smallest_feature
from relaxdesign.microstructure.free_form import FREE_FORM, restored
from relaxdesign.microstructure.free_form.generators import draw_shapes
from relaxdesign.physics.fem import ConvergenceError, SolveStatus
from relaxdesign.study import run as study
from relaxdesign.study.methods import topology
from relaxdesign.study.objective import Objective
from relaxdesign.study.refinement.interface import TOLERANCE, Interface
from relaxdesign.study.refinement.limit import moved_to_limit
from relaxdesign.study.refinement.outcome import RefinementError
from relaxdesign.study.refinement.solid import whole
from relaxdesign.study.request import DesignRequest, RequestError
from relaxdesign.study.result import Design
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.stiffness import IN_PLANE, stiffness_error
from relaxdesign.study.trust import resolve

TITANIUM = "titanium-alloy-ti-6al-4v-annealed"
LATTICE = {"family": "free-form", "phases": ("void", TITANIUM)}
PHASES = Catalogue.default().of_phases(("void", TITANIUM))


def request(**more) -> DesignRequest:
    return DesignRequest.model_validate({"target_bulk": 15.0} | LATTICE | more)


# ---- what a request may say ----


def test_phases_are_named_in_one_text_or_two():
    for said in ("void, Ti-6Al-4V", ("void,Ti-6Al-4V",), ("void", "Ti-6Al-4V")):
        assert request(phases=said).phases == ("void", "Ti-6Al-4V")
    assert study.materials_on_offer(request(phases="pores,Ti-6Al-4V")).materials == PHASES.materials


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"family": "particles"}, "free-form, not to particles"),
        ({"phases": ("void",)}, "give two phases"),
        ({"shape": "lattices"}, "unknown shape 'lattices'; known are interpenetrating"),
        ({"phases": (), "shape": "lattice"}, "takes given phases"),
        ({"start": "cell.vti"}, "begin from noise"),
    ],
)
def test_what_a_request_cannot_say(wrong, match):
    with pytest.raises(ValidationError, match=match):
        request(**wrong)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"phases": ("void", "unobtainium")}, "unknown material 'unobtainium'"),
        ({"phases": ("void", "pores")}, "have to be different"),
        ({"phases": ("void", "steel")}, "give the id of one"),
        ({"method": "genetic"}, "these do: guided, noise, best-of-n, gradient"),
        ({"target_bulk": 150.0}, "out of reach"),
        ({"prior": "composite-2d-64"}, "makes no shapes"),
        ({"phases": (), "prior": "free-form-2d-64"}, "give two"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_any_work(wrong, match):
    with pytest.raises(RequestError, match=match):
        next(study.run(request(**wrong)))


def test_a_solid_fraction_is_a_target():
    asked = request(objectives=({"quantity": "solid", "high": 0.4},))
    assert [str(target) for target in asked.targets] == ["K = 15 GPa", "solid ≤ 0.4"]
    with pytest.raises(ValidationError, match="Solid fraction must lie between 0 and 1"):
        request(objectives=({"quantity": "solid", "high": 40.0},))


# ---- what lies between two phases while they form ----


def test_channels_hold_both_phases_and_steer_between_them():
    channels = PhaseChannels().of(PHASES.materials)
    ends = torch.tensor([-1.0, 1.0], dtype=torch.float64).view(1, 1, 2, 1, 1)
    decoded, solid = channels.decode(ends), PHASES.materials[1]
    assert decoded.young.flatten()[1] == pytest.approx(solid.young, rel=1e-6)
    assert decoded.bulk.flatten()[0] == pytest.approx(SOFTEST_WHILE_STEERING * solid.bulk)
    assert decoded.density.flatten().tolist() == pytest.approx([0.0, solid.density])
    half = torch.zeros(1, 1, 1, 1, 1, dtype=torch.float64, requires_grad=True)
    channels.decode(half).bulk.sum().backward()
    assert half.grad is not None and float(half.grad) > 0
    assert float(channels.decode(half.detach()).bulk) < 0.5 * solid.bulk
    with pytest.raises(ValueError, match="takes two or three of them, got 4"):
        PhaseChannels().of((VOID, *PHASES.materials, VOID))
    with pytest.raises(ValueError, match="not known yet"):
        PhaseChannels().decode(ends)
    with pytest.raises(ValueError, match="no others"):
        channels.encode(Properties(*(torch.ones(3),) * 3))


# ---- numbers of cells with voids ----


@pytest.mark.parametrize("kind", ["interpenetrating", "foam", "surfaces"])
def test_the_limit_of_two_grids_is_that_of_fine_ones(kind):
    """Against a grid four times as fine as the design's, in the relative Frobenius norm of C."""
    cell = draw_shapes(kind, 1, 64, 2, torch.Generator().manual_seed(3))[0].numpy()
    geometry = FREE_FORM.geometry(FREE_FORM.level_set(cell))
    simulation = Simulation.of([Objective(quantity="C11", low=1.0)], "periodic", 2, 64, void=True)
    resolution = resolve(simulation, PHASES.materials, geometry)
    finest = simulation.cells(PHASES.materials, [geometry], times=4).stiffness
    assert resolution.stiffness is not None and finest is not None
    truth = finest[0].numpy()
    off = np.linalg.norm(resolution.stiffness - truth) / np.linalg.norm(truth)
    coarse = np.linalg.norm(resolution.coarse.stiffness[0].numpy() - truth) / np.linalg.norm(truth)
    assert off < 0.004 and off < 0.5 * coarse
    trust = resolution.trust()["C11"]
    assert trust.value - trust.grid < truth[0, 0] < trust.value + trust.grid


# ---- refinement ----


def test_an_interface_is_shifted_onto_a_whole_stiffness():
    """Of a cell deformed by some per cent, back to the stiffness that it had: at the limit of fine grids."""
    cell = draw_shapes("interpenetrating", 1, 64, 2, torch.Generator().manual_seed(11))[0].numpy()
    level = FREE_FORM.level_set(cell)
    free = Simulation.of([Objective(quantity="C11", low=1.0)], "periodic", 2, 64, void=True)
    wanted = resolve(free, PHASES.materials, FREE_FORM.geometry(level), IN_PLANE).values
    norm = np.sqrt(sum(wanted[name] ** 2 for name in IN_PLANE))
    objectives = tuple(Objective(quantity=n, low=wanted[n], high=wanted[n], scale=float(norm)) for n in IN_PLANE)
    simulation = Simulation.of(objectives, "periodic", 2, 64, void=True)
    noise = gaussian_filter(np.random.default_rng(0).normal(size=level.shape), 4, mode="wrap")
    start = level + noise / noise.std() + 0.5
    interface = Interface(FREE_FORM, PHASES.materials, simulation)

    def shifted(level, shift):
        return replace(interface, shift=shift).shifted(level)[1]

    before = resolve(simulation, PHASES.materials, FREE_FORM.geometry(start)).values
    miss, end, found = moved_to_limit(
        shifted(start, {}), shifted, FREE_FORM.geometry, PHASES.materials, simulation, TOLERANCE
    )
    assert stiffness_error(objectives, before) > 0.02
    assert miss < 0.003 and stiffness_error(objectives, found.values) < 0.004
    assert pieces(end > 0).connected


def test_loose_pieces_are_taken_away_and_cells_that_fall_apart_refused():
    grid = np.zeros((32, 32), dtype=bool)
    grid[12:18, :], grid[:, 12:18], grid[2:4, 2:4] = True, True, True  # a cross and a speck
    repaired = whole(FREE_FORM.level_set(grid), 1) > 0
    assert pieces(repaired).connected and not repaired[:6, :6].any() and repaired[13:17].all()
    apart = np.zeros((32, 32), dtype=bool)
    apart[10:20, :] = True
    with pytest.raises(RefinementError, match="hang together"):
        whole(FREE_FORM.level_set(apart), 1)
    both = grid.copy()
    both[2:8, 22:30] = both[22:30, 22:30] = both[22:30, 2:8] = True
    with pytest.raises(RefinementError, match=r"in \d pieces"):
        whole(FREE_FORM.level_set(both), 1)
    assert whole(FREE_FORM.level_set(apart), None) is not None  # between two solids any pieces will do


# ---- the whole study ----


def test_lattices_are_designed_onto_their_targets():
    wanted = ({"quantity": "Ex", "low": 20.0, "high": 20.0}, {"quantity": "Ey", "low": 20.0, "high": 20.0})
    asked = request(target_bulk=None, objectives=(*wanted, {"quantity": "solid", "high": 0.6}), count=2, steps=15)
    result = study.design(asked)
    assert sum(design.on_target for design in result.designs) >= 1
    for design in filter(lambda design: design.ok, result.designs):
        assert [material.id for material in design.materials] == ["void", TITANIUM]
        assert design.solid is not None and design.solid.connected and design.solid.components == 1
        assert pieces(design.labels[..., 0] == 1).connected
        assert design.value("solid") == pytest.approx(design.shares[1])
        assert design.value("density") == pytest.approx(design.shares[1] * PHASES.materials[1].density)
        assert design.bounds.reuss == 0.0 < design.value("K") < design.bounds.hs_upper
        assert design.trust["Ex"].grid < 0.2 * design.value("Ex")
        read = json.loads(design_json(design))
        assert read["connected"] is True and read["components"] == 1 and 0 < read["min_feature"] < 1
        assert Design.from_dict(read).solid == design.solid
        again = restored(read["geometry"])
        assert np.array_equal(again.level > 0, design.labels[..., 0] == 1)
        assert float(again.shares(128).mean()) == pytest.approx(design.shares[1], rel=1e-4)
    files = {name for name, content in result_files(result, ALL_FORMATS) if content}
    made = next(design.index + 1 for design in result.designs if design.ok)
    assert {f"design-{made:02d}/solid.stl", f"design-{made:02d}/void.stl", "report.html", "report.pdf"} <= files


def test_a_solid_fraction_of_cells_without_voids_is_refused_with_what_to_do():
    wanted = [{"quantity": "solid", "high": 0.5}, {"quantity": "K", "low": 5}]
    with pytest.raises(RequestError, match="only voids change it: ask for free-form cells and give void"):
        study.check_request(DesignRequest.model_validate({"objectives": wanted}))


def test_thin_parts_are_as_thick_as_was_asked_for_or_the_cell_is_refused():
    designs = study.design(request(min_feature=0.06, count=4, steps=8)).designs
    assert any(each.ok for each in designs)
    for each in designs:
        if each.ok:
            assert each.solid is not None and each.labels is not None
            thinnest = min(smallest_feature(each.labels[..., 0] == label) for label in (0, 1))
            assert each.solid.connected and thinnest / 64 >= 0.06 - 0.6 / 64
        else:
            assert re.search("thinner than the|hang together|pieces", each.message)


def test_a_thinnest_part_takes_given_phases():
    with pytest.raises(ValidationError, match="a thinnest part takes given phases"):
        DesignRequest.model_validate({"target_bulk": 50.0, "min_feature": 0.05})


def test_topology_optimisation_meets_targets_from_random_fields():
    result = study.design(request(method="topology", count=2, steps=20))
    assert [made.ok for made in result.designs] == [True, True]
    for made in result.designs:
        assert made.stages["realised"]["K"] == pytest.approx(15.0, rel=0.01)
        assert abs(made.stages["relaxed"]["K"] / 15.0 - 1.0) < 0.3
    first, second = (made.labels for made in result.designs)
    assert first is not None and second is not None and (first != second).mean() > 0.1
    again = study.design(request(method="topology", count=2, steps=20))
    assert np.array_equal(again.designs[0].labels, first)


def test_topology_optimisation_takes_given_phases():
    with pytest.raises(RequestError, match="searches among shapes of given phases: give two"):
        study.check_request(DesignRequest.model_validate({"target_bulk": 50.0, "method": "topology"}))


def test_what_is_to_be_large_is_improved_by_refinement_up_to_near_its_bound():
    """C11 and C22 at a solid fraction: the plane bulk modulus against that of Hashin & Shtrikman (1963)."""
    wanted = [{"quantity": name, "sense": "maximise"} for name in ("C11", "C22")]
    share = {"quantity": "solid", "low": 0.5, "high": 0.5}
    stiffest = DesignRequest.model_validate({"objectives": [*wanted, share], "count": 2, **LATTICE})
    made = [each for each in study.design(stiffest).designs if each.ok]
    assert made
    titanium = PHASES.materials[1]
    plane, shear = titanium.bulk + titanium.shear / 3, titanium.shear
    bound = plane + 0.5 / (-1 / plane + 0.5 / (plane + shear))
    for each in made:
        C = np.array(each.stiffness)
        reached = (C[0, 0] + C[1, 1] + 2 * C[0, 1]) / 4
        assert each.shares[1] == pytest.approx(0.5, abs=0.005)
        assert 0.85 * bound < reached < 1.002 * bound


@pytest.mark.parametrize("fail", [{3}, {0, 1}])
def test_candidates_that_topology_optimisation_cannot_solve_are_dropped_and_the_others_go_on(monkeypatch, fail):
    """fail: calls, of two candidates in turn, that do not converge."""
    calls = iter(range(100))
    solved = topology._optimised

    def sometimes(*arguments):
        if next(calls) in fail:
            raise ConvergenceError((SolveStatus.MAX_ITERATIONS,), torch.tensor([7]), torch.tensor([1.0]))
        return solved(*arguments)

    monkeypatch.setattr(topology, "_optimised", sometimes)
    designs = study.design(request(method="topology", count=2, steps=10)).designs
    assert [made.ok for made in designs] == ([True, False] if fail == {3} else [False, False])
    assert "stopped after" in designs[1].message


def test_two_solids_need_no_kind_of_shape():
    """Beside no void the prior is told nothing: any cell of the two will do."""
    asked = {
        "objectives": [{"quantity": "C11", "low": 12.0, "high": 12.0}],
        "phases": ("epoxy-unfilled", "alumina-ad-995"),
    }
    request = DesignRequest.model_validate(asked | {"family": "free-form", "count": 1, "steps": 4, "seed": 3})
    (design,) = study.design(request).designs
    assert design.ok and design.on_target and design.solid is None
