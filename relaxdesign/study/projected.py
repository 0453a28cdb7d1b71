"""Cells of given phases as smoothed and projected fields, as topology optimisation describes them.

The voxels of a smoothed field s, -1 to 1, have the share

    p = ½ (1 + tanh βs / tanh β)

of the second phase (Wang, Lazarov & Sigmund 2011, doi:10.1007/s00158-010-0602-y), and what is stiff of it counts as its
power p^1.5 to p³. The larger β, the fewer voxels are blends.

Of three phases there are two fields, in arrays (2, *grid): p of the first is the share of both phases but the first, of
the second that of the last one in these, as Sigmund & Torquato describe two solids and a void (1997,
doi:10.1016/S0022-5096(96)00114-7).
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
from relaxdesign.study.objective import Objective
from relaxdesign.study.simulation import Simulation

SHARPEST = 25.0
"""A β at which nearly every voxel is of one phase."""

SMOOTHING = 1.0
"""Of two phases, voxels."""
_SMOOTHING_OF_THREE = 2.0
"""With 1.0 the solid was held together by necks of one voxel, which refinement takes away (topology optimisation of a
void, Invar and aluminium with E ≥ 3 GPa for the least expansion, seed 1)."""

_LEAST_SLOPE = 0.1  # of a smoothed field per voxel: where it is flat, a voxel is of one phase
_PENALTY = {4.5: 1.5, SHARPEST: 3.0}
"""Power of the share by β, linear in its logarithm between and constant beyond."""

Values = NDArray[np.float64]


@dataclass(eq=False)
class Projected:
    """Fields between two or three materials, solved for the targets of a simulation.

    Keeps the last solution as warm start. extremes: what is to be small or large besides. smoothing: of the fields,
    standard deviation in voxels.
    """

    materials: Sequence[Material]
    simulation: Simulation
    extremes: Sequence[Objective] = ()
    smoothing: float = SMOOTHING
    _displacement: Tensor | None = field(default=None, repr=False)

    def solved(self, values: Values, sharpness: float) -> tuple[Values, Values]:
        """Coordinates of the targets and the extremes, and their derivatives by a field (*grid), (coordinates, *grid).

        Raises ConvergenceError.
        """
        dim, materials = self.simulation.dim, self.materials
        smooth = torch.from_numpy(_smoothed(values, dim, self.smoothing)).requires_grad_()
        bulk = [material.bulk for material in materials]
        stiffer = [max(bulk[phase + 1 :]) >= bulk[phase] for phase in range(len(bulk) - 1)]
        each = _share(smooth, sharpness).unbind() if len(stiffer) > 1 else (_share(smooth, sharpness),)
        counting = [_carrying(p, sharpness, second_stiffer=it) for p, it in zip(each, stiffer, strict=True)]
        share, carrying = (_in_voxels(shares) for shares in (each, counting))
        evaluator = self.simulation.searching()
        fields = self.simulation.fields(evaluator, materials, share, carrying)
        effective = evaluator(fields, initial=self._displacement)
        self.simulation.cost.add(effective)
        self._displacement = effective.displacement.detach()
        asked = (*self.simulation.targets, *self.extremes)
        coordinates = [each.coordinate(effective.values[each.quantity][0]) for each in asked]
        slopes = [torch.autograd.grad(c, smooth, retain_graph=True)[0].numpy() for c in coordinates]
        derivatives = self.simulation.symmetry.averaged(
            np.stack([_smoothed(slope, dim, self.smoothing) for slope in slopes])
        )
        return np.array([float(c.detach()) for c in coordinates]), derivatives

    def unbalance(self, values: Values, sharpness: float) -> tuple[float, Values]:
        """How far the last of three phases is from filling half of what is not of the first, and its derivatives."""
        dim = self.simulation.dim
        smooth = torch.from_numpy(_smoothed(values, dim, self.smoothing)).requires_grad_()
        others, last = _share(smooth, sharpness)
        off = (others * last).sum() / others.sum() - 0.5
        slope = torch.autograd.grad(off, smooth)[0].numpy()
        return float(off.detach()), self.simulation.symmetry.averaged(_smoothed(slope, dim, self.smoothing))

    def gaps(self, coordinates: Values) -> Values:
        """Signed distances of the targets' coordinates, the first ones of `solved`, from their intervals."""
        pairs = zip(self.simulation.targets, coordinates, strict=False)
        return np.array([float(target.gap(coordinate)) for target, coordinate in pairs])


def smoothing_of(materials: Sequence[Material], thinnest: float) -> float:
    """Of fields between materials, in voxels: of three wider, and half of the thinnest part that is asked for."""
    return SMOOTHING if len(materials) == 2 else max(_SMOOTHING_OF_THREE, 0.5 * thinnest)


def shares(values: Values, sharpness: float, dim: int, smoothing: float = SMOOTHING) -> Values:
    """Of the second phase in the voxels of a field (*grid), 0 to 1; of two fields (2, *grid) p of each."""
    return _share(torch.from_numpy(_smoothed(values, dim, smoothing)), sharpness).numpy()


def crisp_shares(values: Values, dim: int, smoothing: float = SMOOTHING) -> Values:
    """As `shares`, of a field the zeros of which, smoothed, are a sharp interface."""
    if values.ndim > dim:
        return np.stack([crisp_shares(each, dim, smoothing) for each in values])
    smooth = _smoothed(values, dim, smoothing)
    slopes = [0.5 * (np.roll(smooth, -1, axis) - np.roll(smooth, 1, axis)) for axis in range(smooth.ndim)]
    slope = np.maximum(np.sqrt(np.square(slopes).sum(0)), _LEAST_SLOPE)
    return np.clip(0.5 + smooth / slope, 0.0, 1.0)


def _smoothed(values: Values, dim: int, smoothing: float) -> Values:
    """Along the last ``dim`` axes."""
    return gaussian_filter(values, [0.0] * (values.ndim - dim) + [smoothing] * dim, mode="wrap")


def _in_voxels(each: Sequence[Tensor]) -> Tensor:
    """Shares of all phases but the first, (1, phases - 1, nx, ny, nz), of p of every field (*grid)."""
    share = torch.stack([each[0] * (1.0 - each[1]), each[0] * each[1]]) if len(each) > 1 else each[0][None]
    return share[None] if share.ndim == 4 else share[None, ..., None]


def _share(smooth: Tensor, sharpness: float) -> Tensor:
    """Shares 0 to 1 of a smoothed field."""
    return (0.5 * (1.0 + torch.tanh(sharpness * smooth) / math.tanh(sharpness))).clamp(0.0, 1.0)


def _carrying(share: Tensor, sharpness: float, *, second_stiffer: bool) -> Tensor:
    """What shares of the second phase count for where moduli are taken: a blend has less of the stiffer phase."""
    power = float(np.interp(math.log(sharpness), [math.log(beta) for beta in _PENALTY], list(_PENALTY.values())))
    return share**power if second_stiffer else 1.0 - (1.0 - share) ** power
