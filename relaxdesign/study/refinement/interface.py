"""An interface shifted onto targets: Gauss–Newton steps on a level set, φ > 0 in phase 1.

    φ ← φ + a_0 + Σ_i a_i b_i,    b_i = g_i evened out and smoothed,    g_i = derivative of target i by φ of each voxel.

g_i is the exact gradient of the target by the voxels' coefficients, which its solve gives, times their answer to φ, a
difference of composite voxels, which are smooth in it. A step takes one solve.
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
from relaxdesign.study.simulation import Simulation

TOLERANCE = 2e-3
"""Largest residual with which a search ends, twice over."""

_STEPS = 20
_LONGEST = 8.0  # Gauss–Newton steps
_LEAST_DAMPING = 0.15  # after three steps in a row that were too long, or out of range
_PROBE = 0.1  # voxels by which the interface moves for the answer of composite voxels
_LARGEST_SHIFT = 1.5  # voxels per step
_SMOOTHING = 2.0  # voxels, of derivatives
_EVEN = 4.0  # medians of a derivative beyond which it is evened out

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

    @property
    def distance(self) -> float:
        """From all targets together."""
        return float(np.linalg.norm(self.residual))


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
        best, damping, moves, evened, failed = self._solved(level), 1.0, None, False, 0
        for _ in range(_STEPS):
            if best.miss < TOLERANCE / 2 or failed == 2:
                break
            if moves is None:  # of this level; a shorter step has the same direction
                moves = self._step(best, evened=evened)
            moved = best.level + min(damping, _LARGEST_SHIFT / max(float(np.abs(moves).max()), 1e-30)) * moves
            solved = None
            if self.family.shares[0] <= (moved > 0).mean() <= self.family.shares[1]:
                solved = self._solved(moved)
            if solved is None or solved.distance >= best.distance:
                damping *= 0.4
                if damping < _LEAST_DAMPING:  # so other derivatives, if they were not tried
                    damping, moves, evened, failed = 1.0, None, not evened, failed + 1
                continue
            gain = 1.0 - solved.distance / best.distance
            stuck = gain < self.least_gain * min(damping, 1.0)
            best, damping, moves, failed = solved, _next_damping(damping, gain), None, 0
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
        coordinates = [target.coordinate(values[target.quantity]) for target in simulation.targets]
        return _Solved(level, fields, coordinates, residual)

    def _fields(self, level: Level) -> dict[str, Tensor]:
        shares = self.simulation.shares([self.family.geometry(level)], self.times)
        return self.simulation.fields(self.simulation.searching(), self.materials, shares)

    def _step(self, solved: _Solved, *, evened: bool) -> Level:
        """The change of the level set that should meet the targets.

        evened: whether it trusts derivatives at necks and gaps less.
        """
        raised = self._fields(solved.level + _PROBE)
        change = {name: (raised[name] - solved.fields[name].detach())[0] / _PROBE for name in raised}
        answers = np.stack([self._answer(coordinate, change, solved) for coordinate in solved.coordinates])
        even = np.stack([_evened(answer) for answer in answers])
        modes = np.stack([np.ones_like(solved.level), *(_mode(answer) for answer in even)])
        answers = even if evened else answers
        slopes = answers.reshape(len(answers), -1) @ modes.reshape(len(modes), -1).T
        return np.tensordot(self._amplitudes(slopes, solved), modes, 1)

    def _answer(self, coordinate: Tensor, change: Mapping[str, Tensor], solved: _Solved) -> Level:
        """Derivative of a coordinate by the level set of every voxel. change: of the fields, as all of it is raised."""
        fields = solved.fields
        slopes = torch.autograd.grad(coordinate, list(fields.values()), retain_graph=True, allow_unused=True)
        answer = sum(slope[0] * change[name] for name, slope in zip(fields, slopes, strict=True) if slope is not None)
        assert isinstance(answer, Tensor)
        level = solved.level
        return _on_grid(answer.numpy().reshape((answer.shape[0],) * level.ndim), level.shape[0])

    def _amplitudes(self, slopes: NDArray[np.float64], solved: _Solved) -> NDArray[np.float64]:
        """The least amplitudes of modes that bring missed targets to their intervals and let no other leave its own.

        slopes: of every target by the amplitude of every mode.
        """
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
            gram += (1e-3 * np.trace(gram) / len(gram) + 1e-30) * np.eye(len(gram))
            step = -rows.T @ np.linalg.solve(gram, solved.residual[held])
            left = np.array([t.gap(c) != 0.0 for t, c in zip(targets, at + slopes @ step, strict=True)]) & ~held
            if not left.any():
                return step
            held |= left


def _next_damping(damping: float, gain: float) -> float:
    """What to take of the next step. gain: share of the distance that the last one took away.

    Where thin necks and gaps change, derivatives do not last and steps are too short.
    """
    if gain < 0.5 * min(damping, 1.0):
        return min(_LONGEST, 2.0 * damping)
    return 1.0


def _evened(answer: Level) -> Level:
    """A derivative by the level set whose largest values count alike, from a few times its median on.

    Where load crosses a narrow gap or a thin neck it is so large that nothing else would move, and does not last.
    """
    size = np.abs(answer)
    if not size.any():
        return answer
    most = _EVEN * float(np.median(size[size > 1e-3 * size.max()]))
    return most * np.tanh(answer / most)


def _mode(answer: Level) -> Level:
    """Where to move the interface for a target: its derivative by the level set, smoothed and of size 1."""
    mode = gaussian_filter(answer, _SMOOTHING, mode="wrap")
    return mode / max(float(np.abs(mode).max()), 1e-30)


def _on_grid(mode: Level, grid: int) -> Level:
    """Values on the voxels of another grid, a multiple or a part of theirs: repeated or averaged."""
    edge, dim = mode.shape[0], mode.ndim
    if grid >= edge:
        for axis in range(dim):
            mode = mode.repeat(grid // edge, axis)
        return mode
    return mode.reshape((grid, edge // grid) * dim).mean(tuple(range(1, 2 * dim, 2)))
