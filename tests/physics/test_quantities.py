"""Quantities from stiffnesses, against closed forms, and what estimates of them are used for."""

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue, Material
from relaxdesign.microstructure import PARTICLES
from relaxdesign.microstructure.estimates import estimate_stiffness
from relaxdesign.physics.elasticity import quantities_of_stiffness
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.study.attainable import attainable
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.selection import PairTable, UnknownPropertyError, with_known_properties
from relaxdesign.study.simulation import Simulation


def isotropic(K: float, G: float) -> torch.Tensor:
    C = torch.zeros(1, 6, 6, dtype=torch.float64)
    C[:, :3, :3] = K - 2 / 3 * G
    C[:, range(3), range(3)] = K + 4 / 3 * G
    C[:, range(3, 6), range(3, 6)] = G
    return C


def test_isotropic_stiffness_gives_back_its_moduli():
    values = {name: float(v) for name, v in quantities_of_stiffness(isotropic(100.0, 60.0)).items()}
    young = 9 * 100 * 60 / (300 + 60)
    expected = {"K": 100, "G": 60, "E": young, "nu": (300 - 120) / (600 + 120), "Ex": young, "Ey/Ez": 1, "C44": 60}
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert values["AU"] == pytest.approx(0, abs=1e-12) and values["C14"] == 0


def test_estimated_cylinders_obey_the_same_definitions_as_simulated_cells():
    """All quantities of a transversely isotropic stiffness, by its own formulas and by those for any C."""
    medium = estimate_stiffness(3.0, 1.2, 200.0, 80.0, 0.3, 2)
    C = torch.zeros(6, 6, dtype=torch.float64)
    for i in range(6):
        for j in range(i, 6):
            C[i, j] = C[j, i] = float(medium.quantity(f"C{i + 1}{j + 1}"))
    general = quantities_of_stiffness(C[None])
    for name in ("K", "G", "E", "nu", "Ex", "Ey", "Ez", "Ex/Ez", "AU"):
        assert float(medium.quantity(name)) == pytest.approx(float(general[name]), rel=1e-9), name


@pytest.mark.parametrize("dim", [2, 3])
def test_estimates_are_near_simulated_cells(dim):
    soft, stiff = (Material(n, n, "", *values) for n, values in (
        ("a", (70.0, 0.33, 68.6, 26.3, 2.7)), ("b", (400.0, 0.2, 222.2, 166.7, 3.2))))  # fmt: skip
    grid = {2: 64, 3: 24}[dim]
    simulation = Simulation.of(
        [parse_objective(t) for t in ("K = 1", "G = 1", "Ez = 1", "C66 = 1")], "periodic", dim, grid
    )
    generator = torch.Generator().manual_seed(0)
    _, values = simulation.placed_anew(PARTICLES, (soft, stiff), 0.25, 0.3, generator)
    medium = estimate_stiffness(soft.bulk, soft.shear, stiff.bulk, stiff.shear, 0.25, dim)
    for name in ("K", "G", "Ez", "C66"):
        assert float(medium.quantity(name)) == pytest.approx(values.mean[name], rel={2: 0.03, 3: 0.08}[dim]), name


def test_evaluator_solves_one_load_case_for_K_and_six_for_more():
    field = torch.full((1, 4, 4, 4), 10.0, dtype=torch.float64)
    fields = {"bulk": field, "shear": 0.5 * field, "density": 0.1 * field}
    assert Evaluator()(fields).load_cases == 1
    whole = Evaluator({"E", "conductivity", "price"})(fields | {"conductivity": 2 * field, "price": 3 * field})
    assert whole.load_cases == 6 + 3
    assert float(whole.values["conductivity"]) == pytest.approx(20) and float(whole.values["price"]) == pytest.approx(
        30
    )
    assert float(whole.values["K"]) == pytest.approx(10)


def test_reachable_intervals_hold_what_pairs_are_estimated_to_have():
    catalogue = Catalogue.default().select()
    for name in ("K", "G", "nu", "density", "Ez"):
        intervals = attainable(catalogue, 2, name)
        ((wide_low, wide_high),) = attainable(catalogue, 2, name, "free-form")
        assert wide_low <= intervals[0][0] < intervals[-1][1] <= wide_high
    assert attainable(catalogue, 2, "Ex/Ey") == [(1.0, 1.0)]
    own = Catalogue.from_text("id,name,E_GPa,nu,rho_g_cm3\na,A,3,0.3,1\nb,B,70,0.3,3\n")
    with pytest.raises(UnknownPropertyError, match="price of A and B is not known"):
        with_known_properties(own, [parse_objective("price <= 3")])


def test_pair_table_finds_fractions_that_serve_two_targets():
    catalogue = Catalogue.default().select()
    table = PairTable(catalogue, [parse_objective("K = 50"), parse_objective("G = 25")], PARTICLES, 2, 64)
    best = int(np.argmin(table.miss))
    m, p = (catalogue.materials[i] for i in (table.matrix[best], table.inclusion[best]))
    medium = estimate_stiffness(m.bulk, m.shear, p.bulk, p.shear, table.share[best], 2)
    assert float(medium.bulk) == pytest.approx(50, rel=2e-3) and float(medium.average_shear) == pytest.approx(
        25, rel=2e-3
    )
    # Where no pair can have both, the table keeps the ones that come nearest.
    conflict = PairTable(catalogue, [parse_objective("K = 100"), parse_objective("density <= 1")], PARTICLES, 2, 64)
    assert conflict.miss.min() > 0.1 and len(conflict.miss) > 0
