"""How the quantities of a realised cell answer to what a maker cannot hold exactly: volume fraction, size, materials.

Exact to first order and without another solve: with the solutions of the cell at hand, the derivative of its effective
tensor by any change of its voxels' coefficients is a sum of their mutual energies (see
`relaxdesign.physics.evaluator.Evaluator.derivatives`). What changes the voxels, a moved interface or another modulus of
a phase, is a closed form whose differences are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from torch import Tensor

from relaxdesign.materials.material import Material
from relaxdesign.microstructure.base import Geometry, Placement
from relaxdesign.physics.base import Physics
from relaxdesign.physics.evaluator import Effective
from relaxdesign.physics.quantities import format_value
from relaxdesign.study.simulation import Simulation

TOLERANCE = 0.02
"""Of the volume fraction, absolute: what texts speak of."""

_MOVED = 0.005  # voxels, of the interface
_RAISED = 1e-3  # relative, of moduli
_NUMBERS = {each.name for each in fields(Material)}  # what follows from others is no cause


@dataclass(frozen=True)
class Sensitivity:
    """Derivatives of one quantity of a cell, in its unit.

    share: by the volume fraction of the inclusions, whose interfaces move alike. size: by the inclusions' size, in cell
    edges, at the same centres; None of a cell that has none. phases: by the logarithm of each phase's coefficients, all
    of them together: what a relative error of 1 would do. causes: the same of the coefficients of one physics at a
    time, by the name of the first of them, where several count.
    """

    share: float
    size: float | None
    phases: tuple[float, ...]
    causes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def words(self, name: str, value: float, tolerance: float) -> str:
        """``K changes by 3.1 GPa (2.6 %) if the volume fraction is off by 0.02``."""
        change = abs(self.share) * tolerance
        relative = f" ({100 * change / abs(value):.2g} %)" if value else ""
        return (
            f"{name} changes by {format_value(name, change)}{relative} if the volume fraction is off by {tolerance:g}"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        causes = {name: list(slopes) for name, slopes in self.causes.items()}
        return {"share": self.share, "size": self.size, "phases": list(self.phases)} | (
            {"causes": causes} if causes else {}
        )

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Sensitivity:
        """The inverse of ``to_dict``."""
        causes = {name: tuple(slopes) for name, slopes in values.get("causes", {}).items()}
        return Sensitivity(values["share"], values["size"], tuple(values["phases"]), causes)


def sensitivities(
    simulation: Simulation, materials: Sequence[Material], geometry: Geometry, solved: Effective, times: int = 1
) -> dict[str, Sensitivity]:
    """Of every quantity of a cell, by name.

    solved: the cell on a grid, its whole stiffness included. times: its voxels per edge, in multiples of the
    simulation's grid.
    """
    evaluator = simulation.verifying(solved.values)
    shares = simulation.shares([geometry], times)

    def by(change: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return evaluator.derivatives(solved, fields, change)

    fields = simulation.fields(evaluator, materials, shares)
    distance = _MOVED / simulation.grid
    more, less = (simulation.shares([geometry.moved(sign * distance)], times) for sign in (1, -1))
    grown = float((more - less).sum(1).mean())
    high, low = (simulation.fields(evaluator, materials, moved) for moved in (more, less))
    by_share = by({name: (high[name] - low[name]) / grown for name in fields})
    by_cause: dict[str, list[Mapping[str, Tensor]]] = {}
    for names in _together(evaluator.physics):
        for phase in range(len(materials)):
            high, low = (
                simulation.fields(evaluator, _raised(materials, phase, names, sign * _RAISED), shares)
                for sign in (1, -1)
            )
            slopes = by({name: (high[name] - low[name]) / (2.0 * _RAISED) for name in fields})
            by_cause.setdefault(names[0], []).append(slopes)
    slope = _slope_of_share(geometry)
    found = {}
    for name in solved.values:
        causes = {cause: tuple(float(each[name]) for each in slopes) for cause, slopes in by_cause.items()}
        causes = {cause: slopes for cause, slopes in causes.items() if any(slopes)}
        phases = tuple(sum(each) for each in zip(*causes.values(), strict=True)) or (0.0,) * len(materials)
        size = None if slope is None else float(by_share[name]) * slope
        found[name] = Sensitivity(float(by_share[name]), size, phases, causes if len(causes) > 1 else {})
    return found


def _together(physics: Sequence[Physics]) -> list[list[str]]:
    """Coefficients that are raised together: those of each physics that none before it has."""
    seen: set[str] = set()
    groups = []
    for each in physics:
        own = [c.name for c in each.coefficients if c.name in _NUMBERS and c.name not in seen]
        seen.update(own)
        groups += [own] if own else []
    return groups


def _raised(materials: Sequence[Material], phase: int, names: Sequence[str], part: float) -> list[Material]:
    """The materials, these coefficients of one phase larger by a part of themselves."""
    known = {name: getattr(materials[phase], name) for name in names}
    raised = list(materials)
    raised[phase] = replace(raised[phase], **{name: (1.0 + part) * value for name, value in known.items()})
    return raised


def _slope_of_share(geometry: Geometry) -> float | None:
    """Derivative of the volume fraction by the size of inclusions."""
    if not isinstance(geometry, Placement):
        return None
    high, low = (geometry.with_size(geometry.size * (1.0 + part)).share for part in (_RAISED, -_RAISED))
    return (high - low) / (2.0 * _RAISED * geometry.size)
