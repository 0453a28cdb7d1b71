"""Properties of voxels that hold shares of several materials, by the rule of composite voxels.

The one place where shares of phases become coefficients: of designs, and of images that were made coarser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relaxdesign.materials import Material
from relaxdesign.materials.material import void_of
from relaxdesign.physics.base import Physics
from relaxdesign.physics.composite_voxels import BARRIER, Coefficients
from relaxdesign.physics.fem.moduli import young_poisson_from_bulk_shear
from relaxdesign.physics.quantities import COEFFICIENTS, PHYSICS, mixed
from relaxdesign.physics.voxel_fields import TRACE, VoxelFields

_NAMES = {"bulk": "K", "shear": "G", "density": "rho", "conductivity": "k", "expansion": "alpha"}
_NOTHING = 1e-12  # of a voxel
_WHOLE = 1e-6  # share of a voxel that counts as none


def mixed_coefficients(
    physics: Iterable[Physics],
    materials: Sequence[Material],
    names: Iterable[str],
    shares: Tensor,
    dim: int,
    *,
    carrying: Tensor | None = None,
    layers: bool = False,
) -> dict[str, Tensor]:
    """The coefficients that physics need of every composite voxel, (cells, nx, ny, nz).

    Of more than two phases the last two are mixed first, then that with the one before them, and so on.

    Args:
        materials: of the phases. names: of the coefficients.
        shares: of the phases but the first, (cells, phases - 1, nx, ny, nz).
        carrying: shares that count where more than an average is taken; None: the same.
        layers: whether a phase separates the one before it from the one after it.
    """
    others, names = shares if carrying is None else carrying, list(names)
    each: list[Mapping[str, Any]] = [{name: coefficient(m, name, materials) for name in names} for m in materials]
    mixture, barriers = each[-1], _barriers(each) if layers else ()
    physics = list(physics)
    for phase in reversed(range(len(materials) - 1)):
        parts = each[phase], mixture, _of_rest(shares, phase), _of_rest(others, phase)
        mixture = mixed(physics, *parts, dim, barriers)
    return dict(mixture)


def coefficient(material: Material, name: str, phases: Sequence[Material]) -> float:
    """Of one of the phases; of voids a trace, where a cell has to be solved for its quantities.

    It is one of the softest solid, so that a void counts as one beside each of them.
    """
    value = float(getattr(material, name))
    if value > 0.0 or _is_averaged(name) or not COEFFICIENTS[name].positive:
        return value
    return TRACE * min((each for each in (float(getattr(m, name)) for m in phases) if each > 0.0), default=0.0)


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
    known = [name for name in _NAMES if all(getattr(phase, name) is not None for phase in phases)]
    physics = [each for each in PHYSICS.values() if {c.name for c in each.coefficients} <= set(known)]
    if len(phases) == 1:
        mixture: Mapping[str, Any] = {name: coefficient(phases[0], name, phases) for name in known}
    else:
        mixture = mixed_coefficients(physics, phases, known, parts[None, 1:], 2 if shares.shape[3] == 1 else 3)
    fields = {_NAMES[name]: _array(value, shares.shape[1:]) for name, value in mixture.items()}
    young, poisson = young_poisson_from_bulk_shear(fields.pop("K"), fields.pop("G"))
    if (void := void_of(phases)) is not None:
        empty = parts[void].numpy() > 1.0 - _WHOLE
        young, poisson = np.where(empty, 0.0, young), np.where(empty, 0.0, poisson)
    return VoxelFields(young, poisson, **fields, edge=edge)


def _array(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    return value[0].numpy() if isinstance(value, Tensor) else np.full(shape, float(value))


def _barriers(phases: Sequence[Coefficients]) -> list[str]:
    """Coefficients of which a phase has less than the ones before and after it."""
    return [
        name
        for name in phases[0]
        if COEFFICIENTS[name].positive
        and any(
            own[name] < BARRIER * min(before[name], after[name])
            for before, own, after in zip(phases, phases[1:], phases[2:], strict=False)
        )
    ]


def _of_rest(shares: Tensor, phase: int) -> Tensor:
    """Share of the phases after this one, of what it and they hold of every voxel, (cells, nx, ny, nz)."""
    rest = shares[:, phase:].sum(1)
    return rest if phase == 0 else rest / (rest + shares[:, phase - 1]).clamp_min(_NOTHING)


def _is_averaged(name: str) -> bool:
    """Whether quantities take nothing but an average of a coefficient."""
    return any(name == c.name for physics in PHYSICS.values() if physics.mixture for c in physics.coefficients)
