"""An interface shifted onto targets: Gauss–Newton steps on a level set, φ > 0 in phase 1.

Of three phases there are two level sets in one array (2, *grid), which move together.

With g_i the derivative of target i by φ at every voxel and r the misses, the smallest step that closes them is

    φ ← φ − M Gᵀ (G M Gᵀ)⁻¹ r,    M = S W.

S smooths. W = 1 / (1 + (|g| / k)²), |g|² = Σ_i g_i², says where little shall move: at thin necks and narrow gaps, where
|g| is so large that nothing else would, and where derivatives do not last. A step takes one solve.

What is to be small or large is improved along the steepest descent in the same measure, less what would miss a target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from relaxdesign.materials.catalogue import Material
from relaxdesign.microstructure.base import Shape
from relaxdesign.microstructure.features import thin
from relaxdesign.study.objective import Objective
from relaxdesign.study.refinement.outcome import RefinementError
from relaxdesign.study.refinement.steps import closing_amplitudes
from relaxdesign.study.simulation import Simulation

TOLERANCE = 2e-3
"""Largest residual with which a search ends, twice over."""

_STEPS = 20
_LEAST_DAMPING = 0.02
_LARGEST_SHIFT = 1.5  # voxels per step
_SMOOTHING = 2.0  # voxels
_LARGE = 2.0  # medians of |g|, k of the weight
_IMPROVEMENTS = 40
_MOVE = 0.5  # voxels, largest of a step of descent before the targets are met again
_MISS = 20.0  # worth of a miss, in coordinates of what is to be small or large
_MARGIN = 0.75  # voxels beyond the least width within which parts are held

Level = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solved:
    """A cell that was solved for the coordinates of its targets, a tensor each, whose gradients lead to the shares.

    cost: the sum of what is to be small or large, in coordinates, lower is better; None if nothing is.
    """

    level: Level
    shares: Tensor
    coordinates: list[Tensor]
    residual: NDArray[np.float64]
    cost: Tensor | None

    @property
    def miss(self) -> float:
        return float(np.abs(self.residual).max())

    @property
    def distance(self) -> float:
        """From all targets together."""
        return float(np.linalg.norm(self.residual))

    @property
    def merit(self) -> float:
        """Lower is better: the cost, and what misses add to it."""
        return _MISS * self.distance + (0.0 if self.cost is None else float(self.cost.detach()))


@dataclass(frozen=True, eq=False)
class Interface:
    """Of cells of two or three materials, to be shifted until they meet the targets of the simulation.

    times: voxels per edge of the cells that are solved, in multiples of the simulation's grid. shift: what is added to
    coordinates, see `Simulation.residuals`. least_gain: share of the miss that a whole step must take away for another
    one to be tried. width: voxels; necks and walls of either phase that are thinner become no thinner. extremes: what
    is to be small or large. admitted: makes of a shifted level set one that is allowed, or raises RefinementError.
    thin: tells where a level set must not fall and where it must not rise, for nothing below a width to become thinner.
    """

    family: Shape
    materials: Sequence[Material]
    simulation: Simulation
    times: float = 1
    shift: Mapping[str, float] = field(default_factory=dict)
    least_gain: float = 0.0
    width: float = 0.0
    extremes: Sequence[Objective] = ()
    admitted: Callable[[Level], Level] = lambda level: level
    thin: Callable[[Level, float], tuple[NDArray[np.bool_], NDArray[np.bool_]]] = thin

    def improved(self, level: Level) -> Level:
        """One that meets the targets as well and is better in what is to be small or large. Raises ConvergenceError."""
        if not self.extremes:
            return level
        best, length = self.solved(level), 1.0
        for _ in range(_IMPROVEMENTS):
            if length < _LEAST_DAMPING:
                break
            solved = self.allowed(best.level + self._descent(best, length))
            if solved is None or solved.merit >= best.merit:
                length *= 0.5
                continue
            best, length = solved, min(1.0, 1.5 * length)
        return best.level

    def shifted(self, level: Level, steps: int = _STEPS) -> tuple[float, Level]:
        """Smallest largest residual reached, and the level set that has it. Raises ConvergenceError.

        steps: tried at most, each one solve, besides that of the level set as it is.
        """
        best, damping, moves = self.solved(level), 1.0, None
        for _ in range(steps):
            if best.miss < TOLERANCE / 2 or damping < _LEAST_DAMPING:
                break
            if moves is None:  # of this level; a shorter step has the same direction
                moves = self.step(best)
            solved = self.allowed(best.level + shortened(moves, damping))
            if solved is None or solved.distance >= best.distance:
                damping *= 0.4
                continue
            stuck = 1.0 - solved.distance / best.distance < self.least_gain * damping
            best, damping, moves = solved, 1.0, None
            if stuck:
                break
        return best.miss, best.level

    def allowed(self, level: Level) -> Solved | None:
        """A cell that is admitted and whose volume fractions the family supports, solved; None of others.

        Raises ConvergenceError.
        """
        try:
            level = self.admitted(level)
        except RefinementError:
            return None
        phases, (least, most) = self.family.labels(level), self.family.shares
        fractions = [(phases == phase).mean() for phase in range(1, len(self.materials))]
        return self.solved(level) if all(least <= each <= most for each in fractions) else None

    def solved(self, level: Level) -> Solved:
        """A cell with what leads from it to the targets. Raises ConvergenceError."""
        simulation = self.simulation
        evaluator = simulation.searching()
        shares = simulation.shares([self.family.geometry(level)], self.times).requires_grad_()
        effective = evaluator(simulation.fields(evaluator, self.materials, shares))
        simulation.cost.add(effective)
        values = {target.quantity: effective.values[target.quantity][0] for target in simulation.targets}
        residual = simulation.residuals({name: float(value.detach()) for name, value in values.items()}, self.shift)
        coordinates = [target.coordinate(values[target.quantity]) for target in simulation.targets]
        costs = [o.weight * o.sign * o.coordinate(effective.values[o.quantity][0]) for o in self.extremes]
        cost = torch.stack(costs).sum() if costs else None
        return Solved(level, shares, coordinates, residual, cost)

    def step(self, solved: Solved) -> Level:
        """The change of the level set that should meet the targets."""
        answers = self._answers(solved, solved.coordinates)
        weights, at = _weights(answers, self.simulation.dim), self._coordinates(solved)

        def closing(free: NDArray[np.bool_]) -> Level:
            modes = _modes(answers, weights, free, self.simulation.dim)
            return np.tensordot(closing_amplitudes(_gram(answers, modes), at, self.simulation.targets), modes, 1)

        return self._held(solved.level, closing)

    def _descent(self, solved: Solved, length: float) -> Level:
        """The change of the level set that lowers the cost, times a length, and should meet the targets."""
        assert solved.cost is not None
        answers = self._answers(solved, [*solved.coordinates, solved.cost])
        weights, at = _weights(answers, self.simulation.dim), self._coordinates(solved)
        targets = len(solved.coordinates)

        def step(free: NDArray[np.bool_]) -> Level:
            modes = _modes(answers, weights, free, self.simulation.dim)
            gram = _gram(answers, modes)
            scale = length * _MOVE / max(float(np.abs(modes[-1]).max()), 1e-30)
            there = at - scale * gram[:targets, -1]
            amplitudes = closing_amplitudes(gram[:targets, :targets], there, self.simulation.targets)
            moves = np.tensordot(amplitudes, modes[:targets], 1) - scale * modes[-1]
            return shortened(moves)

        return self._held(solved.level, step)

    def _held(self, level: Level, step: Callable[[NDArray[np.bool_]], Level]) -> Level:
        """A step by which nothing that is thin becomes thinner. step: of the voxels that are free to move."""
        free = np.ones(level.shape, dtype=bool)
        first, second = self.thin(level, self.width + _MARGIN) if self.width else (~free, ~free)
        while True:
            moves = step(free)
            held = free & ((first & (moves < 0.0)) | (second & (moves > 0.0)))
            if not held.any():
                return moves
            free &= ~held

    def _answers(self, solved: Solved, coordinates: Sequence[Tensor]) -> NDArray[np.float64]:
        """Derivatives of coordinates by the level set of every voxel, (coordinates, *grid)."""
        by_share = torch.cat([torch.autograd.grad(c, solved.shares, retain_graph=True)[0] for c in coordinates])
        first = 1 if len(self.materials) > 2 else 2  # axis: of two phases there is one share alone
        cell = by_share.reshape(len(by_share), *by_share.shape[first : 2 + self.simulation.dim])
        return self.simulation.symmetry.averaged(self.family.geometry(solved.level).by_level(cell))

    def _coordinates(self, solved: Solved) -> NDArray[np.float64]:
        """Of the targets, with what is added to them."""
        pairs = zip(solved.coordinates, self.simulation.targets, strict=True)
        return np.array([float(c.detach()) + self.shift.get(target.quantity, 0.0) for c, target in pairs])


def shortened(moves: Level, damping: float = 1.0) -> Level:
    """Part of a step, 0 to 1, that moves no voxel farther than a step may."""
    return moves * min(damping, _LARGEST_SHIFT / max(float(np.abs(moves).max()), 1e-30))


def _weights(answers: NDArray[np.float64], dim: int) -> Level:
    """W: where an interface may move, 0 to 1; of two level sets each by itself."""
    if answers.ndim > 1 + dim:
        return np.stack([_weights(each, dim) for each in np.moveaxis(answers, 1, 0)])
    size = np.sqrt(np.square(answers).sum(0))
    large = _LARGE * float(np.median(size[size > 1e-3 * size.max()])) if size.any() else 1.0
    return np.asarray(1.0 / (1.0 + np.square(size / large)), dtype=np.float64)


def _modes(answers: NDArray[np.float64], weights: Level, free: NDArray[np.bool_], dim: int) -> NDArray[np.float64]:
    """M Gᵀ: what is moved for each coordinate, of the voxels that are free to."""
    moved, width = free.astype(np.float64), [0.0] * (free.ndim - dim) + [_SMOOTHING] * dim
    return np.stack([moved * gaussian_filter(moved * weights * a, width, mode="wrap") for a in answers])


def _gram(answers: NDArray[np.float64], modes: NDArray[np.float64]) -> NDArray[np.float64]:
    """G M Gᵀ: what each mode adds to each coordinate."""
    return answers.reshape(len(answers), -1) @ modes.reshape(len(modes), -1).T
