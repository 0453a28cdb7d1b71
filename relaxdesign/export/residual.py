"""Stress that is left in a cell that cools down from the process by which it is made, in words."""

from __future__ import annotations

from collections.abc import Sequence

from relaxdesign.materials.material import Material
from relaxdesign.materials.substances import substances
from relaxdesign.materials.verdict import Verdict
from relaxdesign.physics.heating import Expansion, PhaseStress

ROOM = 20.0
"""°C."""
_FEWEST = 1.0
"""Kelvin of cooling below which nothing is said."""


def residual_stress(made: Verdict | None, materials: Sequence[Material], expansion: Expansion | None) -> str:
    """``Cooling from 80 to 180 °C (resin casting) to 20 °C leaves up to … MPa of tension in …``; empty if not known.

    materials: of the phases, the matrix first. expansion: of the cell, with the stress per kelvin of its phases.
    """
    matrix = substances().get(materials[0].substance)
    if made is None or expansion is None or matrix is None:
        return ""
    route = next((route for route in matrix.routes if route.name == made.route), None)
    if route is None or route.high - ROOM < _FEWEST:
        return ""
    drops = [max(0.0, temperature - ROOM) for temperature in (route.low, route.high)]
    told = [
        f"{_span(*(drop * stress.compression for drop in drops))} MPa of tension in {material.name}"
        for stress in expansion.phases
        if (material := _material(stress, materials)) is not None and stress.compression > 0.0
    ]
    if not told:
        return ""
    ends = _span(route.low, route.high)
    return (
        f"Cooling from {ends} °C ({route.name}) to {ROOM:.0f} °C leaves up to {' and '.join(told)} "
        "(largest voxel, at edges; nothing yields or creeps)."
    )


def _material(stress: PhaseStress, materials: Sequence[Material]) -> Material | None:
    """That of a phase, told by its numbers."""
    alike = (m for m in materials if (m.young, m.expansion) == (stress.young, stress.alpha))
    return next(alike, None)


def _span(low: float, high: float) -> str:
    """``80 to 180``, or one number where both are alike."""
    ends = dict.fromkeys(f"{value:.2g}" if value < 100 else f"{value:.0f}" for value in (low, high))
    return " to ".join(ends)
