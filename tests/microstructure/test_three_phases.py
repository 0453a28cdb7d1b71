"""Cells of three phases: coated particles and two kinds of particles, their voxels, bodies and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from manifold3d import Manifold

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.base import GivenThird, in_dimension, inclusions_of
from relaxdesign.microstructure.particles import COATED, HYBRID, PARTICLES
from relaxdesign.microstructure.particles.coated import CoatedPacking
from relaxdesign.microstructure.particles.packing import Packing
from relaxdesign.study.objective import Objective
from relaxdesign.study.simulation import Simulation

CATALOGUE = Catalogue.default()
EPOXY, ALUMINA, COPPER = (CATALOGUE.by_id[name] for name in ("epoxy-unfilled", "alumina-ad-995", "copper"))
QUANTITIES = ("K", "E", "conductivity", "cte", "density")


def placed(family, dim: int, third=COPPER, amount: float = 0.08, share: float = 0.35, grid: int = 32):
    family = in_dimension(family.with_third(third, amount), dim)
    (placement,) = family.place(share, 0.3, dim, grid=grid, generator=torch.Generator().manual_seed(3))
    return placement


def values(materials, placement, dim: int, grid: int = 32) -> dict[str, float]:
    objectives = [Objective(quantity=q, sense="minimise") for q in QUANTITIES]
    layers = isinstance(placement, CoatedPacking)
    simulation = Simulation.of(objectives, "periodic", dim, grid, layers=layers)
    effective = simulation.cells(materials, [placement], tolerance=1e-8).values
    return {name: float(effective[name]) for name in QUANTITIES}


@pytest.mark.parametrize("family", [COATED, HYBRID])
@pytest.mark.parametrize("dim", [2, 3])
def test_shares_of_voxels_add_up_to_what_is_placed(family, dim):
    assert isinstance(family, GivenThird)
    placement = placed(family, dim)
    shares = placement.shares(48)
    assert shares.shape == (2, *(48,) * dim)
    assert float(shares.min()) >= 0.0 and float(shares.sum(0).max()) <= 1.0 + 1e-9
    assert float(shares.sum(0).mean()) == pytest.approx(0.35, abs=2e-3)
    labels = placement.voxelise(48)
    for phase in (1, 2):
        assert float((labels == phase).double().mean()) == pytest.approx(float(shares[phase - 1].mean()), abs=0.02)
    assert placement.with_share(0.3).share == pytest.approx(0.3)
    assert placement.gap > 0 and placement.largest_size() >= placement.size


def test_the_filler_keeps_its_share_and_the_coating_its_thickness():
    hybrid, coated = placed(HYBRID, 3), placed(COATED, 3)
    assert hybrid.parameters["filler_share"] == pytest.approx(0.08)
    assert hybrid.with_share(0.3).parameters["filler_share"] == pytest.approx(0.08)
    assert coated.with_size(0.25).parameters["coating_thickness"] == 0.08
    core = coated.core.share / coated.share
    assert core == pytest.approx((1 - 2 * 0.08) ** 3)


@pytest.mark.parametrize("dim", [2, 3])
def test_phases_of_one_material_make_a_cell_of_two(dim):
    """A coating, or a filler, of what the particles are made of changes nothing."""
    grid = 32 if dim == 2 else 16
    coated, hybrid = placed(COATED, dim, ALUMINA), placed(HYBRID, dim, ALUMINA)
    for three, outer in ((coated, coated.outer), (hybrid, hybrid.whole)):
        found = values((EPOXY, ALUMINA, ALUMINA), three, dim, grid)
        expected = values((EPOXY, ALUMINA), outer, dim, grid)
        for name in QUANTITIES:
            assert found[name] == pytest.approx(expected[name], rel=2e-5), name


def test_a_dilute_coated_sphere_is_the_equivalent_sphere():
    """Hashin's composite sphere: K and conductivity of a core in its coating, then of that in the matrix."""
    ball = Packing(torch.full((1, 3), 0.5, dtype=torch.float64), 0.55)
    coated = placed(COATED, 3, COPPER, 0.1)
    cell = replace(coated, outer=ball, thickness=0.1)
    two = Catalogue((EPOXY, ALUMINA))
    family = COATED.with_third(COPPER, 0.1)
    coarse, fine = (values((EPOXY, COPPER, ALUMINA), cell, 3, grid) for grid in (24, 48))
    for name in ("K", "conductivity", "cte"):
        limit = 2 * fine[name] - coarse[name]
        assert limit == pytest.approx(family.estimate(two, [ball.share], 3, name)[0, 0, 1], rel=0.01), name


def test_a_poorly_conducting_coating_is_a_resistance_of_the_interface():
    """Hasselman & Johnson 1987 (doi:10.1177/002199838702100602), resistance R = thickness / conductivity."""
    barrier = replace(COPPER, id="barrier", conductivity=0.02)
    ball = Packing(torch.full((1, 3), 0.5, dtype=torch.float64), 0.6)
    thickness = 0.02
    cell = replace(placed(COATED, 3, barrier, thickness), outer=ball)
    km, kp, radius = EPOXY.conductivity, ALUMINA.conductivity, 0.5 * ball.diameter
    resistance = thickness * ball.diameter / barrier.conductivity
    a, v = kp * resistance / radius, ball.share
    assert km is not None and kp is not None
    top = 2 * (kp / km - a - 1) * v + kp / km + 2 * a + 2
    expected = km * top / ((1 - kp / km + a) * v + kp / km + 2 * a + 2)
    coarse, fine = (values((EPOXY, barrier, ALUMINA), cell, 3, grid)["conductivity"] for grid in (32, 64))
    assert 2 * fine - coarse == pytest.approx(expected, rel=0.03)
    assert fine < 0.9 * values((EPOXY, ALUMINA), ball, 3, 32)["conductivity"]


@pytest.mark.parametrize("family", [COATED, HYBRID])
def test_estimates_rank_pairs_by_what_the_third_phase_makes_of_them(family):
    two, soft = Catalogue((EPOXY, ALUMINA)), CATALOGUE.by_id["eps-foam-20"]
    with_soft = family.with_third(soft, 0.1).estimate(two, [0.35], 3, "K")[0, 0, 1]
    with_stiff = family.with_third(COPPER, 0.1).estimate(two, [0.35], 3, "K")[0, 0, 1]
    plain = PARTICLES.estimate(two, [0.35], 3, "K")[0, 0, 1]
    assert with_soft < plain and with_soft < with_stiff
    with pytest.raises(ValueError, match="need the material of"):
        family.estimate(two, [0.3], 3, "K")


@pytest.mark.parametrize("family", [COATED, HYBRID])
@pytest.mark.parametrize("dim", [2, 3])
def test_bodies_of_the_phases_fill_what_they_shall(family, dim):
    placement = placed(family, dim)
    geometry = placement.to_dict()
    block = Manifold.cube((1, 1, 1))  # bodies reach beyond it
    whole, first, second = (family.body(geometry, 1, 1.0, 0.01, phase) ^ block for phase in (0, 1, 2))
    assert (first ^ second).volume() < 1e-4 * whole.volume()  # apart
    assert first.volume() + second.volume() == pytest.approx(whole.volume(), rel=1e-3)
    shares = np.array([float(s.mean()) for s in placement.shares(64)])
    assert first.volume() / whole.volume() == pytest.approx(shares[0] / shares.sum(), rel=0.02)


def test_the_chosen_inclusions_are_called_particles_wherever_the_third_phase_stands():
    for family in (PARTICLES, COATED, HYBRID):
        assert inclusions_of(family) == "particles"
