"""Training cells made on the fly: of particles with random materials, or of two phases in random shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import Channels
from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.free_form.generators import GENERATORS, draw_shapes
from relaxdesign.microstructure.particles.packing import DIAMETER_RANGE, VOLUME_FRACTION_RANGE, random_cells
from relaxdesign.prior.loss import forget, log_bulk_of

# Materials closer than this (channel units: a factor of 1.7 in K alone) make no composite to speak of. A prior
# that has seen such pairs tends to let its samples fade into a homogeneous cell.
SMALLEST_CONTRAST = 0.2

_CHUNK = {2: 512, 3: 128}  # cells made at once: a large batch is several times faster per cell
# Packing spheres takes longer than a training step: in training each placement serves this many cells.
_REUSE = {2: 1, 3: 8}

CONNECTED, SCATTERED = "connected", "scattered"
"""Classes of cells whose phase 1 is one piece that goes on for ever along all axes, and of all others."""

SHAPE_CLASSES = (*GENERATORS, CONNECTED, SCATTERED)
"""What a prior of shapes can be told, in the order of its classes."""

_UNTOLD, _TOLD_KIND = 0.15, 0.5  # of the cells, nothing is told, or which generator made them; else whether connected
_SHAPES_MADE = {2: 24, 3: 8}  # of a kind at once
_SHAPES_REUSED = {2: 4, 3: 8}
_LESS_OFTEN = 0.5  # kinds that are no networks


class Cells(Protocol):
    """What a prior learns from. description: for its card."""

    @property
    def description(self) -> str: ...

    def held_out(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Cells (count, channels, *grid) for validation, and what a network is told of each (count,)."""
        ...

    def batches(self, batch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Endless batches of fresh cells (batch, channels, *grid), and of what kind each is."""
        ...

    def told(self, clean: Tensor, kind: Tensor | None, generator: torch.Generator) -> Tensor | None:
        """What the network is told of each cell of a batch (batch,), NaN: nothing."""
        ...


@dataclass(frozen=True, eq=False)
class ParticleCells:
    """Random materials and random packings, encoded to channels. conditional: whether ln K is told."""

    catalogue: Catalogue
    channels: Channels
    grid: int
    dim: int
    conditional: bool = False

    @property
    def description(self) -> str:
        return f"random particle composites of {len(self.catalogue)} materials, made on the fly"

    def held_out(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        cells = random_fields(self.catalogue, self.channels, self.grid, self.dim, count, generator=generator)
        return cells, log_bulk_of(self.channels, cells) if self.conditional else None

    def batches(self, batch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, None]]:
        chunk = max(1, _CHUNK[self.dim] // batch) * batch
        while True:
            fields = random_fields(
                self.catalogue, self.channels, self.grid, self.dim, chunk, reuse=_REUSE[self.dim], generator=generator
            )
            yield from ((part, None) for part in fields.split(batch))

    def told(self, clean: Tensor, kind: Tensor | None, generator: torch.Generator) -> Tensor | None:
        return forget(log_bulk_of(self.channels, clean), generator) if self.conditional else None


@dataclass(frozen=True, eq=False)
class ShapeCells:
    """Cells of `relaxdesign.microstructure.free_form.generators`, as one channel, -1 in phase 0 and 1 in phase 1."""

    grid: int
    dim: int

    @property
    def description(self) -> str:
        return f"random cells of two phases, made on the fly: {', '.join(self._kinds())}"

    def held_out(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        drawn = [self._drawn(kind, -(-count // len(self._kinds())), generator) for kind in self._kinds()]
        cells, kinds = (torch.cat(parts)[:count] for parts in zip(*drawn, strict=True))
        return as_channel(cells), told_classes(kinds, generator)

    def batches(self, batch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Mixed from a store that is renewed kind by kind, each cell used several times, moved and turned."""
        kinds = list(self._kinds())
        often = torch.tensor([1.0 if GENERATORS[kind].network else _LESS_OFTEN for kind in kinds])
        store = [self._drawn(kind, _SHAPES_MADE[self.dim], generator) for kind in kinds]
        credit = 0.0
        while True:
            credit += batch / (_SHAPES_REUSED[self.dim] * _SHAPES_MADE[self.dim])
            while credit >= 1:
                old = int(torch.multinomial(often, 1, generator=generator))
                store[old] = self._drawn(kinds[old], _SHAPES_MADE[self.dim], generator)
                credit -= 1
            chosen = torch.multinomial(often, batch, replacement=True, generator=generator).tolist()
            places = torch.randint(_SHAPES_MADE[self.dim], (batch,), generator=generator).tolist()
            cells = torch.stack([_moved(store[i][0][j], generator) for i, j in zip(chosen, places, strict=True)])
            yield as_channel(cells), torch.stack([store[i][1][j] for i, j in zip(chosen, places, strict=True)])

    def told(self, clean: Tensor, kind: Tensor | None, generator: torch.Generator) -> Tensor | None:
        assert kind is not None
        return told_classes(kind, generator)

    def _kinds(self) -> tuple[str, ...]:
        return tuple(name for name, kind in GENERATORS.items() if self.dim in kind.dims)

    def _drawn(self, kind: str, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Cells bool (count, *grid), and of each the positions (count, 2) of both classes it belongs to."""
        cells = draw_shapes(kind, count, self.grid, self.dim, generator)
        network = GENERATORS[kind].network
        whole = [CONNECTED if network or pieces(cell.numpy()).connected else SCATTERED for cell in cells]
        rows = [(SHAPE_CLASSES.index(kind), SHAPE_CLASSES.index(name)) for name in whole]
        return cells, torch.tensor(rows, dtype=torch.float32)


def as_channel(cells: Tensor) -> Tensor:
    return (2.0 * cells.float() - 1.0)[:, None]


def told_classes(kinds: Tensor, generator: torch.Generator) -> Tensor:
    """One of the two classes (count, 2) of every cell, or NaN."""
    choice = torch.rand(len(kinds), generator=generator).to(kinds.device)
    told = torch.where(choice < _TOLD_KIND, kinds[:, 0], kinds[:, 1])
    return torch.where(choice < 1 - _UNTOLD, told, torch.nan)


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
