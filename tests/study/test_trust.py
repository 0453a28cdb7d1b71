"""What a realised cell's quantities come to on ever finer grids, and how that is told."""

import json
import math
from dataclasses import replace

import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.microstructure import FREE_FORM
from relaxdesign.microstructure.particles.packing import Packing, place_particles
from relaxdesign.physics.anisotropy import is_stable
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.fem import ConvergenceError, SolveStatus
from relaxdesign.study import run as study
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.refinement import limit
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import Trust, resolve, verified

CATALOGUE = Catalogue.default()
EPOXY, ALUMINA = CATALOGUE.by_id["epoxy-unfilled"], CATALOGUE.by_id["alumina-ad-995"]
CONDUCTING = replace(EPOXY, conductivity=0.2), replace(ALUMINA, conductivity=30.0)


def simulation(*quantities: str, dim: int = 2, grid: int = 64) -> Simulation:
    return Simulation(Evaluator(quantities), [], dim, grid)


@pytest.mark.parametrize("pair", [CONDUCTING, CONDUCTING[::-1]])
def test_the_interval_holds_the_value_on_four_times_the_grid(pair):
    packing = place_particles(0.35, 0.3, 2, grid=64, generator=torch.Generator().manual_seed(2))[0]
    solver = simulation("K", "G", "conductivity")
    trust = resolve(solver, pair, packing).trust()
    fine = solver.cells(pair, [packing], times=4).values
    assert trust.keys() == fine.keys() - {"density"} > {"K", "G", "E", "C12", "conductivity"}
    entries = [name for name in fine if name[:1] == "C"]  # couplings among them, which are nearly nothing
    assert len(entries) == 21
    told = ("K", "G", "E", "Ex", "C11", "conductivity")
    for name in (*told, *entries):
        assert trust[name].low < float(fine[name][0]) < trust[name].high, name
    assert all(trust[name].grid < 0.06 * trust[name].value for name in told)


def test_particles_that_nearly_touch_are_told_apart_from_those_that_touch_on_the_grid():
    """Spheres 0.3 voxels apart: voxels join them, and the cell of these is far stiffer than that of the spheres."""
    near = Packing(torch.tensor([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]], dtype=torch.float64), 0.5 - 0.3 / 16)
    solver = simulation("K", dim=3, grid=16)
    voxels = solver.voxels((EPOXY, ALUMINA), near.voxelise(16))["K"]
    trust = resolve(solver, (EPOXY, ALUMINA), near).trust()["K"]
    assert voxels > 1.1 * trust.high


def test_the_interval_of_discs_that_nearly_touch_is_wide_enough():
    """A chain of discs half a voxel apart, whose bridges two grids tell badly."""
    chain = Packing(torch.tensor([[0.23, 0.5], [0.73, 0.5]], dtype=torch.float64), 0.5 - 0.5 / 64)
    solver = simulation("K")
    trust = resolve(solver, (EPOXY, ALUMINA), chain).trust()["K"]
    fine = float(solver.cells((EPOXY, ALUMINA), [chain], times=8).values["K"][0])
    assert trust.low < fine < trust.high
    assert trust.grid > 0.1 * trust.value


def test_a_laminate_of_a_level_set_has_the_exact_modulus():
    """Layers that end within a voxel: K of the laminate is known, and voxels miss it by their rounding."""
    x = torch.arange(64, dtype=torch.float64) + 0.5
    level = torch.minimum(x - 10.3, 41.6 - x)[:, None].expand(64, 64).numpy().copy()
    share = (41.6 - 10.3) / 64
    trust = resolve(simulation("Ey"), (EPOXY, ALUMINA), FREE_FORM.geometry(level)).trust()["Ey"]
    exact = (1 - share) * EPOXY.young + share * ALUMINA.young  # along the layers, but for their Poisson's ratios
    assert trust.value == pytest.approx(exact, rel=0.01)
    assert trust.low < trust.value < trust.high


@pytest.fixture(scope="module")
def design() -> Design:
    request = DesignRequest(target_bulk=60, count=1, steps=6, objectives=[parse_objective("minimise density")], seed=2)
    return list(study.run(request))[-1].result.designs[0]


def test_a_design_says_what_it_comes_to_on_finer_grids(design):
    assert design.ok and "density" not in design.trust  # which does not depend on the grid
    trust = design.trust["K"]
    assert 0 < trust.grid < 0.1 * trust.value
    assert trust.value == design.value("K") == design.at("realised", "K")
    assert design.voxels["K"] == pytest.approx(trust.value, rel=0.1) and design.voxels["K"] != trust.value
    assert design.told("K") == f"{trust} GPa" and design.told("density").endswith(" g/cm³")


def test_a_cell_that_cannot_be_solved_on_finer_grids_is_no_design(monkeypatch):
    """A solver that did not converge is an error, never a number."""

    def fails(*_, **__):
        raise ConvergenceError((SolveStatus.MAX_ITERATIONS,), torch.tensor([5]), torch.tensor([1.0]))

    monkeypatch.setattr(limit, "resolve", fails)
    request = DesignRequest(target_bulk=60, count=1, steps=4, seed=2)
    design = list(study.run(request))[-1].result.designs[0]
    assert not design.ok and not design.trust
    assert design.message and "refined" in design.stages


def test_trust_is_written_and_read(design):
    values = design.to_dict()
    parts = {"value", "grid", "placement", "material", "placement_doubled"}
    assert values["trust"]["K"].keys() == parts | {"low", "high"}
    assert Design.from_dict(values).trust == design.trust
    del values["trust"], values["voxels"]  # as earlier versions wrote it
    assert Design.from_dict(values).trust == Design.from_dict(values).voxels == {}


def test_a_cell_is_built_again_from_its_geometry(design):
    known = json.loads(json.dumps(design.to_dict()))["geometry"]
    packing = Packing(torch.tensor(known["centres"], dtype=torch.float64), known["diameter"])
    assert (packing.voxelise(64).numpy() == design.labels[..., 0]).all()
    assert known["diameter"] == design.parameters["diameter"]


def test_trust_in_words():
    assert str(Trust(117.62, 0.317)) == "117.6 ± 0.3" and str(Trust(20.0, 0.62)) == "20.0 ± 0.6"
    assert str(Trust(437.2, 23.4)) == "437 ± 23" and str(Trust(0.0123456, 0.00042)) == "0.0123 ± 0.0004"
    three = Trust(100.0, 0.3, 4.0, 1.2)
    assert three.width == pytest.approx(4.187, rel=1e-3) and three.high - 100 == pytest.approx(100 - three.low)
    assert three.brief == "±4.2 %, mostly placement"
    assert three.words == "±4.2 %: mostly other placements of the same inclusions; grid ±0.3 %, material ±1.2 %"
    larger = replace(three, placement_doubled=2.0)
    assert larger.words == f"{three.words}; in a cell of twice the edge placement ±2 %" and larger.width == three.width


def test_all_moduli_are_as_uncertain_as_those_of_the_phases_if_they_are_wrong_by_the_same_factor():
    """Of two phases that are nearly one, K is that of the material: 4 % (handbook) of it, to 95 %."""
    one = Material("a", "A", "metal", 70.0, 0.3, *moduli(70.0, 0.3), 2.7, kind="handbook")
    other = replace(one, id="b", kind="measured", young_std=3.5)
    packing = place_particles(0.3, 0.3, 2, grid=32, generator=torch.Generator().manual_seed(2))[0]
    trust = verified(simulation("K", grid=32), (one, other), packing).trust({"K": 0.5})
    weighted = math.hypot(0.7 * 0.04, 0.3 * 0.05)  # K of the cell is the mean, to first order
    assert trust["K"].material == pytest.approx(1.96 * weighted * one.bulk, rel=0.01)
    assert trust["K"].placement == pytest.approx(0.98) and trust["E"].placement is None
    assert trust["K"].placement_doubled == pytest.approx(0.49) and trust["E"].placement_doubled is None
    assert trust["Ex"].material == pytest.approx(1.96 * weighted * one.young, rel=0.01)


def moduli(young: float, poisson: float) -> tuple[float, float]:
    return young / (3 * (1 - 2 * poisson)), young / (2 * (1 + poisson))


def test_a_limit_that_is_no_stiffness_gives_way_to_the_finer_grid():
    """As of soft rubber that is hardly compressible beside a mineral, whose shear two grids tell badly."""
    packing = place_particles(0.3, 0.3, 2, grid=16, generator=torch.Generator().manual_seed(2))[0]
    found = resolve(simulation("C11", grid=16), (EPOXY, ALUMINA), packing)
    C = found.fine.stiffness
    assert C is not None and found.stiffness is not None and is_stable(found.stiffness)
    worse = replace(found.coarse, stiffness=3.0 * C)
    assert replace(found, coarse=worse).stiffness == pytest.approx(C[0].numpy())
