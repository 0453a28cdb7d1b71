"""Cells that do not repeat: estimates of what they stand for, from several conditions on their boundary.

Linear displacements on the surface (kubc) give an upper estimate, periodic fluctuations a working one, of which the
jumps at the seams take a part; with its mirror images a cell repeats, at the price of a symmetry that it did not have.
`embedded` puts the cell into a frame of the medium that it makes itself: no seams, and nothing stiffer or softer
around it than what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from relaxdesign.physics.effective_properties import Evaluation, evaluate, moduli
from relaxdesign.physics.elasticity import quantities_of_stiffness
from relaxdesign.physics.fem import LOADS, local_fields
from relaxdesign.physics.voxel_fields import VoxelFields

MOST_MIRRORED = 2**18
"""Voxels of a mirrored cell up to which it is computed beside the others."""

FRAME = 0.25
"""Width of the frame on every side, of the edge of the cell."""

_SETTLED = 1e-4  # relative change of K and G of the frame at which it counts as that of the cell
_MOST_ROUNDS = 20
_HYDROSTATIC = "hydrostatic"


@dataclass(frozen=True, eq=False)
class Embedded:
    """A cell in a frame. C: of the cell, (6, 6) in GPa. frame: K and G around it, GPa. rounds: of six solves."""

    C: NDArray[np.float64]
    frame: tuple[float, float]
    rounds: int

    @property
    def values(self) -> dict[str, float]:
        """Its quantities of stiffness."""
        found = quantities_of_stiffness(torch.from_numpy(self.C)[None])
        return {name: value.item() for name, value in found.items()}


def mirrored(data: VoxelFields) -> VoxelFields:
    """The cell with its mirror images along every axis of more than one voxel."""

    def joined(field: np.ndarray) -> np.ndarray:
        for axis, count in enumerate(field.shape):
            if count > 1:
                field = np.concatenate([field, np.flip(field, axis)], axis)
        return field

    return replace(data, **{name: joined(field) for name, field in data.arrays.items()})


def estimates(data: VoxelFields, *, tol: float | None = None) -> dict[str, Evaluation]:
    """Estimates beside the periodic one: ``kubc``, the upper one, and ``mirrored`` where it is not too large.

    Errors as in `relaxdesign.physics.effective_properties.evaluate`.
    """
    found = {"kubc": evaluate(data, boundary="kubc", tol=tol)}
    if 2 ** sum(count > 1 for count in data.E.shape) * data.E.size <= MOST_MIRRORED:
        found["mirrored"] = evaluate(mirrored(data), tol=tol)
    return found


def embedded(
    data: VoxelFields, frame: tuple[float, float] | None = None, *, width: float = FRAME, tol: float | None = None
) -> Embedded:
    """The stiffness of a cell in a frame: C* with ⟨σ⟩ = C* ⟨ε⟩, both averaged over the cell alone, not its frame.

    The frame is isotropic. Of a given material it acts as what surrounds the cell in a part; without one it takes K and
    G of C* itself, until they agree: the self-consistent embedded cell. Where the cell is homogeneous C* is exact
    whatever the frame.

    Args:
        frame: K and G around the cell in GPa; None: those of the cell.
        width: of the frame on every side, as a part of the edge of the cell.

    Raises:
        ValueError: a frame without stiffness, or one that does not settle. Else as `evaluate`.
    """
    if frame is not None and min(frame) <= 0.0:
        raise ValueError("a frame of void carries no load into the cell; name a solid, or none for the cell's own")
    K, G = (each[0] for each in moduli(data))
    pads = [(_pad(count, width),) * 2 if count > 1 else (0, 0) for count in K.shape]
    inside = tuple(slice(low, low + count) for (low, _), count in zip(pads, K.shape, strict=True))
    around = frame or _middle(K, G)
    for rounds in range(1, _MOST_ROUNDS + 1):
        fields = [
            torch.from_numpy(np.pad(each.numpy(), pads, constant_values=value))[None]
            for each, value in zip((K, G), around, strict=True)
        ]
        C = _of_core(fields[0], fields[1], inside, tol)
        values = quantities_of_stiffness(torch.from_numpy(C)[None])
        own = values["K"].item(), values["G"].item()
        if frame is not None or max(abs(a / b - 1.0) for a, b in zip(own, around, strict=True)) < _SETTLED:
            return Embedded(C, around, rounds)
        around = own
    raise ValueError(f"the medium around the cell did not settle in {_MOST_ROUNDS} rounds; mirror the cell instead")


def _of_core(K: torch.Tensor, G: torch.Tensor, inside: tuple[slice, ...], tol: float | None) -> NDArray[np.float64]:
    """C* of the voxels ``inside``, from the mean stress and strain in them under six unit strains."""
    stress, strain = [], []
    for load in LOADS:
        if load != _HYDROSTATIC:
            solved = local_fields(K, G, load, tol=tol)
            stress.append(solved.stress[(0, slice(None), *inside)].mean((1, 2, 3)).numpy())
            strain.append(solved.strain[(0, slice(None), *inside)].mean((1, 2, 3)).numpy())
    C = np.stack(stress, 1) @ np.linalg.inv(np.stack(strain, 1))
    return 0.5 * (C + C.T)


def _pad(count: int, width: float) -> int:
    return max(1, round(count * width))


def _middle(K: torch.Tensor, G: torch.Tensor) -> tuple[float, float]:
    """A first frame: the geometric mean of the means in parallel and in series."""
    K_mean, G_mean = ((each.mean() / (1.0 / each).mean()).sqrt().item() for each in (K, G))
    return K_mean, G_mean
