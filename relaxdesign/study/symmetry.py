"""What the symmetry of a cell says of its quantities: some have one value whatever its shape, some are alike.

Mirror planes across all axes leave no coupling of normal and shear strains, nor of two shears. In a cubic cell the axes
are alike, and so are Young's moduli along them (of a 2D cell: in its plane).
"""

from __future__ import annotations

from collections.abc import Sequence

from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.physics.voigt_reuss import ENTRIES
from relaxdesign.study.objective import Objective

_SLACK = 0.01
"""Of the norm of a wanted stiffness: by so much its entries may differ from what the symmetry makes of them."""
_COUPLINGS = tuple(name for name, (i, j) in ENTRIES.items() if i != j and j > 3)
_ALIKE = {
    2: (("Ex", "Ey"), ("C11", "C22"), ("C13", "C23"), ("C44", "C55"), ("Ex/Ez", "Ey/Ez")),
    3: (("Ex", "Ey", "Ez"), ("C11", "C22", "C33"), ("C12", "C13", "C23"), ("C44", "C55", "C66")),
}
_RATIOS = {2: ("Ex/Ey",), 3: ("Ex/Ey", "Ex/Ez", "Ey/Ez")}
_ANY = 1e12


def check_symmetry(objectives: Sequence[Objective], symmetry: str, dim: int) -> None:
    """Raises ValueError for objectives that no cell with the symmetry of a request can meet."""
    fixed = _fixed(symmetry, dim)
    for objective in (each for each in objectives if each.quantity in fixed):
        name, value = objective.quantity, fixed[objective.quantity]
        if objective.sense != "reach" or abs(value - objective.nearest(value)) > _slack(objective):
            raise ValueError(
                f"{objective} contradicts the symmetry {symmetry}, with which every cell has {name} = {value:g}: "
                f"leave out {name}, or choose {_weaker(name)}"
            )
    for alike in _alike(objectives, symmetry, dim):
        low, high = _common(alike)
        if low - high > min(map(_slack, alike)):
            raise ValueError(
                f"{' and '.join(map(str, alike))} contradict the symmetry cubic, with which they are one value: "
                "give them one interval, or choose the symmetry orthotropic"
            )


def steered(objectives: Sequence[Objective], symmetry: str, dim: int) -> tuple[Objective, ...]:
    """The objectives towards which symmetric cells are steered, in their order.

    What the symmetry decides asks for nothing, and of targets that are alike the first stands for all: derivatives of
    the others would tell no more than the errors of a solve.
    """
    found = {each.quantity: _asks_nothing(each) for each in objectives if each.quantity in _fixed(symmetry, dim)}
    for alike in _alike(objectives, symmetry, dim):
        low, high = _common(alike)
        if low > high:
            low = high = (low + high) / 2.0
        weight = sum(each.weight for each in alike)
        limits = {"low": None if low <= -_ANY else low, "high": None if high >= _ANY else high}
        found |= {each.quantity: _asks_nothing(each) for each in alike[1:]}
        found[alike[0].quantity] = alike[0].model_copy(update={**limits, "weight": weight})
    return tuple(found.get(each.quantity, each) if each.sense == "reach" else each for each in objectives)


def _fixed(symmetry: str, dim: int) -> dict[str, float]:
    """The quantities that a symmetry decides, by name."""
    couplings = {} if symmetry == "none" else dict.fromkeys(_COUPLINGS, 0.0)
    return couplings | (dict.fromkeys(_RATIOS[dim], 1.0) if symmetry == "cubic" else {})


def _alike(objectives: Sequence[Objective], symmetry: str, dim: int) -> list[list[Objective]]:
    """Targets that are of the same value in every cell with the symmetry, two or more together."""
    targets = {each.quantity: each for each in objectives if each.sense == "reach"}
    groups = _ALIKE[dim] if symmetry == "cubic" else ()
    return [found for names in groups if len(found := [targets[name] for name in names if name in targets]) > 1]


def _common(alike: Sequence[Objective]) -> tuple[float, float]:
    """The largest lower and the smallest upper limit."""
    low = max(-_ANY if each.low is None else each.low for each in alike)
    return low, min(_ANY if each.high is None else each.high for each in alike)


def _slack(objective: Objective) -> float:
    return _SLACK * (objective.scale or 0.0)


def _asks_nothing(target: Objective) -> Objective:
    """The same with an interval that every value lies in."""
    low = 1.0 / _ANY if QUANTITIES[target.quantity].positive else -_ANY
    return target.model_copy(update={"low": low, "high": None})


def _weaker(name: str) -> str:
    """What can be chosen instead, where a quantity is not to have the value that the symmetry gives it."""
    return "the symmetry none" if name in _COUPLINGS else "the symmetry orthotropic"
