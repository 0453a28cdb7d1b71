"""An interface shifted onto targets: Gauss–Newton steps on a level set, φ > 0 in phase 1.

    φ ← φ + Σ_i a_i b_i,    b_0 = 1,    b_i = sensitivity of target i, smoothed.

The derivative of target t by a_i is the exact gradient of t by the voxels' coefficients, which its solve gives, times
their answer to b_i, a difference of composite voxels, which are smooth in φ. A step takes one solve.
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
from relaxdesign.physics.quantities import PHYSICS, QUANTITIES
from relaxdesign.study.simulation import Simulation

TOLERANCE = 2e-3
"""Largest residual with which a search ends, twice over."""

_STEPS = 10
_LEAST_DAMPING = 0.03  # four steps in a row that were too long, or out of range
_PROBE = 0.1  # voxels by which the interface moves for the answer of composite voxels
_LARGEST_SHIFT = 1.5  # voxels per step
_SMOOTHING = 1.5  # voxels, of sensitivities

Level = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Solved:
    """A cell that was solved for the coordinates of its targets, a tensor each, whose gradients lead to the fields."""

    level: Level
    fields: dict[str, Tensor]
    coordinates: list[Tensor]
    residual: NDArray[np.float64]

    @property
    def miss(self) -> float:
        return float(np.abs(self.residual).max())


@dataclass(frozen=True, eq=False)
class Interface:
    """Of cells of two materials, to be shifted until they meet the targets of the simulation.

    times: voxels per edge of the cells that are solved, in multiples of the simulation's grid. shift: what is added to
    coordinates, see `Simulation.residuals`. least_gain: share of the miss that a whole step must take away for another
    one to be tried.
    """

    family: Shape
    materials: Sequence[Material]
    simulation: Simulation
    times: float = 1
    shift: Mapping[str, float] = field(default_factory=dict)
    least_gain: float = 0.0

    def shifted(self, level: Level) -> tuple[float, Level]:
        """Smallest largest residual reached, and the level set that has it. Raises ConvergenceError."""
        best, damping, moves = self._solved(level), 1.0, None
        for _ in range(_STEPS):
            if best.miss < TOLERANCE / 2 or damping < _LEAST_DAMPING:
                break
            if moves is None:  # of this level; a shorter step has the same direction
                moves = self._step(best)
            moved = best.level + damping * moves
            if not self.family.shares[0] <= (moved > 0).mean() <= self.family.shares[1]:
                damping *= 0.5
                continue
            solved = self._solved(moved)
            if solved.miss >= best.miss:
                damping *= 0.4
                continue
            stuck = solved.miss > (1.0 - self.least_gain * damping) * best.miss
            best, damping, moves = solved, min(1.0, 2 * damping), None
            if stuck:
                break
        return best.miss, best.level

    def _solved(self, level: Level) -> _Solved:
        simulation = self.simulation
        evaluator = simulation.searching()
        fields = {name: values.requires_grad_() for name, values in self._fields(level).items()}
        effective = evaluator(fields)
        simulation.cost.add(effective)
        values = {target.quantity: effective.values[target.quantity][0] for target in simulation.targets}
        residual = simulation.residuals({name: float(value.detach()) for name, value in values.items()}, self.shift)
        coordinates = [QUANTITIES[t.quantity].coordinate(values[t.quantity]) for t in simulation.targets]
        return _Solved(level, fields, coordinates, residual)

    def _fields(self, level: Level) -> dict[str, Tensor]:
        shares = self.simulation.shares([self.family.geometry(level)], self.times)
        return self.simulation.fields(self.simulation.searching(), self.materials, shares)

    def _step(self, solved: _Solved) -> Level:
        """The change of the level set that should meet the targets, no more than ``_LARGEST_SHIFT``."""
        gradients = [_gradients(coordinate, solved.fields) for coordinate in solved.coordinates]
        modes = [np.ones_like(solved.level)]
        for target, gradient in zip(self.simulation.targets, gradients, strict=True):
            if PHYSICS[QUANTITIES[target.quantity].physics].mixture is None:  # else it is the same everywhere
                modes.append(self._mode(gradient, solved.level))
        slopes = np.empty((len(gradients), len(modes)))
        for column, mode in enumerate(modes):
            there = self._fields(solved.level + _PROBE * mode)
            change = {name: (there[name] - solved.fields[name].detach()) / _PROBE for name in there}
            slopes[:, column] = [
                sum(float((slope * change[name]).sum()) for name, slope in gradient.items()) for gradient in gradients
            ]
        step = self._least_step(slopes, solved)
        step *= min(1.0, _LARGEST_SHIFT / float(np.abs(step).max() or 1.0))
        return np.tensordot(step, np.stack(modes), 1)

    def _least_step(self, slopes: NDArray[np.float64], solved: _Solved) -> NDArray[np.float64]:
        """The least amplitudes that bring missed targets to their intervals and let no other leave its own."""
        targets = self.simulation.targets
        at = np.array(
            [
                float(c.detach()) + self.shift.get(t.quantity, 0.0)
                for c, t in zip(solved.coordinates, targets, strict=True)
            ]
        )
        held = solved.residual != 0.0
        while True:
            rows = slopes[held]
            gram = rows @ rows.T
            gram += 1e-3 * np.trace(gram) * np.eye(len(gram)) + 1e-30 * np.eye(len(gram))
            step = -rows.T @ np.linalg.solve(gram, solved.residual[held])
            left = np.array([t.gap(c) != 0.0 for t, c in zip(targets, at + slopes @ step, strict=True)]) & ~held
            if not left.any():
                return step
            held |= left

    def _mode(self, gradient: Mapping[str, Tensor], level: Level) -> Level:
        """How a target's coordinate answers to material of phase 1, smoothed and scaled to 1 near the interface."""
        here, there = self.materials
        raw = sum(slope * (getattr(there, name) - getattr(here, name)) for name, slope in gradient.items())
        assert isinstance(raw, Tensor)
        mode = raw[0].numpy().reshape((raw.shape[1],) * level.ndim)
        for axis in range(level.ndim):
            mode = mode.repeat(level.shape[axis] // mode.shape[axis], axis)
        mode = gaussian_filter(mode, _SMOOTHING, mode="wrap")
        # Energies in the soft phase are far larger than in the stiff one: what matters is where, not how much.
        # Smoothed again, as the root is steep at 0: an interface that is not smooth is another one on a finer grid.
        mode = gaussian_filter(np.sign(mode) * np.sqrt(np.abs(mode)), _SMOOTHING, mode="wrap")
        near = np.abs(level) < 2.0
        return mode / max(float(np.abs(mode[near]).max()), 1e-30)


def _gradients(coordinate: Tensor, fields: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """By the fields that it depends on."""
    slopes = torch.autograd.grad(coordinate, list(fields.values()), retain_graph=True, allow_unused=True)
    return {name: slope for name, slope in zip(fields, slopes, strict=True) if slope is not None}
