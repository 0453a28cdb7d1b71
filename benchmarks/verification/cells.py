"""Cells that the studies share. Masks are boolean (cells, nx, ny, nz), True in the particle; moduli are (K, G)."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from relaxdesign.physics.fem import Boundary, bulk_modulus

EPOXY = (2.5, 1.2)
CERAMIC = (325.0, 156.0)
"""130 times the epoxy."""
ELASTOMER = (2.0, 0.0004)
"""ν = 0.4999."""
CARBIDE = (350.0, 270.0)

SHIFTS = {2: (0.7548776662466927, 0.5698402909980532), 3: (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)}
"""Additive recurrence that fills a square or a cube evenly (powers of the inverse of the plastic number)."""


def two_phase(mask: Tensor, matrix: tuple[float, float], particle: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """K and G of every voxel, float64."""
    low, high = (torch.tensor(pair, dtype=torch.float64) for pair in (matrix, particle))
    return torch.where(mask, high[0], low[0]), torch.where(mask, high[1], low[1])


def random_moduli(shape: tuple[int, ...], seed: int, low: float = 1.0, high: float = 50.0) -> tuple[Tensor, Tensor]:
    """Independent K and G in every voxel, uniform between low and high, (1, *shape)."""
    generator = torch.Generator().manual_seed(seed)
    K, G = (low + (high - low) * torch.rand(1, *shape, generator=generator, dtype=torch.float64) for _ in "KG")
    return K, G


def block(size: int, dim: int) -> Tensor:
    """A square or cube of half the cell edge: exact on every grid of a multiple of 4 voxels. (1, n, n, n or 1)."""
    inside = torch.zeros(size, dtype=torch.bool)
    inside[size // 4 : size - size // 4] = True
    mask = inside[:, None, None] & inside[None, :, None]
    return (mask & inside[None, None, :] if dim == 3 else mask)[None]


def balls(size: int, dim: int, radius: float, count: int) -> Tensor:
    """One disc or ball of ``radius`` voxels per cell, (count, n, n, n or 1); a voxel belongs to it if its centre does.

    The centres are spread evenly over a voxel: averaged over them, the volume fraction is exact and the staircase
    of the surface has no preferred position.
    """
    masks = []
    for sample in range(1, count + 1):
        square = torch.zeros(1, 1, 1, dtype=torch.float64)
        for axis, step in enumerate(SHIFTS[dim]):
            offset = torch.arange(size, dtype=torch.float64) + 0.5 - size // 2 - (0.5 + sample * step) % 1.0
            shape = [1, 1, 1]
            shape[axis] = size
            square = square + offset.reshape(shape) ** 2
        masks.append(square < radius**2)
    return torch.stack(masks)


def radius_of(volume_fraction: float, dim: int) -> float:
    """Radius, in cell edges, of the disc or ball that fills this fraction of the cell."""
    if dim == 2:
        return math.sqrt(volume_fraction / math.pi)
    return (0.75 * volume_fraction / math.pi) ** (1.0 / 3.0)


def mean_bulk(
    masks: Tensor, matrix: tuple[float, float], particle: tuple[float, float], *, tol: float = 1e-6
) -> tuple[float, float]:
    """Mean effective K in GPa over the cells and mean volume fraction; large cells are solved one by one.

    The error of K is of the order of the square of ``tol``.
    """
    share = 2**18 // masks[0].numel()
    values = [bulk_modulus(*two_phase(part, matrix, particle), tol=tol).value for part in masks.split(max(1, share))]
    return torch.cat(values).mean().item(), masks.double().mean().item()


def available_boundaries() -> dict[Boundary, str]:
    """Every boundary condition with an empty string, or the reason why it cannot be used."""
    ones = torch.ones(1, 2, 2, 2, dtype=torch.float64)
    reasons = {}
    for boundary in Boundary:
        try:
            bulk_modulus(ones, ones, boundary=boundary)
        except (NotImplementedError, ValueError) as error:
            reasons[boundary] = str(error)
        else:
            reasons[boundary] = ""
    return reasons


def isotropic_stiffness(K: float, G: float) -> Tensor:
    """6×6 stiffness of an isotropic material, Voigt order xx, yy, zz, yz, xz, xy, engineering shear."""
    C = torch.zeros(6, 6, dtype=torch.float64)
    C[:3, :3] = K - 2.0 * G / 3.0
    C[range(3), range(3)] = K + 4.0 * G / 3.0
    C[range(3, 6), range(3, 6)] = G
    return C


def rotate_stiffness(C: Tensor, R: Tensor) -> Tensor:
    """Stiffness (6, 6) of the cell turned by the rotation matrix R (3, 3)."""
    pairs = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
    place = torch.zeros(3, 3, dtype=torch.long)
    for row, (i, j) in enumerate(pairs):
        place[i, j] = place[j, i] = row
    tensor = torch.einsum("ai,bj,ck,dl,ijkl->abcd", R, R, R, R, C[place[:, :, None, None], place[None, None]])
    rows = torch.tensor(pairs)
    return torch.stack([tensor[i, j, rows[:, 0], rows[:, 1]] for i, j in pairs])


def quarter_turns() -> list[Tensor]:
    """The 24 rotations of a cube, (3, 3) each."""
    turns = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            R = torch.zeros(3, 3, dtype=torch.float64)
            R[range(3), list(order)] = torch.tensor(signs, dtype=torch.float64)
            if torch.linalg.det(R) > 0:
                turns.append(R)
    return turns


def rotate_field(field: Tensor, R: Tensor) -> Tensor:
    """Field (1, n, n, n) turned by one of the `quarter_turns`: new(R x) = old(x)."""
    order = R.abs().argmax(1).tolist()
    turned = field.permute(0, *(1 + axis for axis in order))
    return turned.flip([1 + axis for axis in range(3) if R[axis, order[axis]] < 0]).contiguous()
