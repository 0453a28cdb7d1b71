"""What an interface leaves of a voxel: the share of a unit cube on one side of a plane.

Composite voxels (`relaxdesign.physics.composite_voxels`) take their moduli from such shares. A curved interface is
told by its depth and slope at the centre of each voxel, that is, by its tangent plane.
"""

from __future__ import annotations

import math
from itertools import combinations

import torch
from torch import Tensor

_LEAST_SLOPE = 1e-5  # of the largest: keeps the closed form away from 0/0; shares err by less


def plane_shares(depth: Tensor, slope: Tensor) -> Tensor:
    """Share, 0 to 1, of unit cubes (squares) where a linear function is positive.

    The closed form of Scardovelli & Zaleski (2000, doi:10.1006/jcph.2000.6567), by inclusion and exclusion over the
    corners. Continuous and, but for its clipping, differentiable in both arguments.

    Args:
        depth: value of the function at the centre of each voxel, (...).
        slope: its change per voxel along the axes, (..., dim).
    """
    size, dim = slope.abs(), slope.shape[-1]
    extent = size.sum(-1).clamp_min(1e-12)
    filled = (depth / extent + 0.5).clamp(0.0, 1.0)
    cut = (filled > 0.0) & (filled < 1.0)
    level = filled[cut]
    part = size[cut] / extent[cut][:, None]
    part = part.clamp_min(_LEAST_SLOPE)
    part = part / part.sum(-1, keepdim=True)
    volume = torch.zeros_like(level)
    for corners in range(dim + 1):
        for corner in combinations(range(dim), corners):
            volume = volume + (-1) ** corners * (level - part[:, list(corner)].sum(-1)).clamp_min(0.0) ** dim
    share = volume / (math.factorial(dim) * part.prod(-1))
    return filled.detach().masked_scatter(cut, share.clamp(0.0, 1.0))  # what is not cut does not change
