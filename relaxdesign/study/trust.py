"""How far a realised cell's numbers hold: what they come to on ever finer grids, and how well that is known.

The quantities of the exported cell are those of its voxels. The cell itself, spheres or a level set, is solved here
with composite voxels on the design's grid and on one twice as fine, and extrapolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Geometry
from relaxdesign.physics.base import Physics
from relaxdesign.physics.composite_voxels import limit
from relaxdesign.physics.quantities import PHYSICS, QUANTITIES
from relaxdesign.study.simulation import Simulation


@dataclass(frozen=True)
class Trust:
    """One quantity of the realised cell, independent of its voxels.

    value: limit of fine grids, in the quantity's unit. grid: half-width of the interval that holds it (95 %).
    """

    value: float
    grid: float

    @property
    def low(self) -> float:
        return self.value - self.grid

    @property
    def high(self) -> float:
        return self.value + self.grid

    def __str__(self) -> str:
        """``117.6 ± 0.3``, without the unit."""
        return f"{self.value:.4g} ± {self.grid:.1g}"

    def to_dict(self) -> dict[str, float]:
        """JSON form."""
        return {"value": self.value, "grid": self.grid, "low": self.low, "high": self.high}


def resolve(simulation: Simulation, materials: Sequence[Material], geometry: Geometry) -> dict[str, Trust]:
    """Trust in every quantity that the simulation computes, by name. Raises ConvergenceError."""
    coarse, fine = (simulation.composite(materials, geometry.shares(n * simulation.grid)) for n in (1, 2))
    return {
        name: Trust(*limit(value, fine[name], _contrast(materials, PHYSICS[QUANTITIES[name].physics])))
        for name, value in coarse.items()
    }


def _contrast(materials: Sequence[Material], physics: Physics) -> float:
    """The largest ratio of a coefficient of two phases, at least 1."""
    values = [[float(getattr(material, c.name)) for material in materials] for c in physics.coefficients]
    return max(max(each) / min(each) for each in values)
