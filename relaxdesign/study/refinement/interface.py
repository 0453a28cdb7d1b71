"""An interface shifted onto targets: Gauss–Newton steps on a level set, φ > 0 in phase 1.

With g_i the derivative of target i by φ at every voxel and r the misses, the smallest step that closes them is

    φ ← φ − M Gᵀ (G M Gᵀ)⁻¹ r,    M = S W.

S smooths. W = 1 / (1 + (|g| / k)²), |g|² = Σ_i g_i², says where little shall move: at thin necks and narrow gaps, where
|g| is so large that nothing else would, and where derivatives do not last. A step takes one solve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Shape
from relaxdesign.microstructure.features import thin
from relaxdesign.study.refinement.steps import closing_amplitudes
from relaxdesign.study.simulation import Simulation

TOLERANCE = 2e-3
"""Largest residual with which a search ends, twice over."""

_STEPS = 20
_LEAST_DAMPING = 0.02
_LARGEST_SHIFT = 1.5  # voxels per step
_SMOOTHING = 2.0  # voxels
_LARGE = 2.0  # medians of |g|, k of the weight
_MARGIN = 0.75  # voxels beyond the least width within which parts are held

Level = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Solved:
    """A cell that was solved for the coordinates of its targets, a tensor each, whose gradients lead to the shares."""

    level: Level
    shares: Tensor
    coordinates: list[Tensor]
    residual: NDArray[np.float64]

    @property
    def miss(self) -> float:
        return float(np.abs(self.residual).max())

    @property
    def distance(self) -> float:
        """From all targets together."""
        return float(np.linalg.norm(self.residual))


@dataclass(frozen=True, eq=False)
class Interface:
    """Of cells of two materials, to be shifted until they meet the targets of the simulation.

    times: voxels per edge of the cells that are solved, in multiples of the simulation's grid. shift: what is added to
    coordinates, see `Simulation.residuals`. least_gain: share of the miss that a whole step must take away for another
    one to be tried. width: voxels; necks and walls of either phase that are thinner become no thinner.
    """

    family: Shape
    materials: Sequence[Material]
    simulation: Simulation
    times: float = 1
    shift: Mapping[str, float] = field(default_factory=dict)
    least_gain: float = 0.0
    width: float = 0.0

    def shifted(self, level: Level) -> tuple[float, Level]:
        """Smallest largest residual reached, and the level set that has it. Raises ConvergenceError."""
        best, damping, moves = self._solved(level), 1.0, None
        for _ in range(_STEPS):
            if best.miss < TOLERANCE / 2 or damping < _LEAST_DAMPING:
                break
            if moves is None:  # of this level; a shorter step has the same direction
                moves = self._step(best)
            moved = best.level + min(damping, _LARGEST_SHIFT / max(float(np.abs(moves).max()), 1e-30)) * moves
            solved = None
            if self.family.shares[0] <= (moved > 0).mean() <= self.family.shares[1]:
                solved = self._solved(moved)
            if solved is None or solved.distance >= best.distance:
                damping *= 0.4
                continue
            stuck = 1.0 - solved.distance / best.distance < self.least_gain * damping
            best, damping, moves = solved, 1.0, None
            if stuck:
                break
        return best.miss, best.level

    def _solved(self, level: Level) -> _Solved:
        simulation = self.simulation
        evaluator = simulation.searching()
        shares = simulation.shares([self.family.geometry(level)], self.times).requires_grad_()
        effective = evaluator(simulation.fields(evaluator, self.materials, shares))
        simulation.cost.add(effective)
        values = {target.quantity: effective.values[target.quantity][0] for target in simulation.targets}
        residual = simulation.residuals({name: float(value.detach()) for name, value in values.items()}, self.shift)
        coordinates = [target.coordinate(values[target.quantity]) for target in simulation.targets]
        return _Solved(level, shares, coordinates, residual)

    def _step(self, solved: _Solved) -> Level:
        """The change of the level set that should meet the targets."""
        answers, level = self._answers(solved), solved.level
        size = np.sqrt(np.square(answers).sum(0))
        large = _LARGE * float(np.median(size[size > 1e-3 * size.max()])) if size.any() else 1.0
        weights = 1.0 / (1.0 + np.square(size / large))
        first, second = thin(level, self.width + _MARGIN) if self.width else (np.zeros(level.shape, dtype=bool),) * 2
        free = np.ones(level.shape, dtype=bool)
        while True:
            modes = np.stack([free * gaussian_filter(free * weights * a, _SMOOTHING, mode="wrap") for a in answers])
            gram = answers.reshape(len(answers), -1) @ modes.reshape(len(modes), -1).T
            step = np.tensordot(closing_amplitudes(gram, self._coordinates(solved), self.simulation.targets), modes, 1)
            held = free & ((first & (step < 0.0)) | (second & (step > 0.0)))
            if not held.any():
                return step
            free &= ~held

    def _answers(self, solved: _Solved) -> NDArray[np.float64]:
        """Derivatives of the coordinates by the level set of every voxel, (targets, *grid)."""
        by_share = [torch.autograd.grad(c, solved.shares, retain_graph=True)[0] for c in solved.coordinates]
        stacked = torch.cat(by_share)
        cell = stacked.reshape(len(stacked), *stacked.shape[1 : 1 + solved.level.ndim])
        return self.family.geometry(solved.level).by_level(cell)

    def _coordinates(self, solved: _Solved) -> NDArray[np.float64]:
        """Of the targets, with what is added to them."""
        pairs = zip(solved.coordinates, self.simulation.targets, strict=True)
        return np.array([float(c.detach()) + self.shift.get(target.quantity, 0.0) for c, target in pairs])
