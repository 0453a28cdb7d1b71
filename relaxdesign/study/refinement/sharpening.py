"""A relaxed shape made crisp while it keeps to its targets: continuation, as in topology optimisation.

The voxels of a smoothed field s, -1 to 1, have the share

    p = ½ (1 + tanh βs / tanh β)

of the second phase (Wang, Lazarov & Sigmund 2011, doi:10.1007/s00158-010-0602-y), and what is stiff of it counts as its
power p^1.5 to p³. β rises until nearly every voxel is of one phase; after each rise Gauss–Newton steps on the field
take the targets back. Unlike a shifted interface this can close a wall that was cut where it was thin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from relaxdesign.materials.catalogue import Material
from relaxdesign.study.refinement.steps import closing_amplitudes
from relaxdesign.study.simulation import Simulation

_SHARPNESS = (3.0, 4.5, 7.0, 10.0, 15.0, 25.0)
_PENALTY = (1.5, 3.0)  # up to a sharpness of 4.5, and at the last
_STEPS = 3  # at each, at most
_NEAR = 0.05  # distance from all targets with which the next sharpness is taken
_SMOOTHING = 1.0  # voxels
_LARGEST = 1.0  # change of a voxel of the field by a step
_LARGEST_MEAN = 0.06  # the same, as root mean square


@dataclass(eq=False)
class Sharpening:
    """Of cells of two materials, to the targets of the simulation."""

    materials: Sequence[Material]
    simulation: Simulation
    _displacement: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.evaluator = self.simulation.searching()

    def sharpened(self, sampled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares of the second phase in the voxels (*grid), nearly all 0 or 1. Raises ConvergenceError.

        sampled: -1 in the first phase and 1 in the second.
        """
        relaxed = np.clip(sampled, -1.0, 1.0)
        for sharpness in _SHARPNESS:
            for step in range(_STEPS):
                coordinates, gradients = self._solved(relaxed, sharpness)
                if step and self._distance(coordinates) < _NEAR:
                    break
                relaxed = np.clip(relaxed + self._step(relaxed, coordinates, gradients), -1.0, 1.0)
        return _projected(torch.from_numpy(_smoothed(relaxed)), _SHARPNESS[-1]).numpy()

    def _solved(self, relaxed: NDArray, sharpness: float) -> tuple[NDArray, NDArray]:
        """Coordinates of the targets and their derivatives by the field, (targets, *grid)."""
        smooth = torch.from_numpy(_smoothed(relaxed)).requires_grad_()
        share = _projected(smooth, sharpness)[None]
        share = share if share.ndim == 4 else share[..., None]
        carrying = _carrying(share, sharpness, second_stiffer=self.materials[1].bulk >= self.materials[0].bulk)
        fields = self.simulation.fields(self.evaluator, self.materials, share, carrying)
        effective = self.evaluator(fields, initial=self._displacement)
        self.simulation.cost.add(effective)
        self._displacement = effective.displacement.detach()
        coordinates = [t.coordinate(effective.values[t.quantity][0]) for t in self.simulation.targets]
        slopes = [torch.autograd.grad(c, smooth, retain_graph=True)[0].numpy() for c in coordinates]
        return np.array([float(c.detach()) for c in coordinates]), np.stack([_smoothed(slope) for slope in slopes])

    def _distance(self, coordinates: NDArray) -> float:
        return float(np.linalg.norm([t.gap(c) for t, c in zip(self.simulation.targets, coordinates, strict=True)]))

    def _step(self, relaxed: NDArray, coordinates: NDArray, gradients: NDArray) -> NDArray:
        """The smallest change that should meet the targets, of voxels that are free to go there."""
        step, free = np.zeros_like(relaxed), np.ones(relaxed.shape, dtype=bool)
        for _ in range(2):
            rows = (gradients * free).reshape(len(gradients), -1)
            amplitudes = closing_amplitudes(rows @ rows.T, coordinates, self.simulation.targets)
            step = np.tensordot(amplitudes, gradients, 1)
            free &= (np.abs(relaxed) < 1.0) | (step * relaxed < 0.0)
        step *= free
        size, largest = math.sqrt(float(np.square(step).mean())), float(np.abs(step).max())
        return step * min(1.0, _LARGEST_MEAN / max(size, 1e-30), _LARGEST / max(largest, 1e-30))


def _carrying(share: Tensor, sharpness: float, *, second_stiffer: bool) -> Tensor:
    """What shares of the second phase count for where moduli are taken: a blend has less of the stiffer phase."""
    first, last = math.log(_SHARPNESS[1]), math.log(_SHARPNESS[-1])
    power = float(np.interp(math.log(sharpness), (first, last), _PENALTY))
    return share**power if second_stiffer else 1.0 - (1.0 - share) ** power


def _smoothed(values: NDArray) -> NDArray:
    return gaussian_filter(values, _SMOOTHING, mode="wrap")


def _projected(smooth: Tensor, sharpness: float) -> Tensor:
    """Shares 0 to 1 of a smoothed field."""
    return (0.5 * (1.0 + torch.tanh(sharpness * smooth) / math.tanh(sharpness))).clamp(0.0, 1.0)
