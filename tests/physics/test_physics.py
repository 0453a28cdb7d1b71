"""The registry: what quantities take of a phase, and that a further physics needs an entry in it and nothing else."""

from __future__ import annotations

import pytest
import torch

from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.materials.material import MAY_LACK, VOID
from relaxdesign.physics import quantities
from relaxdesign.physics.base import Coefficient, Computed, Physics, Quantity, Task
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.quantities import COEFFICIENTS, PHYSICS, QUANTITIES, coefficients_of, computable


def uniform(**values: float) -> dict[str, torch.Tensor]:
    return {name: torch.full((1, 4, 4, 1), value, dtype=torch.float64) for name, value in values.items()}


def test_coefficients_are_numbers_of_a_material_in_a_fixed_order():
    assert coefficients_of(["price", "E", "conductivity"]) == ("bulk", "shear", "density", "conductivity", "price")
    assert coefficients_of(["conductivity"]) == ("conductivity",)
    assert all(hasattr(VOID, name) for name in COEFFICIENTS)
    assert {"conductivity", "price"} <= MAY_LACK and not MAY_LACK & {"bulk", "shear", "density"}


def test_quantities_name_their_physics_and_their_material_attribute():
    for quantity in QUANTITIES.values():
        assert quantity in PHYSICS[quantity.physics].quantities
        assert quantity.of_material is None or hasattr(VOID, quantity.of_material)


def test_a_relaxed_field_tells_what_its_channels_hold():
    held = computable(["K", "Ex/Ey", "density", "conductivity", "price"], AsinhChannels().coefficients)
    assert held == {"K", "Ex/Ey", "density"}


def test_a_missing_field_is_named():
    with pytest.raises(ValueError, match="fields of shear, conductivity are missing; needed are bulk, shear, density"):
        Evaluator({"conductivity"})(uniform(bulk=10.0, density=1.0))


def test_a_further_physics_needs_an_entry_and_nothing_else(monkeypatch):
    """One that builds on the shear modulus and has a coefficient that may be negative."""

    def compute(task: Task) -> Computed:
        shear = task.before["elasticity"].values["G"]
        return Computed({"thermal stress": shear * task.fields["swelling"].flatten(1).mean(1)}, load_cases=1)

    quantity = Quantity("thermal stress", "thermal stress", "MPa/K", "thermal", "softened")
    coefficient = Coefficient("swelling", "swelling", "1e-6/K", positive=False)
    thermal = Physics("thermal", (coefficient,), (quantity,), compute, needs=frozenset({"G"}))
    monkeypatch.setitem(quantities.PHYSICS, "thermal", thermal)
    monkeypatch.setitem(quantities.QUANTITIES, quantity.name, quantity)
    monkeypatch.setitem(quantities.COEFFICIENTS, coefficient.name, coefficient)
    evaluator = Evaluator({"thermal stress"})
    assert evaluator.coefficients == ("bulk", "shear", "density", "swelling")
    effective = evaluator(uniform(bulk=10.0, shear=5.0, density=1.0, swelling=-2.0))
    assert float(effective.values["thermal stress"]) == pytest.approx(-10.0)
    assert effective.load_cases == 6 + 1
