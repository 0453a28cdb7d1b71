"""What a realised cell's quantities come to on ever finer grids, and how that is told."""

import json
from dataclasses import replace

import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure import FREE_FORM
from relaxdesign.microstructure.particles.packing import Packing, place_particles
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.fem import ConvergenceError, SolveStatus
from relaxdesign.study import realisation
from relaxdesign.study import run as study
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import Trust, resolve

CATALOGUE = Catalogue.default()
EPOXY, ALUMINA = CATALOGUE.by_id["epoxy-unfilled"], CATALOGUE.by_id["alumina-ad-995"]
CONDUCTING = replace(EPOXY, conductivity=0.2), replace(ALUMINA, conductivity=30.0)


def simulation(*quantities: str, dim: int = 2, grid: int = 64) -> Simulation:
    return Simulation(Evaluator(quantities), [], dim, grid)


@pytest.mark.parametrize("pair", [CONDUCTING, CONDUCTING[::-1]])
def test_the_interval_holds_the_value_on_four_times_the_grid(pair):
    packing = place_particles(0.35, 0.3, 2, grid=64, generator=torch.Generator().manual_seed(2))[0]
    trust = resolve(simulation("K", "G", "conductivity"), pair, packing)
    fine = simulation("K", "G", "conductivity", grid=256).composite(pair, packing.shares(256))
    assert trust.keys() == fine.keys() == {"K", "G", "conductivity"}
    for name, value in fine.items():
        assert trust[name].low < value < trust[name].high, name
        assert trust[name].grid < 0.05 * value


def test_particles_that_nearly_touch_are_told_apart_from_those_that_touch_on_the_grid():
    """Spheres 0.3 voxels apart: voxels join them, and the cell of these is far stiffer than that of the spheres."""
    near = Packing(torch.tensor([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]], dtype=torch.float64), 0.5 - 0.3 / 16)
    solver = simulation("K", dim=3, grid=16)
    voxels = float(solver.verify((EPOXY, ALUMINA), near.voxelise(16)).values["K"][0])
    trust = resolve(solver, (EPOXY, ALUMINA), near)["K"]
    assert voxels > 1.1 * trust.high


def test_a_laminate_of_a_level_set_has_the_exact_modulus():
    """Layers that end within a voxel: K of the laminate is known, and voxels miss it by their rounding."""
    x = torch.arange(64, dtype=torch.float64) + 0.5
    level = torch.minimum(x - 10.3, 41.6 - x)[:, None].expand(64, 64).numpy().copy()
    share = (41.6 - 10.3) / 64
    trust = resolve(simulation("Ey"), (EPOXY, ALUMINA), FREE_FORM.geometry(level))["Ey"]
    exact = (1 - share) * EPOXY.young + share * ALUMINA.young  # along the layers, but for their Poisson's ratios
    assert trust.value == pytest.approx(exact, rel=0.01)
    assert trust.low < trust.value < trust.high


@pytest.fixture(scope="module")
def design() -> Design:
    request = DesignRequest(target_bulk=60, count=1, steps=6, objectives=[parse_objective("minimise density")], seed=2)
    return list(study.run(request))[-1].result.designs[0]


def test_a_design_says_what_it_comes_to_on_finer_grids(design):
    assert design.ok and design.trust.keys() == {"K"}  # the density does not depend on the grid
    trust = design.trust["K"]
    assert 0 < trust.grid < 0.1 * trust.value
    assert trust.value == pytest.approx(design.value("K"), rel=0.1)
    assert design.resolved_error == pytest.approx(trust.value / 60 - 1)


def test_a_cell_that_cannot_be_solved_on_finer_grids_stays_a_design(monkeypatch):
    def fails(*_):
        raise ConvergenceError((SolveStatus.MAX_ITERATIONS,), torch.tensor([5]), torch.tensor([1.0]))

    monkeypatch.setattr(realisation, "resolve", fails)
    request = DesignRequest(target_bulk=60, count=1, steps=4, seed=2)
    design = list(study.run(request))[-1].result.designs[0]
    assert design.ok and not design.trust and design.resolved_error is None
    assert "on finer grids is not known: the solver did not converge there" in design.message


def test_trust_is_written_and_read(design):
    values = design.to_dict()
    assert values["trust"]["K"].keys() == {"value", "grid", "low", "high"}
    assert Design.from_dict(values).trust == design.trust
    del values["trust"]  # as earlier versions wrote it
    assert Design.from_dict(values).trust == {}


def test_a_cell_is_built_again_from_its_geometry(design):
    known = json.loads(json.dumps(design.to_dict()))["geometry"]
    packing = Packing(torch.tensor(known["centres"], dtype=torch.float64), known["diameter"])
    assert (packing.voxelise(64).numpy() == design.labels[..., 0]).all()
    assert known["diameter"] == design.parameters["diameter"]


def test_trust_in_words():
    assert str(Trust(117.62, 0.317)) == "117.6 ± 0.3"
