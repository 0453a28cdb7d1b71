"""Training cells made on the fly: random materials, random packings, encoded to channels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels
from relaxdesign.microstructure.particles.packing import DIAMETER_RANGE, VOLUME_FRACTION_RANGE, random_cells

# Materials closer than this (channel units: a factor of 1.7 in K alone) make no composite to speak of. A prior
# that has seen such pairs tends to let its samples fade into a homogeneous cell.
SMALLEST_CONTRAST = 0.2

_CHUNK = {2: 512, 3: 128}  # cells made at once: a large batch is several times faster per cell
# Packing spheres takes longer than a training step: in training each placement serves this many cells.
_REUSE = {2: 1, 3: 8}


def random_fields(
    catalogue: Catalogue,
    channels: Channels,
    grid: int,
    dim: int,
    count: int,
    *,
    reuse: int = 1,
    generator: torch.Generator,
) -> Tensor:
    """``count`` relaxed fields (count, 3, *grid) of random composite designs, float32.

    Matrix and particles are drawn over the property grid and differ by ``SMALLEST_CONTRAST`` or more; volume
    fraction and diameter are uniform.

    reuse: each placement serves this many cells, moved, mirrored and turned, and each time with new materials.
    """
    placements = -(-count // reuse)
    low, high = VOLUME_FRACTION_RANGE
    volume_fraction = low + (high - low) * torch.rand(placements, generator=generator)
    low, high = DIAMETER_RANGE
    diameter = low + (high - low) * torch.rand(placements, generator=generator)
    labels = random_cells(volume_fraction, diameter, grid, dim, generator=generator)
    if placements < count:
        order = torch.randperm(count, generator=generator) % placements
        labels = torch.stack([_moved(labels[i], generator) for i in order.tolist()])
    values = channels.encode(catalogue.properties, axis=-1).float()
    if float(torch.cdist(values, values).max()) < SMALLEST_CONTRAST:
        raise ValueError("all materials of the catalogue are nearly the same: add some that differ in K, G or density")
    matrix = catalogue.draw(count, generator=generator)
    particle = catalogue.draw(count, generator=generator)
    while bool((alike := (values[matrix] - values[particle]).norm(dim=1) < SMALLEST_CONTRAST).any()):
        matrix[alike] = catalogue.draw(int(alike.sum()), generator=generator)
        particle[alike] = catalogue.draw(int(alike.sum()), generator=generator)
    shape = (count, channels.count) + (1,) * dim
    return torch.where(labels[:, None], values[particle].view(shape), values[matrix].view(shape))


def _moved(labels: Tensor, generator: torch.Generator) -> Tensor:
    """A cell after a random periodic shift by whole voxels, reflection and exchange of axes."""
    dim, edge = labels.ndim, labels.shape[0]
    mirrored = [axis for axis in range(dim) if torch.rand((), generator=generator) < 0.5]
    shift = torch.randint(edge, (dim,), generator=generator).tolist()
    axes = torch.randperm(dim, generator=generator).tolist()
    return labels.flip(mirrored).permute(axes).roll(shift, tuple(range(dim)))


def field_batches(
    catalogue: Catalogue, channels: Channels, grid: int, dim: int, batch: int, *, generator: torch.Generator
) -> Iterator[Tensor]:
    """Endless batches of fresh fields (batch, 3, *grid)."""
    chunk = max(1, _CHUNK[dim] // batch) * batch
    while True:
        fields = random_fields(catalogue, channels, grid, dim, chunk, reuse=_REUSE[dim], generator=generator)
        yield from fields.split(batch)
