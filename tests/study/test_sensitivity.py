"""Sensitivities are the derivatives that solving again would show, and they add up as scales do."""

from dataclasses import replace

import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure import FREE_FORM
from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.study.sensitivity import Sensitivity, sensitivities
from relaxdesign.study.simulation import Simulation

CATALOGUE = Catalogue.default()
PHASES = (
    replace(CATALOGUE.by_id["epoxy-unfilled"], conductivity=0.2),
    replace(CATALOGUE.by_id["alumina-ad-995"], conductivity=30.0),
)
STEP = 1e-3


def cell(kind: str):
    """A simulation and a geometry, in 2D a level set, in 3D spheres."""
    dim, grid = (2, 32) if kind == "level set" else (3, 16)
    packing = place_particles(0.25, 0.3, dim, grid=grid, generator=torch.Generator().manual_seed(4))[0]
    shape = FREE_FORM.geometry(FREE_FORM.level_set(packing.voxelise(grid).numpy()))
    return Simulation(Evaluator(("E", "conductivity")), [], dim, grid), shape if dim == 2 else packing


def solved_again(simulation, materials, geometry) -> dict[str, float]:
    values = simulation.cells(materials, [geometry], tolerance=1e-9).values
    return {name: float(value) for name, value in values.items()}


def scaled(phase: int, part: float):
    changed = list(PHASES)
    names = ("bulk", "shear", "conductivity", "density")
    changed[phase] = replace(PHASES[phase], **{n: (1 + part) * getattr(PHASES[phase], n) for n in names})
    return changed


@pytest.mark.parametrize("kind", ["level set", "spheres"])
def test_derivatives_are_those_of_solving_again(kind):
    simulation, geometry = cell(kind)
    found = sensitivities(simulation, PHASES, geometry, simulation.cells(PHASES, [geometry]))
    assert {"K", "G", "E", "nu", "Ex", "C12", "conductivity", "density"} <= found.keys()
    moved = [geometry.moved(sign * STEP / simulation.grid) for sign in (1, -1)]
    grown = float((simulation.shares(moved[:1]) - simulation.shares(moved[1:])).mean())
    high, low = (solved_again(simulation, PHASES, each) for each in moved)
    stiffer, softer = (solved_again(simulation, scaled(1, sign * STEP), geometry) for sign in (1, -1))
    for name in ("K", "E", "nu", "Ex", "conductivity", "conductivity_y", "density"):
        assert found[name].share == pytest.approx((high[name] - low[name]) / grown, rel=0.03, abs=1e-4), name
        assert found[name].phases[1] == pytest.approx((stiffer[name] - softer[name]) / (2 * STEP), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("kind", ["level set", "spheres"])
def test_phases_together_scale_the_cell(kind):
    """A quantity that is of the phases' unit grows in proportion to them (Euler), a ratio does not change."""
    simulation, geometry = cell(kind)
    solved = simulation.cells(PHASES, [geometry])
    found = sensitivities(simulation, PHASES, geometry, solved)
    for name in ("K", "G", "E", "Ey", "C11", "conductivity", "conductivity_x", "density"):
        assert sum(found[name].phases) == pytest.approx(float(solved.values[name]), rel=1e-4)
    for name in ("nu", "AU"):
        assert sum(found[name].phases) == pytest.approx(0.0, abs=1e-5)


def test_size_tells_what_the_volume_fraction_tells():
    """At the same centres three times as much of the one as of the other, relative to each."""
    simulation, packing = cell("spheres")
    found = sensitivities(simulation, PHASES, packing, simulation.cells(PHASES, [packing]))["K"]
    assert found.size == pytest.approx(3 * packing.share / packing.size * found.share, rel=1e-4)


def test_words_tell_what_an_inexact_fraction_does():
    text = Sensitivity(share=-150.0, size=None, phases=(60.0, 40.0)).words("K", 100.0, 0.02)
    assert text == "K changes by 3 GPa (3 %) if the volume fraction is off by 0.02"
    assert Sensitivity.from_dict(Sensitivity(1.0, 2.0, (3.0, 4.0)).to_dict()) == Sensitivity(1.0, 2.0, (3.0, 4.0))
