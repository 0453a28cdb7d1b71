"""Square prisms (2D) and cubes (3D) as a family: what a new family takes, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import label

from relaxdesign.microstructure.base import Fit, Parameter, PlacementError
from relaxdesign.microstructure.estimates import pair_estimates
from relaxdesign.microstructure.labelling import label_phases

SHARE = Parameter("volume_fraction", "volume fraction", "vf", 0.05, 0.3)
EDGE = Parameter("edge", "edge", "a", 0.15, 0.4)


@dataclass(frozen=True)
class Prismatic:
    """Prisms with edges along the axes. centres: (count, dim) in cell edges; size: of their edges."""

    centres: torch.Tensor
    size: float

    @property
    def share(self) -> float:
        count, dim = self.centres.shape
        return count * self.size**dim

    @property
    def parameters(self) -> dict[str, float]:
        return {"edge": self.size}

    def with_share(self, share: float) -> Prismatic:
        count, dim = self.centres.shape
        return self.with_size((share / count) ** (1 / dim))

    def with_size(self, size: float) -> Prismatic:
        return Prismatic(self.centres, size)

    def moved(self, distance: float) -> Prismatic:
        return self.with_size(self.size + 2 * distance)

    @property
    def gap(self) -> float:
        return self.largest_size() - self.size

    def largest_size(self, gap: float = 0.0) -> float:
        if len(self.centres) == 1:
            return 1.0 - gap
        offset = self.centres[:, None] - self.centres[None]
        apart = (offset - offset.round()).abs().amax(-1)
        return float(apart.fill_diagonal_(math.inf).min()) - gap

    def shares(self, grid: int) -> torch.Tensor:
        dim = self.centres.shape[1]
        position = (torch.arange(grid, dtype=torch.float64) + 0.5) / grid
        offset = self.centres.double()[..., None] - position
        covered = (0.5 + grid * (self.size / 2 - (offset - offset.round()).abs())).clamp(0, 1)
        filled = torch.zeros((grid,) * dim, dtype=torch.float64)
        for prism in covered:
            axes = [prism[a].view([grid if b == a else 1 for b in range(dim)]) for a in range(dim)]
            filled += math.prod(axes[1:], start=axes[0])
        return filled

    def to_dict(self) -> dict[str, Any]:
        return {"centres": self.centres.tolist(), "edge": self.size}

    def voxelise(self, grid: int) -> torch.Tensor:
        dim = self.centres.shape[1]
        position = (torch.arange(grid) + 0.5) / grid
        offset = self.centres[..., None] - position
        near = (offset - offset.round()).abs() <= self.size / 2  # (count, dim, grid)
        inside = torch.zeros((grid,) * dim, dtype=torch.bool)
        for prism in near:
            axes = [prism[a].view([grid if b == a else 1 for b in range(dim)]) for a in range(dim)]
            inside |= math.prod(axes[1:], start=axes[0])
        return inside


@dataclass(frozen=True)
class Prisms:
    name: str = "prisms"
    title: str = "Prisms"
    summary: str = "square prisms placed anew"
    composites: str = "prism composites"
    phases: tuple[str, ...] = ("matrix", "prisms")
    directional: bool = False
    share: Parameter = SHARE
    size: Parameter = EDGE

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (self.size,)

    def fit(self, clean: torch.Tensor) -> Fit:
        labels, medians, _ = label_phases(clean)
        smaller = bool(labels.mean() < 0.5)
        inside = labels == smaller
        share, count = float(inside.mean()), max(1, label(inside)[1])
        edge = (share / count) ** (1 / labels.ndim)
        return Fit((medians[not smaller], medians[smaller]), inside, {"volume_fraction": share, "edge": edge})

    def place(self, share, size, dim, *, grid, count=1, generator):
        prisms = max(1, round(share / self.size.clip(size) ** dim))
        return [self._place(prisms, (share / prisms) ** (1 / dim), dim, generator) for _ in range(count)]

    def place_between(self, low, high, share, size, dim, *, grid, count, generator):
        fewest, most = math.ceil(high / EDGE.high**dim), math.floor(low / EDGE.low**dim)
        if fewest > most:
            raise PlacementError("no number of prisms fills both")
        prisms = int(np.clip(round(share / self.size.clip(size) ** dim), max(1, fewest), most))
        return [self._place(prisms, (high / prisms) ** (1 / dim), dim, generator) for _ in range(count)]

    def estimate(self, catalogue, shares, dim, quantity):
        return pair_estimates(catalogue, shares, dim, quantity)

    def gap_voxels(self, share, size, dim, grid):
        return np.full(np.shape(share), 2.0)

    def _place(self, prisms: int, edge: float, dim: int, generator: torch.Generator) -> Prismatic:
        """Random sequential addition."""
        for _ in range(200):
            centres = torch.rand(1, dim, generator=generator)
            for _ in range(200 * prisms):
                if len(centres) == prisms:
                    return Prismatic(centres, edge)
                more = torch.rand(1, dim, generator=generator)
                offset = centres - more
                if float((offset - offset.round()).abs().amax(-1).min()) > edge:
                    centres = torch.cat([centres, more])
        raise PlacementError(f"{prisms} prisms of edge {edge:.2f} found no place")


PRISMS = Prisms()
