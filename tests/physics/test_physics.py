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


def test_cells_that_fail_in_single_precision_are_solved_again_in_double():
    """One hard and one easy cell with so few iterations that the hard one fails in every physics that is solved."""
    inside = torch.zeros(2, 12, 12, 1, dtype=torch.float64)
    inside[0, 2:8, 3:9] = 1.0
    fields = {
        name: first + inside * (second - first)
        for name, first, second in (
            ("bulk", 1.0, 1000.0), ("shear", 0.5, 700.0), ("density", 1.0, 3.0), ("expansion", 80.0, 4.0),
        )
    }  # fmt: skip
    names = {"K", "E", "cte"}
    wanted = Evaluator(names)(fields)
    single = {name: values.float() for name, values in fields.items()}
    with_gradient = single | {"shear": single["shear"].requires_grad_()}
    found = Evaluator(names, max_iterations=4)(with_gradient, raise_on_failure=False)
    assert not found.messages and (found.iterations > 4).tolist() == [True, False]
    for name in names:
        assert found.values[name].dtype == torch.float32
        assert torch.allclose(found.values[name].double(), wanted.values[name], rtol=1e-4)
    (slope,) = torch.autograd.grad(found.values["cte"][0], with_gradient["shear"])
    assert torch.isfinite(slope).all() and slope[0].abs().max() > 0
    failed = Evaluator(names, max_iterations=4)(fields, raise_on_failure=False)
    assert 0 in failed.messages and failed.values["cte"].isnan().tolist() == [True, False], "double has no second one"
