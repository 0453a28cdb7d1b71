"""Cells that stand for measured composites: spheres at random, or two phases that go through each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from relaxdesign.microstructure import FREE_FORM, PARTICLES, TWO_SIZES
from relaxdesign.microstructure.base import Geometry
from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.validation.reality.composites import Composite

_DIAMETER = {PARTICLES.name: 0.3, TWO_SIZES.name: 0.4}
"""Of spheres, in cell edges; of two sizes the mean weighted by volume."""
_BLUR = 0.06
"""Standard deviation of the Gaussian that smooths noise to a field, in cell edges: 2 to 3 struts along an edge."""
_MOST_DRAWS = 8
_STEP = 2e-3
"""Of an interface, in cell edges, that tells how its phase's share changes."""
_SKELETON, _GRAINS = "two continuous phases", "a random field, the thinner phase in pieces"


class Unpredictable(ValueError):
    """A composite for which there is no geometry; the text says why."""


def cells_of(composite: Composite, grid: int, count: int, seed: int) -> tuple[str, Sequence[Geometry]]:
    """``count`` statistically equal cells, and what they are in words. Raises Unpredictable.

    grid: voxels per edge of the coarser of the grids on which they are to be solved.
    """
    generator, fraction = torch.Generator().manual_seed(seed), composite.fraction
    if composite.family == "porous" and fraction > PARTICLES.share.high:
        raise Unpredictable(
            "a foam: round pores do not fill so much of a cell, and walls and struts of foams are no family here"
        )
    if composite.family == "interpenetrating" or fraction > TWO_SIZES.share.high:
        drawn = [skeleton(fraction, 2 * grid, generator) for _ in range(count)]
        words = _SKELETON if all(continuous for _, continuous in drawn) else _GRAINS
        words += "" if composite.family == "interpenetrating" else ", as spheres cannot be packed so densely"
        return words, [cell for cell, _ in drawn]
    family = PARTICLES if fraction <= PARTICLES.share.high else TWO_SIZES
    size = _DIAMETER[family.name]
    words = "spherical pores" if composite.family == "porous" else "spheres"
    words += " of two sizes" if family is TWO_SIZES else ""
    return words, family.place(fraction, size, 3, grid=grid, count=count, generator=generator)


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A level set whose phase 1 fills the same fraction of the cell on every grid.

    level: near that fraction. distance: by which the interface was moved since, in cell edges.
    """

    level: Geometry
    fraction: float
    distance: float = 0.0

    def shares(self, grid: int) -> Tensor:
        """Share of phase 1 in every voxel."""
        share, more = (float(self.level.moved(step).shares(grid).mean()) for step in (0.0, _STEP))
        rise = _STEP * (self.fraction - share) / (more - share)
        return self.level.moved(rise + self.distance).shares(grid)

    def moved(self, distance: float) -> Skeleton:
        """The cell with its interface moved out of phase 1."""
        return replace(self, distance=self.distance + distance)

    def to_dict(self) -> dict[str, Any]:
        """Nothing: it is drawn anew."""
        return {}


def skeleton(fraction: float, grid: int, generator: torch.Generator) -> tuple[Skeleton, bool]:
    """A Gaussian random field cut at the level that leaves phase 1 this fraction, and whether both phases go on.

    Cells whose phases do both are sought; one of about a tenth of the cell hardly ever does.
    """
    level, continuous = np.empty(0), False
    for _ in range(_MOST_DRAWS):
        noise = torch.randn((grid,) * 3, generator=generator, dtype=torch.float64).numpy()
        field = gaussian_filter(noise, _BLUR * grid, mode="wrap")
        slope = np.stack([np.gradient(field, axis=axis) for axis in range(3)])
        level = field / np.mean(np.linalg.norm(slope, axis=0))
        level = level - np.quantile(level, 1.0 - fraction)
        continuous = all(pieces(phase).spans[0] == 3 for phase in (level > 0, level <= 0))
        if continuous:
            break
    return Skeleton(FREE_FORM.geometry(level), fraction), continuous
