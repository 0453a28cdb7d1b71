"""The properties of a cell voxel by voxel: what the evaluator takes of a cell, wherever it comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class VoxelFields:
    """Properties of the voxels of one cell, float64 arrays (nx, ny, nz); voxels are cubes."""

    E: np.ndarray  # Young's modulus, GPa
    nu: np.ndarray  # Poisson's ratio
    rho: np.ndarray | None = None  # density, g/cm³
    k: np.ndarray | None = None  # thermal conductivity, W/(m K)
    edge: float | None = None  # of a voxel, in the file's unit of length; only a .vti tells
