"""A cell: which phase every voxel belongs to, and what the phases are made of.

The only place where labels of phases become fields of properties.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from relaxdesign.materials import Material
from relaxdesign.materials.material import void_of
from relaxdesign.physics.voxel_fields import VoxelFields

MOST_PHASES = 256


def phase_field(values: Sequence[float], labels: Tensor) -> Tensor:
    """The field (float64, shape of the labels) that has in every voxel the value of its phase, ``values[label]``."""
    return torch.tensor(values, dtype=torch.float64)[labels.long()]


@dataclass(frozen=True, eq=False)
class Cell:
    """A periodic cell of cubic voxels.

    Args:
        labels: phase of every voxel, uint8 (nx, ny, nz); a 2D cell has nz = 1.
        materials: of the phases 0, 1, …

    Raises:
        ValueError: for labels of another shape or type, or without a material.
    """

    labels: np.ndarray
    materials: tuple[Material, ...]

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        if labels.ndim != 3 or not labels.size:
            raise ValueError(f"the labels of a cell are an array (nx, ny, nz), got the shape {labels.shape}")
        if not (np.issubdtype(labels.dtype, np.integer) or labels.dtype == bool):
            raise ValueError(f"the labels of a cell are whole numbers, got {labels.dtype}")
        if not 0 <= int(labels.min()) <= int(labels.max()) < min(len(self.materials), MOST_PHASES):
            raise ValueError(
                f"the labels of a cell go from {labels.min()} to {labels.max()}, but there are materials for "
                f"{len(self.materials)} phases: give one for each of 0, 1, …, {labels.max()}"
            )
        object.__setattr__(self, "labels", labels.astype(np.uint8))

    @staticmethod
    def of(labels: np.ndarray, materials: Mapping[int, Material]) -> Cell:
        """A cell of any whole numbers that name a material each. Raises KeyError for one without a material."""
        found, index = np.unique(labels, return_inverse=True)
        return Cell(index.reshape(labels.shape).astype(np.uint8), tuple(materials[label] for label in found.tolist()))

    @property
    def dim(self) -> int:
        """2 for a cell one voxel thick, else 3."""
        return 2 if self.labels.shape[2] == 1 else 3

    @property
    def void(self) -> int | None:
        """The phase that is void, if one is."""
        return void_of(self.materials)

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """Volume fractions of the phases."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.materials))
        return tuple(float(count) for count in counts / self.labels.size)

    def field(self, name: str) -> np.ndarray | None:
        """A property of the voxels by its name in Material, float64; None unless all phases that occur have it."""
        values = [getattr(material, name) for material in self.materials]
        if any(value is None for value, share in zip(values, self.shares, strict=True) if share):
            return None
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)[self.labels]

    @cached_property
    def fields(self) -> VoxelFields:
        """What the evaluator takes of it."""
        young, poisson = self.field("young"), self.field("poisson")
        assert young is not None and poisson is not None  # every material has them
        density, conductivity, expansion = (self.field(name) for name in ("density", "conductivity", "expansion"))
        return VoxelFields(young, poisson, density, conductivity, expansion)
