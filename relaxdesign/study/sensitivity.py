"""How the quantities of a realised cell answer to what a maker cannot hold exactly: volume fraction, size, materials.

Exact to first order and without another solve: with the solutions of the cell at hand, the derivative of its effective
tensor by any change of its voxels' coefficients is a sum of their mutual energies (see
`relaxdesign.physics.evaluator.Evaluator.derivatives`). What changes the voxels, a moved interface or another modulus of
a phase, is a closed form whose differences are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from torch import Tensor

from relaxdesign.materials.material import Material
from relaxdesign.microstructure.base import Geometry, Placement
from relaxdesign.physics.evaluator import Effective
from relaxdesign.physics.quantities import PHYSICS, format_value
from relaxdesign.study.simulation import Simulation

TOLERANCE = 0.02
"""Of the volume fraction, absolute: what texts speak of."""

_MOVED = 0.005  # voxels, of the interface
_RAISED = 1e-3  # relative, of moduli


@dataclass(frozen=True)
class Sensitivity:
    """Derivatives of one quantity of a cell, in its unit.

    share: by the volume fraction of the inclusions, whose interfaces move alike. size: by the inclusions' size, in cell
    edges, at the same centres; None of a cell that has none. phases: by the logarithm of each phase's coefficients, all
    of the quantity's physics together: what a relative error of 1 would do.
    """

    share: float
    size: float | None
    phases: tuple[float, ...]

    def words(self, name: str, value: float, tolerance: float) -> str:
        """``K changes by 3.1 GPa (2.6 %) if the volume fraction is off by 0.02``."""
        change = abs(self.share) * tolerance
        relative = f" ({100 * change / abs(value):.2g} %)" if value else ""
        return (
            f"{name} changes by {format_value(name, change)}{relative} if the volume fraction is off by {tolerance:g}"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self) | {"phases": list(self.phases)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Sensitivity:
        """The inverse of ``to_dict``."""
        return Sensitivity(values["share"], values["size"], tuple(values["phases"]))


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
    grown = float((more - less).mean())
    high, low = (simulation.fields(evaluator, materials, moved) for moved in (more, less))
    by_share = by({name: (high[name] - low[name]) / grown for name in fields})
    by_phase = []
    for phase in range(len(materials)):
        high, low = (
            simulation.fields(evaluator, _raised(materials, phase, sign * _RAISED), shares) for sign in (1, -1)
        )
        by_phase.append(by({name: (high[name] - low[name]) / (2.0 * _RAISED) for name in fields}))
    slope = _slope_of_share(geometry)
    return {
        name: Sensitivity(
            float(by_share[name]),
            None if slope is None else float(by_share[name]) * slope,
            tuple(float(values[name]) for values in by_phase),
        )
        for name in solved.values
    }


def _raised(materials: Sequence[Material], phase: int, part: float) -> list[Material]:
    """The materials, all coefficients of one phase larger by a part of themselves."""
    names = {c.name for physics in PHYSICS.values() for c in physics.coefficients} & {f.name for f in fields(Material)}
    known = {name: value for name in names if (value := getattr(materials[phase], name, None)) is not None}
    raised = list(materials)
    raised[phase] = replace(raised[phase], **{name: (1.0 + part) * value for name, value in known.items()})
    return raised


def _slope_of_share(geometry: Geometry) -> float | None:
    """Derivative of the volume fraction by the size of inclusions."""
    if not isinstance(geometry, Placement):
        return None
    high, low = (geometry.with_size(geometry.size * (1.0 + part)).share for part in (_RAISED, -_RAISED))
    return (high - low) / (2.0 * _RAISED * geometry.size)
