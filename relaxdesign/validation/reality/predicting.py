"""Predicts measured composites from their constituents alone, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import t as student

from relaxdesign.microstructure.base import Geometry
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.physics.fem import ConvergenceError
from relaxdesign.study.sensitivity import sensitivities
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import Trust, resolve
from relaxdesign.validation.reality.cells import Unpredictable, cells_of
from relaxdesign.validation.reality.composites import Composite
from relaxdesign.validation.reality.judging import Judged, judged

_CONFIDENCE = 0.975


@dataclass(frozen=True)
class Settings:
    """How composites are predicted. grid: voxels per edge of the coarser of two grids. placements: cells per row."""

    grid: int = 24
    placements: int = 3
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def predict(composite: Composite, settings: Settings) -> Judged:
    """A measured composite beside its prediction; without one where there is no geometry, or a solve fails."""
    try:
        words, cells = cells_of(composite, settings.grid, settings.placements, settings.seed)
        return judged(composite, words, predictions(composite, cells, settings.grid))
    except (Unpredictable, ConvergenceError) as error:
        return judged(composite, f"not predicted: {error}", {})


def predictions(composite: Composite, cells: Sequence[Geometry], grid: int) -> dict[str, Trust]:
    """The measured quantities of statistically equal cells, each at the limit of fine grids: their mean. By name.

    The interval joins the grid's part, the mean one of the cells; that of placement, the standard error of the mean
    (95 %, Student), as a specimen holds many cells; and that of the materials' numbers, which the first cell tells.
    Raises ConvergenceError.
    """
    names = {"E", *composite.measured}  # sensitivities take the whole stiffness
    materials = composite.materials
    if set(composite.measured) == {"conductivity"}:  # moduli do not matter to it: equal ones are solved at once
        materials = [replace(material, bulk=1.0, shear=1.0) for material in materials]
    void = any(material.void for material in materials)
    simulation = Simulation(Evaluator(names), (), dim=3, grid=grid, void=void)
    solved = [resolve(simulation, materials, cell) for cell in cells]
    known = sensitivities(simulation, materials, cells[0], solved[0].coarse)
    trusts = [replace(each, sensitivity=known).trust() for each in solved]
    return {name: _mean([trust[name] for trust in trusts]) for name in composite.measured}


def _mean(trusts: Sequence[Trust]) -> Trust:
    """Of equal cells: their mean, with its standard error."""
    values, count = np.array([each.value for each in trusts]), len(trusts)
    error = None
    if count > 1:
        error = float(student.ppf(_CONFIDENCE, count - 1) * values.std(ddof=1) / math.sqrt(count))
    return Trust(float(values.mean()), float(np.mean([each.grid for each in trusts])), error, trusts[0].material)
