"""Validation of voxel fields before any work is done on them."""

from __future__ import annotations

import os

import torch
from torch import Tensor

WORKING_FIELDS = 100
"""Scalar fields held at once by a solve (vectors of the iteration, preconditioner, transforms), measured."""

STIFFNESS_FIELDS = 30
"""Further scalar fields held for the six load cases of a full stiffness."""

UNIAXIAL_FIELDS = 100
"""Scalar fields held by the uniaxial case with its adjoint, measured."""

CONDUCTION_FIELDS = 30
"""Scalar fields held by the three load cases of an effective conductivity, measured."""


def _first(mask: Tensor) -> tuple[int, ...]:
    return tuple(int(n) for n in torch.nonzero(mask)[0])


def check_layout(**arrays: Tensor) -> None:
    """Raise ValueError unless all are floating tensors (batch, nx, ny, nz) of one shape, dtype, device."""
    reference_name, reference = next(iter(arrays.items()))
    for name, array in arrays.items():
        if not isinstance(array, Tensor):
            raise ValueError(
                f"{name} is a {type(array).__name__}, expected a torch tensor; wrap it with torch.as_tensor({name})"
            )
        if array.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{name} has dtype {array.dtype}, expected torch.float64 (results) or torch.float32 "
                f"(guidance); convert it with {name}.double()"
            )
        if array.ndim != 4:
            raise ValueError(
                f"{name} has shape {tuple(array.shape)}, expected (batch, nx, ny, nz); a single cell needs "
                f"{name}[None], a 2D cell has nz = 1"
            )
        if array.numel() == 0:
            raise ValueError(f"{name} has shape {tuple(array.shape)}: no voxels or no samples")
        for what in ("shape", "dtype", "device"):
            got, expected = getattr(array, what), getattr(reference, what)
            if got != expected:
                raise ValueError(f"{name} has {what} {got}, {reference_name} has {expected}; make them the same")


def check_moduli(*, allow_invalid: bool = False, unit: str = "GPa", **arrays: Tensor) -> Tensor:
    """Check that every voxel of every array is finite and positive; ``unit`` is for the message.

    Returns:
        Boolean (batch,): samples that are valid. With ``allow_invalid=False`` a bad voxel raises instead.

    Raises:
        ValueError: names the array and the first offending voxel (sample, x, y, z).
    """
    first = next(iter(arrays.values()))
    valid = torch.ones(len(first), dtype=torch.bool, device=first.device)
    for name, array in arrays.items():
        good = torch.isfinite(array) & (array > 0)
        if not allow_invalid and not good.all():
            voxel = _first(~good)
            raise ValueError(
                f"{name} is {float(array[voxel])} at (sample, x, y, z) = {voxel}; every voxel needs a finite "
                f"{name} > 0 in {unit}. Give voids a small positive value, e.g. 1e-4 times the matrix"
            )
        valid &= good.flatten(1).all(1)
    return valid


def check_expansion(expansion: Tensor, *, allow_invalid: bool = False) -> Tensor:
    """As `check_moduli`, of thermal expansions, which may have any sign."""
    good = torch.isfinite(expansion)
    if not allow_invalid and not good.all():
        voxel = _first(~good)
        raise ValueError(
            f"the expansion is {float(expansion[voxel])} at (sample, x, y, z) = {voxel}; every voxel needs a finite one"
        )
    return good.flatten(1).all(1)


def check_young_poisson(E: Tensor, nu: Tensor) -> None:
    """Raise ValueError unless E > 0 (GPa) and -1 < ν < 0.5 in every voxel; any common shape.

    The message names the array and the index of the first offending voxel.
    """
    if E.shape != nu.shape:
        raise ValueError(f"E has shape {tuple(E.shape)}, nu has {tuple(nu.shape)}; make them the same")
    good = torch.isfinite(E) & (E > 0)
    if not good.all():
        voxel = _first(~good)
        raise ValueError(
            f"E is {float(E[voxel])} at voxel {voxel}; Young's modulus must be finite and > 0 GPa. "
            "Give voids a small positive modulus, e.g. 1e-4 times the matrix"
        )
    good = torch.isfinite(nu) & (nu > -1.0) & (nu < 0.5)
    if not good.all():
        voxel = _first(~good)
        raise ValueError(
            f"nu is {float(nu[voxel])} at voxel {voxel}; Poisson's ratio must lie in (-1, 0.5). "
            "Use at most 0.4999 for rubber-like materials"
        )


def available_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on the device (a large number where that is unknown)."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + (
            torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        )
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 2**62


def check_memory(field: Tensor, *, working_fields: int = WORKING_FIELDS) -> None:
    """Raise ValueError if ``working_fields`` arrays like ``field`` would not fit in memory, before allocating any."""
    needed = working_fields * field.numel() * field.element_size()
    free = available_memory(field.device)
    if needed > free:
        raise ValueError(
            f"a field of shape {tuple(field.shape)} needs about {needed / 2**30:.1f} GiB on {field.device}, "
            f"{free / 2**30:.1f} GiB are free; use a coarser grid, a smaller batch or float32"
        )
