"""Properties of voxels that hold shares of several materials, by the rule of composite voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relaxdesign.materials import Material
from relaxdesign.materials.material import void_of
from relaxdesign.physics.fem.moduli import young_poisson_from_bulk_shear
from relaxdesign.physics.quantities import PHYSICS, mixed
from relaxdesign.physics.voxel_fields import VoxelFields, traced

_NAMES = {"bulk": "K", "shear": "G", "density": "rho", "conductivity": "k", "expansion": "alpha"}
_TRACED = ("bulk", "shear", "conductivity")
_WHOLE = 1e-6  # share of a voxel that counts as none


def composite_fields(shares: np.ndarray, materials: Sequence[Material], edge: float | None = None) -> VoxelFields:
    """The fields of composite voxels, see `relaxdesign.physics.composite_voxels`.

    The phase of the largest volume fraction counts as the one around the others; of more than two phases the two
    smallest are mixed first. Conductivity and expansion are given if all phases have them.

    Args:
        shares: (phases, nx, ny, nz), of every phase in every voxel, sum 1.
        materials: of the phases. edge: of a voxel.
    """
    order = np.argsort(-shares.mean(axis=(1, 2, 3), dtype=np.float64), kind="stable")
    parts = torch.from_numpy(np.ascontiguousarray(shares[order], dtype=np.float64))
    phases = [materials[phase] for phase in order]
    dim = 2 if shares.shape[3] == 1 else 3
    each = [_coefficients(phases, index) for index in range(len(phases))]
    mixture: Mapping[str, Any] = each[-1]
    physics = [known for known in PHYSICS.values() if {c.name for c in known.coefficients} <= each[0].keys()]
    for index in reversed(range(len(phases) - 1)):
        rest = parts[index + 1 :].sum(0)
        both = rest + parts[index]
        share = torch.where(both > _WHOLE, rest / both.clamp_min(_WHOLE), 0.0)
        mixture = mixed(physics, each[index], mixture, share, share, dim)
    fields = {_NAMES[name]: _array(value, shares.shape[1:]) for name, value in mixture.items()}
    young, poisson = young_poisson_from_bulk_shear(fields.pop("K"), fields.pop("G"))
    if (void := void_of(phases)) is not None:
        empty = parts[void].numpy() > 1.0 - _WHOLE
        young, poisson = np.where(empty, 0.0, young), np.where(empty, 0.0, poisson)
    return VoxelFields(young, poisson, **fields, edge=edge)


def _coefficients(phases: Sequence[Material], index: int) -> dict[str, float]:
    """Of one phase, those that all have; of a void a trace."""
    known = [name for name in _NAMES if all(getattr(phase, name) is not None for phase in phases)]
    found = {}
    for name in known:
        values = [float(getattr(phase, name)) for phase in phases]
        found[name] = float(traced(values)[index]) if name in _TRACED and max(values) > 0.0 else values[index]
    return found


def _array(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    return value.numpy() if isinstance(value, Tensor) else np.full(shape, float(value))
