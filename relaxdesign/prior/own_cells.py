"""What a prior of shapes is tuned on: cells of somebody's own images, among cells of the generators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.free_form.windows import Windows
from relaxdesign.prior.data import CONNECTED, SCATTERED, SHAPE_CLASSES, ShapeCells, as_channel, told_classes
from relaxdesign.prior.unet import UNet, UNetConfig

IMAGED = "images"
"""The class of cells of own images, which the network gains as its last one."""

OWN_CLASSES = (*SHAPE_CLASSES, IMAGED)


@dataclass(frozen=True, eq=False)
class OwnCells:
    """Cells of own images, and a share of cells of the generators so that these are not forgotten.

    source: of the images, for the card. generated: share of a batch.
    """

    windows: Windows
    source: str
    generated: float
    shapes: ShapeCells

    @property
    def description(self) -> str:
        others = f"; {100 * self.generated:.3g} % {self.shapes.description}" if self.generated else ""
        return self.source + others

    def held_out(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Of the images alone: what is forgotten of the generators is told by `relaxdesign.prior.shape_metrics`."""
        cells, kinds = self._own(count, generator)
        return cells, told_classes(kinds, generator)

    def batches(self, batch: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        others = round(self.generated * batch)
        generated = self.shapes.batches(others, generator) if others else None
        while True:
            parts = [self._own(batch - others, generator)] if others < batch else []
            parts += [next(generated)] if generated else []
            cells, kinds = (torch.cat(part) for part in zip(*parts, strict=True))
            order = torch.randperm(batch, generator=generator)  # noise levels are stratified over a batch
            yield cells[order], kinds[order]

    def told(self, clean: Tensor, kind: Tensor | None, generator: torch.Generator) -> Tensor | None:
        assert kind is not None
        return told_classes(kind, generator)

    def _own(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Cells (count, 1, *grid), and of each the positions (count, 2) of both classes it belongs to."""
        cells = self.windows.draw(count, generator)
        whole = [CONNECTED if pieces(cell.numpy()).connected else SCATTERED for cell in cells]
        rows = [(OWN_CLASSES.index(IMAGED), OWN_CLASSES.index(name)) for name in whole]
        return as_channel(cells), torch.tensor(rows, dtype=torch.float32)


def with_images(config: UNetConfig) -> UNetConfig:
    """The network with the class `IMAGED`."""
    return config if IMAGED in config.classes else replace(config, classes=(*config.classes, IMAGED))


def grown(weights: dict[str, Tensor], network: UNet) -> dict[str, Tensor]:
    """Weights of a network of shapes for one with more classes; a new class begins as none that is told."""
    known = "condition.weight"
    if known not in weights or (missing := len(network.state_dict()[known]) - len(weights[known])) <= 0:
        return weights
    new = weights[known][:1].expand(missing, -1)
    return weights | {known: torch.cat((weights[known], new))}
