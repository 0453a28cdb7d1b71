"""The properties of a cell voxel by voxel: what the evaluator takes of a cell, wherever it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

TRACE = 1e-8
"""What is left in voids of the modulus (conductivity) of the softest solid, so that a cell can be solved: in results it
is smaller than what a solve leaves. Of the stiffest one it would not be: foam of 3 MPa with voids and a grain of
400 GPa came out 0.6 % too stiff."""

_SOFTEST = 1e-6  # of the stiffest voxel, below which a voxel does not count as a solid of which voids have a trace


UNITS = {"E": "GPa", "nu": "1", "rho": "g/cm3", "k": "W/(m K)", "alpha": "1e-6/K"}
"""Properties of voxels by their names in files, with their units."""


def traced(values: ArrayLike) -> NDArray[np.float64]:
    """Coefficients of phases with a trace in voids, see `TRACE`."""
    each = np.asarray(values, dtype=np.float64)
    return np.maximum(each, TRACE * each.max())


def _trace(field: np.ndarray) -> float:
    """What voids of a field get."""
    solid = field[np.isfinite(field) & (field > 0.0)]
    return TRACE * max(float(solid.min()), _SOFTEST * float(solid.max())) if solid.size else 0.0


@dataclass(frozen=True, eq=False)
class VoxelFields:
    """Properties of the voxels of one cell, float64 arrays (nx, ny, nz); voxels are cubes. E = 0 is a void."""

    E: np.ndarray  # Young's modulus, GPa
    nu: np.ndarray  # Poisson's ratio
    rho: np.ndarray | None = None  # density, g/cm³
    k: np.ndarray | None = None  # thermal conductivity, W/(m K)
    alpha: np.ndarray | None = None  # linear thermal expansion, 1e-6/K
    edge: float | None = None  # of a voxel, in the file's unit of length; only a .vti tells

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Those that are known, by name."""
        arrays = {name: getattr(self, name) for name in UNITS}
        return {name: array for name, array in arrays.items() if array is not None}

    @property
    def void(self) -> float:
        """Volume fraction of voids."""
        return float(np.mean(self.E == 0.0))

    def with_trace(self) -> VoxelFields:
        """The same with a trace of stiffness in voids, and of conductivity where there is none, see `TRACE`.

        Raises ValueError for a cell that is all void.
        """
        empty = self.E == 0.0
        if empty.all():
            raise ValueError("the cell is all void (E is 0 in every voxel): there is nothing to evaluate")
        E, nu, k, alpha = self.E, self.nu, self.k, self.alpha
        if empty.any():
            E, nu = np.where(empty, _trace(E), E), np.where(empty, 0.0, nu)
        if k is not None and (k == 0.0).any() and k.max() > 0.0:
            k = np.where(k == 0.0, _trace(k), k)
        if alpha is not None:
            alpha = np.where(empty, alpha[~empty].mean(), alpha)  # which does not count, but gives the closest bounds
        return replace(self, E=E, nu=nu, k=k, alpha=alpha)
