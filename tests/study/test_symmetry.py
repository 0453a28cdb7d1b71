"""Cells of given phases that have a symmetry and whose voids are open: from the request to the design."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from relaxdesign.export.records import design_json
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import PhaseChannels
from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.free_form import FREE_FORM
from relaxdesign.microstructure.solid import Solid
from relaxdesign.microstructure.symmetry import Symmetry
from relaxdesign.prior.model import load_prior
from relaxdesign.prior.sampling import sample
from relaxdesign.study import run as study
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.realisation import Finisher
from relaxdesign.study.refinement import RefinementError
from relaxdesign.study.refinement import Task as RefinementTask
from relaxdesign.study.refinement.given_phases import refine_given_phases
from relaxdesign.study.refinement.solid import check_open, opened, whole
from relaxdesign.study.request import DesignRequest, RequestError
from relaxdesign.study.result import Design
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.stiffness import stiffness_objectives
from relaxdesign.study.symmetry import steered

TITANIUM = "titanium-alloy-ti-6al-4v-annealed"
LATTICE = {"family": "free-form", "phases": ("void", TITANIUM)}
PHASES = Catalogue.default().of_phases(("void", TITANIUM))


def request(*wanted: str, **more) -> DesignRequest:
    objectives = tuple(parse_objective(each) for each in wanted or ("K = 18",))
    return DesignRequest.model_validate({"objectives": objectives} | LATTICE | more)


def orthotropic(**entries: float) -> np.ndarray:
    """A stiffness (6, 6) in GPa that has the entries."""
    C = np.diag([25.0, 25.0, 60.0, 12.0, 12.0, 8.0])
    C[0, 1] = C[1, 0] = 10.0
    for name, value in entries.items():
        i, j = int(name[1]) - 1, int(name[2]) - 1
        C[i, j] = C[j, i] = value
    return C


# ---- what a request may say ----


@pytest.mark.parametrize("symmetry", ["none", "orthotropic", "cubic"])
def test_a_request_is_read_as_it_was_written(symmetry):
    asked = request(symmetry=symmetry, open_voids=True, dim=3)
    assert DesignRequest.model_validate_json(asked.model_dump_json()) == asked
    old = asked.model_dump(mode="json")
    del old["symmetry"], old["open_voids"]
    opened_ = DesignRequest.model_validate(old)
    assert (opened_.symmetry, opened_.open_voids) == ("none", False)


@pytest.mark.parametrize(
    ("wanted", "more", "match"),
    [
        ((), {"symmetry": "cubical"}, "'none', 'orthotropic' or 'cubic'"),
        (("K = 60",), {"symmetry": "cubic", "family": "particles", "phases": ()}, "a symmetry takes given phases"),
        (("K = 60",), {"open_voids": True, "family": "particles", "phases": ()}, "open voids takes? given phases"),
        ((), {"open_voids": True}, "open along the third axis: ask for open voids in 3D"),
        (("C16 >= 1",), {"symmetry": "orthotropic"}, "has C16 = 0: leave out C16, or choose the symmetry none"),
        (("C45 = -2",), {"symmetry": "orthotropic", "dim": 3}, "has C45 = 0"),
        (("K = 18", "minimise C26"), {"symmetry": "orthotropic"}, "minimise C26 contradicts"),
        (("Ex/Ey = 1.2",), {"symmetry": "cubic"}, "Ex/Ey = 1: leave out Ex/Ey, or choose the symmetry orthotropic"),
        (("Ex = 20", "Ey = 21"), {"symmetry": "cubic"}, "Ex = 20 GPa and Ey = 21 GPa contradict the symmetry cubic"),
        (("C11 <= 20", "C33 >= 21"), {"symmetry": "cubic", "dim": 3}, "C11 ≤ 20 GPa and C33 ≥ 21 GPa contradict"),
    ],
)
def test_what_contradicts_a_symmetry_is_refused_with_what_to_do(wanted, more, match):
    with pytest.raises(ValidationError, match=match):
        request(*wanted, **more)


@pytest.mark.parametrize(
    ("wanted", "more"),
    [
        (("C16 <= 1", "K = 18"), {"symmetry": "orthotropic"}),
        (("Ex/Ey = 1.2",), {"symmetry": "orthotropic"}),
        (("C11 = 20", "C33 = 40"), {"symmetry": "cubic"}),  # of a 2D cell the third axis is another one
        (("Ex >= 20", "Ey <= 22"), {"symmetry": "cubic"}),
        (("Ex/Ez = 0.4",), {"symmetry": "cubic"}),
    ],
)
def test_what_a_symmetry_allows_is_not_refused(wanted, more):
    assert request(*wanted, **more).symmetry == more["symmetry"]


def test_a_whole_stiffness_may_differ_from_a_symmetric_one_by_a_hundredth():
    for symmetry, entry in (("orthotropic", "C16"), ("cubic", "C26")):
        with pytest.raises(ValidationError, match=f"has {entry} = 0"):
            request(objectives=stiffness_objectives(orthotropic(**{entry: 1.0}), 2), symmetry=symmetry)
        assert request(objectives=stiffness_objectives(orthotropic(**{entry: 0.1}), 2), symmetry=symmetry)
    with pytest.raises(ValidationError, match="C11 = 25 GPa and C22 = 27 GPa contradict"):
        request(objectives=stiffness_objectives(orthotropic(C22=27.0), 2), symmetry="cubic")
    assert request(objectives=stiffness_objectives(orthotropic(C22=25.2), 2), symmetry="cubic")


def test_open_voids_take_a_void():
    solids = {"phases": ("alumina-ad-995", TITANIUM), "dim": 3, "open_voids": True}
    with pytest.raises(RequestError, match="open voids take void as a phase"):
        study.check_request(request("K = 150", **solids))


def test_what_a_symmetry_decides_is_not_steered_towards():
    wanted = request("Ex >= 20", "Ey <= 22 @ 2", "C16 = 0", "Ex/Ey = 1", "minimise solid").objectives
    first, second, coupling, ratio, extreme = steered(wanted, "cubic", 2)
    assert (first.low, first.high, first.weight) == (20.0, 22.0, 3.0)
    assert extreme == wanted[-1] and steered(wanted, "none", 2) == wanted
    for free, value in ((second, 1e3), (coupling, -5.0), (ratio, 1.7)):
        assert float(free.gap(np.float64(free.coordinate(value)))) == 0.0
    entries = steered(stiffness_objectives(orthotropic(C22=25.2), 2), "cubic", 2)
    assert entries[0].quantity == "C11" and entries[0].low == entries[0].high == pytest.approx(25.1)


# ---- samples and designs ----


def test_samples_of_a_symmetric_prior_are_symmetric_and_those_of_others_stay():
    prior = load_prior("free-form-2d-64").of_kind("connected")
    prior.offer(PHASES)
    drawn = {}
    for name in ("none", "cubic"):
        generator = torch.Generator().manual_seed(4)
        *_, drawn[name] = sample(prior.symmetric(Symmetry(name)), 2, steps=6, generator=generator)
    assert torch.equal(drawn["cubic"], drawn["cubic"].mT) and torch.equal(drawn["cubic"], drawn["cubic"].flip(2))
    assert float((drawn["none"] - drawn["none"].mT).abs().max()) > 1.0
    assert float(drawn["cubic"].abs().mean()) > 0.9, "it is as crisp as other samples"


@pytest.mark.parametrize("method", ["guided", "topology", "level-set", "random", "gradient", "noise"])
def test_a_cubic_design_is_symmetric_to_the_last_voxel_and_meets_its_target(method):
    result = study.design(request(symmetry="cubic", method=method, count=2, steps=8))
    assert any(made.on_target for made in result.designs)
    for made in filter(lambda made: made.ok, result.designs):
        assert made.labels is not None and made.relaxed is not None
        cell, C = made.labels[..., 0], np.array(made.stiffness)
        assert np.array_equal(cell, cell.T) and np.array_equal(cell, np.flip(cell, 0))
        relaxed = made.relaxed[0, ..., 0]
        np.testing.assert_allclose(relaxed, relaxed.T, rtol=1e-5)
        assert C[0, 0] == pytest.approx(C[1, 1], rel=1e-6)
        assert np.abs(C[:2, 5]).max() < 1e-6 * C[0, 0]
        assert pieces(cell == 1).connected


def test_an_orthotropic_design_meets_a_stiffness_whose_axes_differ():
    wanted = stiffness_objectives(orthotropic(C11=35.0), 2)
    result = study.design(request(objectives=wanted, symmetry="orthotropic", count=2, steps=12))
    best = min((made for made in result.designs if made.ok), key=lambda made: made.stiffness_error or np.inf)
    assert best.stiffness_error is not None and best.stiffness_error < 0.01 and best.labels is not None
    cell = best.labels[..., 0]
    assert all(np.array_equal(cell, np.flip(cell, axis)) for axis in (0, 1)) and not np.array_equal(cell, cell.T)
    assert best.misses["C16"] == pytest.approx(0.0, abs=1e-9)


def test_a_level_set_is_symmetric_too():
    asked = request("K = 18", symmetry="cubic")
    symmetry = Symmetry("cubic", 2)
    simulation = Simulation.for_request(asked, 64, void=True)
    noise = torch.randn(64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    x = torch.cos(2 * torch.pi * (torch.arange(64) + 0.5) / 64).double()
    field = symmetry.averaged((2.0 * (x[:, None] + x) + 0.5 + 0.05 * noise).clamp(-1, 1))
    task = RefinementTask(asked, PHASES, PhaseChannels(), simulation, (), torch.Generator())
    realised = refine_given_phases(FREE_FORM.fit(field[None]), FREE_FORM, task)
    level = realised.geometry.level  # type: ignore[attr-defined]
    assert np.array_equal(level, level.T) and np.array_equal(level, np.flip(level, 0))
    assert realised.values["K"] == pytest.approx(18.0, rel=0.01)


# ---- voids that are open ----


def lattice(grid: int = 16, width: int = 6) -> np.ndarray:
    """A simple cubic lattice of square bars, bool (*grid)."""
    cell = np.zeros((grid,) * 3, dtype=bool)
    for axis in range(3):
        inside: list = [slice(0, width)] * 3
        inside[axis] = slice(None)
        cell[tuple(inside)] = True
    return cell


def test_enclosed_voids_are_filled_and_channels_are_not():
    whole_cell = lattice()
    cell = whole_cell.copy()
    cell[2:4, 2:4, 2:4] = False  # a pore in the node
    cell[2:4, 2:4, 9] = False  # one in a bar
    assert Solid.of(cell).enclosed == 2 and Solid.of(whole_cell).enclosed == 0
    assert np.array_equal(opened(FREE_FORM.level_set(cell.astype(float)), 1) > 0, whole_cell)
    assert np.array_equal(opened(-FREE_FORM.level_set(cell.astype(float)), 0) < 0, whole_cell)
    channel = whole_cell.copy()
    channel[2:4, 2:4, :] = False  # a hole along the whole bar
    level = FREE_FORM.level_set(channel.astype(float))
    assert Solid.of(channel).enclosed == 0 and opened(level, 1) is level
    assert opened(level, None) is level


def test_what_fills_a_void_is_as_deep_in_the_solid_as_it_would_be_without_it():
    cell = lattice(24, 12)
    solid = FREE_FORM.level_set(cell.astype(float))
    cell[5:7, 5:7, 5:7] = False
    filled = opened(FREE_FORM.level_set(cell.astype(float)), 1)
    assert (filled[4:8, 4:8, 4:8] > 0.5 * solid[4:8, 4:8, 4:8]).all(), "so that no step opens it again"


def test_voids_are_joined_where_filling_them_would_change_more():
    closed = np.ones((16,) * 3, dtype=bool)
    closed[2:10, 2:10, 2:10] = closed[13, 13, :] = False  # an eighth of the cell, and a channel
    joined = opened(FREE_FORM.level_set(closed.astype(float)), 1) > 0
    assert Solid.of(joined).enclosed == 0 and Solid.of(joined).connected
    assert not (joined & ~closed).any() and (closed & ~joined).sum() < 40
    small = np.ones((16,) * 3, dtype=bool)
    small[4:8, 4:8, 4:8] = False
    with pytest.raises(RefinementError, match=r"not all open \(1 enclosed\)"):
        check_open(small, 1)
    check_open(lattice(), 1)
    check_open(opened(FREE_FORM.level_set(small.astype(float)), 1) > 0, 1)  # joined to its images: some void is left


def test_filling_keeps_a_cell_symmetric():
    cell = lattice()
    cell = np.roll(cell, 5, (0, 1, 2))  # its node in the middle: 5 … 10
    cell[7:9, 7:9, 7:9] = False
    cell[7:9, 7:9, 1] = cell[7:9, 7:9, 14] = False
    symmetry = Symmetry("orthotropic", 3)
    level = FREE_FORM.level_set(cell.astype(float))
    assert np.array_equal(symmetry.averaged(level), level)
    filled = opened(whole(level, 1), 1, symmetry)
    assert np.array_equal(symmetry.averaged(filled), filled) and pieces(filled <= 0).ended.sum() == 0


@pytest.fixture(scope="module")
def porous() -> torch.Tensor:
    """A sample (1, *grid) of a thick lattice with two pores in its solid."""
    cell = lattice(32, 18)
    cell[7:11, 7:11, 7:11] = cell[7:11, 7:11, 22:26] = False
    return torch.from_numpy(np.where(cell, 1.0, -1.0)).float()[None]


def finished(field: torch.Tensor, **more) -> Design:
    """The design of a sample."""
    asked = request("K >= 25", dim=3, **more)
    prior = load_prior("free-form-3d-32")
    prior.offer(PHASES)
    return Finisher(asked, PHASES, prior).finish(0, field, ())[0]


def test_designs_have_open_voids_where_that_is_asked_for(porous):
    closed, open_ = finished(porous), finished(porous, open_voids=True)
    assert closed.solid is not None and closed.solid.enclosed == 2
    assert open_.ok and open_.solid is not None and open_.solid.enclosed == 0
    assert json.loads(design_json(closed))["enclosed"] == 2
    assert Design.from_dict(json.loads(design_json(closed))).solid == closed.solid


def test_a_design_that_is_not_refined_is_dropped_where_a_void_is_enclosed(porous):
    dropped = finished(porous, open_voids=True, refine=False)
    assert not dropped.ok and "not all open (2 enclosed)" in dropped.message
