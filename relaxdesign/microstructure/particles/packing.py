"""Composite designs with particles: discs/spheres and their voxel fields, and the placement of equal ones.

The unit cell has edge 1 and is periodic: a particle that leaves on one side enters on the other.
``dim`` is 2 (discs, the cell is one voxel thick) or 3 (spheres).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relaxdesign.microstructure.base import PlacementError
from relaxdesign.microstructure.shares import plane_shares

VOLUME_FRACTION_RANGE = (0.05, 0.5)
DIAMETER_RANGE = (0.15, 0.4)

# Particles are pushed a little further apart than they must be, so that placements end after
# finitely many moves.
_CLEARANCE = 1.03
# Random placements of any number of particles succeed up to these shares of the cell, gaps included.
_DENSEST = {2: 0.66, 3: 0.54}


@dataclass(frozen=True)
class Packing:
    """A placement of particles in the periodic unit cell.

    centres: (count, dim) in fractions of the edge. diameter: fraction of the edge; of unlike particles the mean,
    weighted by their volumes. relative: diameters in units of it, float64 (count,); None: all are alike.
    """

    centres: Tensor
    diameter: float
    relative: Tensor | None = None

    @staticmethod
    def of(centres: Tensor, diameters: Tensor) -> Packing:
        """Particles of these diameters, (count,), in fractions of the edge."""
        mean = mean_diameter(diameters, centres.shape[1])
        return Packing(centres, mean, diameters / mean)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Packing:
        """The inverse of ``to_dict``."""
        centres = torch.tensor(values["centres"], dtype=torch.float64)
        if "diameters" in values:
            return Packing.of(centres, torch.tensor(values["diameters"], dtype=torch.float64))
        return Packing(centres, values["diameter"])

    @property
    def dim(self) -> int:
        return self.centres.shape[1]

    @property
    def diameters(self) -> Tensor:
        """Of every particle, float64 (count,), in fractions of the edge."""
        alike = torch.ones(len(self.centres), dtype=torch.float64)
        return self.diameter * (alike if self.relative is None else self.relative)

    @property
    def spheres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres (count, dim) and diameters (count,) in fractions of the edge."""
        return self.centres.double().numpy(), self.diameters.double().numpy()

    @property
    def volume_fraction(self) -> float:
        if self.relative is None:
            return self.centres.shape[0] * particle_volume(self.diameter, self.dim)
        return float(particle_volume(self.diameters, self.dim).sum())

    def voxelise(self, grid: int) -> Tensor:
        """Boolean labels (grid,)*dim, True where a voxel's centre lies in a particle."""
        count = torch.tensor([self.centres.shape[0]])
        diameter = torch.tensor([self.diameter]) if self.relative is None else self.diameters[None]
        return voxelise(self.centres[None], count, diameter, grid)[0]

    def shares(self, grid: int) -> Tensor:
        """Share of the particles in every voxel, float64 (grid,)*dim; smooth in centres and diameters."""
        return voxel_shares(self.centres, self.diameters, grid)

    def to_dict(self) -> dict[str, Any]:
        """JSON form: centres [[x, y], …] or [[x, y, z], …] and diameter, or diameters of unlike particles."""
        known = {"centres": self.centres.tolist()}
        return known | (
            {"diameter": self.diameter} if self.relative is None else {"diameters": self.diameters.tolist()}
        )

    @property
    def share(self) -> float:
        return self.volume_fraction

    @property
    def size(self) -> float:
        return self.diameter

    @property
    def parameters(self) -> dict[str, float]:
        return {"diameter": self.diameter}

    def with_share(self, share: float) -> Packing:
        """The same centres, with particles that fill this share of the cell; all grow by the same factor."""
        if self.relative is None:
            return Packing(self.centres, float(particle_diameter(share, self.centres.shape[0], self.dim)))
        return self.with_size(self.diameter * (share / self.volume_fraction) ** (1 / self.dim))

    def with_size(self, size: float) -> Packing:
        """The same centres with another (mean) diameter; whether particles overlap is not checked."""
        return Packing(self.centres, size, self.relative)

    def moved(self, distance: float) -> Packing:
        """The same centres, with particles larger by a distance on all sides."""
        if self.relative is None:
            return Packing(self.centres, self.diameter + 2.0 * distance)
        return Packing.of(self.centres, self.diameters + 2.0 * distance)

    def largest_size(self, gap: float = 0.0) -> float:
        """The (mean) diameter at which the first two are this far apart, across the cell's faces too.

        Unlike particles pack so densely that they may have less room from the start: they grow into half of it.
        """
        apart = self._apart()
        if self.relative is None:
            return min(1.0, float(apart.min())) - gap
        gap = min(gap, max(0.0, 0.5 * self.gap))
        pairs = 0.5 * (self.relative[:, None] + self.relative[None])
        return min(float(((apart - gap) / pairs).min()), (1.0 - gap) / float(self.relative.max()))

    @property
    def gap(self) -> float:
        """Between the nearest two surfaces, in fractions of the edge; negative where particles overlap."""
        if self.relative is None:
            return self.largest_size() - self.diameter
        pairs = 0.5 * (self.diameters[:, None] + self.diameters[None])
        return min(float((self._apart() - pairs).min()), 1.0 - float(self.diameters.max()))

    def _apart(self) -> Tensor:
        """Distances (count, count) of nearest images, infinite on the diagonal."""
        offset = self.centres[:, None] - self.centres[None]
        distance = (offset - offset.round()).norm(dim=-1)
        return distance.fill_diagonal_(math.inf)


def mean_diameter(diameters: Tensor, dim: int) -> float:
    """Mean of diameters (count,), weighted by the particles' volumes (2D: areas)."""
    return float((diameters ** (dim + 1)).sum() / (diameters**dim).sum())


def particle_volume(diameter, dim: int):
    """Area of a disc (dim 2) or volume of a sphere (dim 3); edge lengths of the cell are 1."""
    return math.pi / 4 * diameter**2 if dim == 2 else math.pi / 6 * diameter**3


def particle_diameter(volume_fraction, count, dim: int):
    """Diameter with which ``count`` particles fill ``volume_fraction`` of the cell."""
    if dim == 2:
        return (4 * volume_fraction / (math.pi * count)) ** 0.5
    return (6 * volume_fraction / (math.pi * count)) ** (1 / 3)


def particle_count(volume_fraction, diameter, dim: int):
    """Number of particles nearest to the request whose exact diameter stays in the allowed range.

    A cell holds a whole number of particles, so volume fraction and diameter cannot both be free:
    the volume fraction is kept exactly and the diameter gives way (``particle_diameter``).
    Accepts floats or tensors.
    """
    volume_fraction = torch.as_tensor(volume_fraction, dtype=torch.float64)
    diameter = torch.as_tensor(diameter, dtype=torch.float64)
    nearest = (volume_fraction / particle_volume(diameter, dim)).round()
    fewest = (volume_fraction / particle_volume(DIAMETER_RANGE[1], dim) - 1e-9).ceil().clamp_min(1)
    most = (volume_fraction / particle_volume(DIAMETER_RANGE[0], dim) + 1e-9).floor()
    return torch.maximum(torch.minimum(nearest, most), fewest).long()


def check_request(volume_fraction: float, diameter: float, dim: int) -> None:
    """Raises PlacementError, naming the limit, unless the request can be placed."""
    if dim not in (2, 3):
        raise PlacementError(f"dim must be 2 or 3, got {dim}")
    if not math.isfinite(volume_fraction) or volume_fraction <= 0:
        raise PlacementError(f"volume fraction must be above 0, got {volume_fraction}")
    low, high = VOLUME_FRACTION_RANGE
    if volume_fraction > high:
        raise PlacementError(
            f"volume fraction {volume_fraction:.3f} is too dense for random equal particles without overlap: "
            f"at most {high} is placed; swap matrix and particle material for more"
        )
    if volume_fraction < low:
        raise PlacementError(f"volume fraction {volume_fraction:.3f} is below the smallest supported, {low}")
    low, high = DIAMETER_RANGE
    if not low <= diameter <= high:
        raise PlacementError(f"particle diameter {diameter:.3f} of the cell edge is outside {low}…{high}")


def smallest_gap(count, diameter, grid: int, dim: int):
    """Gap kept between the surfaces of neighbours, in fractions of the edge: a voxel's diagonal where there is room.

    Surfaces closer than that share nodes on a grid of ``grid`` voxels per edge, and touching stiff particles carry
    load that the matrix between them would not pass on. Dense packings, and some of few particles, leave less room:
    the gap is then what ``_DENSEST`` allows, or what can be had. Accepts floats or tensors.
    """
    diameter = torch.as_tensor(diameter, dtype=torch.float64)
    room = particle_diameter(_DENSEST[dim], torch.as_tensor(count), dim) - diameter
    return room.clamp(0, math.sqrt(dim) / grid)


def place_particles(
    volume_fraction: float, diameter: float, dim: int, *, grid: int, count: int = 1, generator: torch.Generator
) -> list[Packing]:
    """``count`` random placements with exactly this volume fraction, neighbours kept apart by ``smallest_gap``.

    grid: voxels per edge on which the cell will be solved.
    Raises PlacementError when the request is outside the supported range or no placement was found.
    """
    check_request(volume_fraction, diameter, dim)
    particles = int(particle_count(volume_fraction, diameter, dim))
    exact = float(particle_diameter(volume_fraction, particles, dim))
    diameters = torch.full((count,), exact, dtype=torch.float64)
    gap = smallest_gap(particles, exact, grid, dim).expand(count)
    centres = _pack(torch.full((count,), particles), diameters, gap, dim, generator)
    return [Packing(cell, exact) for cell in centres.double()]


def random_cells(
    volume_fraction: Tensor, diameter: Tensor, grid: int, dim: int, *, generator: torch.Generator
) -> Tensor:
    """Labels (batch, *(grid,)*dim) of one random placement per requested pair; for training.

    volume_fraction, diameter: (batch,), inside the supported ranges.
    """
    count = particle_count(volume_fraction, diameter, dim)
    exact = particle_diameter(volume_fraction.double(), count, dim)
    # Cells with similar particle counts are packed together: padding costs count² otherwise.
    labels = torch.empty((len(count),) + (grid,) * dim, dtype=torch.bool)
    for part in count.argsort().split(max(1, 4096 // int(count.max()))):
        gap = smallest_gap(count[part], exact[part], grid, dim)
        centres = _pack(count[part], exact[part], gap, dim, generator)
        labels[part] = voxelise(centres, count[part], exact[part], grid)
    return labels


def voxelise(centres: Tensor, count: Tensor, diameter: Tensor, grid: int) -> Tensor:
    """Labels of a batch of placements.

    centres: (batch, most, dim), of which the first ``count[b]`` are used. diameter: (batch,), or (batch, most) of
    unlike particles. Returns bool (batch, *(grid,)*dim).
    """
    batch, most, dim = centres.shape
    position = (torch.arange(grid) + 0.5) / grid
    offset = centres.float()[..., None] - position  # (batch, most, dim, grid)
    squared = (offset - offset.round()).square()
    radius = diameter.float() / 2
    if diameter.ndim == 2:  # what is left is the power of a point, negative in the particle
        squared[:, :, 0] -= radius.square()[..., None]
        radius = torch.zeros(batch)
    unused = torch.arange(most)[None] >= count[:, None]
    squared[:, :, 0].masked_fill_(unused[..., None], math.inf)
    nearest = torch.full((batch,) + (grid,) * dim, math.inf)
    for i in range(most):
        axes = [squared[:, i, axis].view(batch, *(grid if a == axis else 1 for a in range(dim))) for axis in range(dim)]
        torch.minimum(nearest, sum(axes[1:], axes[0]), out=nearest)
    return nearest <= radius.view((batch,) + (1,) * dim).square()


def voxel_shares(centres: Tensor, diameters: Tensor, grid: int) -> Tensor:
    """Share of particles that do not overlap in every voxel, float64 (grid,)*dim.

    A particle cuts a voxel along its tangent plane there. That makes a curved particle too large, which a slightly
    smaller radius makes up for.

    Args:
        centres: (count, dim) in cell edges.
        diameters: (count,) in cell edges.
        grid: voxels per edge.
    """
    dim = centres.shape[1]
    radii = 0.5 * diameters.double() * grid
    radii = radii - (dim - 1) / (24.0 * radii)
    reaches = (radii + 1).ceil().long()
    shares = torch.zeros(grid**dim, dtype=torch.float64)
    for reach in reaches.unique().tolist():
        alike = reaches == reach
        at, part = _shares_around(centres[alike].double() * grid, radii[alike], int(reach), grid)
        shares.index_add_(0, at, part)
    return shares.clamp_(0.0, 1.0).unflatten(0, (grid,) * dim)


def _shares_around(centres: Tensor, radii: Tensor, reach: int, grid: int) -> tuple[Tensor, Tensor]:
    """Places (voxels,) in the flattened cell of the voxels around particles, and the particles' shares in them.

    centres: (count, dim), radii: (count,), reach: in voxels.
    """
    dim = centres.shape[1]
    window = torch.cartesian_prod(*[torch.arange(-reach, reach + 1)] * dim)  # (voxels, dim)
    voxels = centres.floor().long()[:, None] + window
    slope = centres[:, None] - (voxels + 0.5)  # towards the centre
    distance = slope.norm(dim=-1).clamp_min(1e-9)
    part = plane_shares(radii[:, None] - distance, slope / distance[..., None])
    strides = torch.tensor([grid**axis for axis in reversed(range(dim))])
    return ((voxels % grid) * strides).sum(-1).flatten(), part.flatten()


def _pack(
    count: Tensor, diameter: Tensor, gap: Tensor, dim: int, generator: torch.Generator, attempts: int = 20
) -> Tensor:
    """Random centres (batch, most, dim) in [0, 1), surfaces ``gap`` (batch,) apart or, where that fails, less.

    Force-biased packing (Mościński & Bargieł 1989, doi:10.1080/08927028908031373): start from
    uniformly random centres and push overlapping neighbours apart until none overlap. Unlike
    random sequential addition, which jams at 0.547 (2D) and 0.38 (3D), it reaches
    the densest fractions on offer.
    """
    batch, most = len(count), int(count.max())
    packed = torch.empty(batch, most, dim)
    todo = torch.arange(batch)
    for attempt in range(attempts):
        # In full for a quarter of the attempts, then less and less, for the last quarter not at all.
        apart = diameter + gap * min(1.0, max(0.0, 1.5 - 2.0 * attempt / attempts))
        centres = torch.rand(len(todo), most, dim, generator=generator)
        centres, done = _push_apart(centres, count[todo], apart[todo].float())
        packed[todo[done]] = centres[done]
        todo = todo[~done]
        if len(todo) == 0:
            return packed
    worst = int(todo[0])
    raise PlacementError(
        f"no placement of {int(count[worst])} particles of diameter {float(diameter[worst]):.3f} without overlap "
        f"was found in {attempts} attempts; ask for a smaller volume fraction"
    )


def _push_apart(centres: Tensor, count: Tensor, apart: Tensor, moves: int = 400) -> tuple[Tensor, Tensor]:
    """Resolves overlaps; returns the centres and which cells are free of overlap."""
    batch, most, _ = centres.shape
    used = torch.arange(most)[None] < count[:, None]
    pair = used[:, :, None] & used[:, None, :] & ~torch.eye(most, dtype=torch.bool)
    done = torch.zeros(batch, dtype=torch.bool)
    active = torch.arange(batch)
    for move in range(moves):
        current = centres[active]
        offset = current[:, :, None] - current[:, None, :]
        offset -= offset.round()
        distance = offset.norm(dim=-1).masked_fill_(~pair[active], math.inf)
        free = distance.amin((1, 2)) >= apart[active]
        done[active[free]] = True
        if bool(free.all()):
            break
        keep = ~free
        active, offset, distance = active[keep], offset[keep], distance[keep].clamp_min(1e-6)
        overlap = (_CLEARANCE * apart[active, None, None] - distance).clamp_min(0)
        # Half the overlap each; damped, as a particle may be pushed by several neighbours.
        push = (offset * (0.5 * overlap / distance)[..., None]).sum(2)
        centres[active] = (current[keep] + (0.9 if move < 50 else 0.6) * push) % 1
    return centres, done
