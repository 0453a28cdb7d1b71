"""Bounds: thousands of random cells against Voigt–Reuss and Hashin–Shtrikman."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmarks.verification.cells import two_phase
from benchmarks.verification.model import Study, Table, at_most, table
from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.physics.bounds import bulk_bounds, field_bounds, field_shear_bounds
from relaxdesign.physics.fem import effective_stiffness

MATRIX = (1.0, 0.5)
SLACK = 1e-6
"""Relative slack for the tolerance of the solver."""


def random_masks(kind: str, size: int, dim: int, count: int, seed: int) -> Tensor:
    """Two-phase cells of a kind: "voxels" (independent), "blobs" (a smooth random field above its quantile) or
    "particles" (a packing as the designs have it); particle share drawn between 0.1 and 0.5. (count, n, n, n or 1)."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size,) * dim
    masks = []
    for _ in range(count):
        share = float(0.1 + 0.4 * torch.rand((), generator=generator))
        if kind == "particles":
            mask = place_particles(share, 0.35, dim, grid=size, generator=generator)[0].voxelise(size)
        else:
            noise = torch.randn(shape, generator=generator, dtype=torch.float64)
            if kind == "blobs":
                waves = torch.meshgrid(*[torch.fft.fftfreq(size, dtype=torch.float64) * size] * dim, indexing="ij")
                damping = torch.exp(-sum((w**2 for w in waves), torch.zeros(())) / 8.0)
                noise = torch.fft.ifftn(torch.fft.fftn(noise) * damping).real
            mask = noise > noise.flatten().quantile(1.0 - share)
        masks.append(mask.reshape(size, size, -1))
    return torch.stack(masks)


def bounds(
    contrasts: tuple[float, ...] = (1.0, 10.0, 1e2, 1e3, 1e4, 1e5),
    count: int = 24,
    size_2d: int = 32,
    size_3d: int = 12,
) -> Study:
    """Bounds

    Two-phase cells of three kinds – independent voxels, smooth blobs, packings of particles –, particle share 0.1 to
    0.5, both phases with ν = 0.286, particles 1 to 10⁵ times stiffer, and the same cells with soft particles. Every
    cell must obey Voigt and Reuss (Hill 1952,
    [doi:10.1088/0370-1298/65/5/307](https://doi.org/10.1088/0370-1298/65/5/307)):

        ⟨1/K⟩⁻¹ ≤ K* ≤ ⟨K⟩,    ⟨1/G⟩⁻¹ ≤ G* ≤ ⟨G⟩    (slack 1e-6 for the solver)

    Hashin and Shtrikman (1963, [doi:10.1016/0022-5096(63)90060-7](https://doi.org/10.1016/0022-5096(63)90060-7))
    assume isotropy. Their bounds on K and G nevertheless hold for the averages K* and G* over directions of every
    periodic cell: with one polarisation for all loads the interaction enters by its trace, which does not depend on
    direction. How many of the cells lie inside, and by how much the others leave the band, is reported, not required:
    it is an error of the grid. Those that leave it are mostly independent voxels at the upper bound, as elements
    overestimate the stiffness of features that are one voxel wide; on refined grids they return. For 2D cells, fibre
    bundles seen end-on, the narrower bound is that on the in-plane modulus k = (C11+C22+2C12)/4 (Hashin 1965,
    [doi:10.1016/0022-5096(65)90015-3](https://doi.org/10.1016/0022-5096(65)90015-3)):

        ⟨1/(k+G_min)⟩⁻¹ − G_min ≤ k* ≤ ⟨1/(k+G_max)⟩⁻¹ − G_max
    """
    rows: list[tuple] = []
    points: dict[str, list[tuple[float, list[float]]]] = {}
    worst = 0.0
    for dim, size in ((3, size_3d), (2, size_2d)):
        for contrast in contrasts:
            inside, excess, total = 0, 0.0, 0
            for number, kind in enumerate(("voxels", "blobs", "particles")):
                for soft in (False, True) if contrast > 1.0 else (False,):
                    masks = random_masks(kind, size, dim, count, seed=100 * dim + number)
                    stiff = (MATRIX[0] * contrast, MATRIX[1] * contrast)
                    pair = (stiff, MATRIX) if soft else (MATRIX, stiff)
                    K, G = two_phase(masks, *pair)
                    result = effective_stiffness(K, G, tol=1e-6)
                    worst = max(worst, _leaves(result.bulk, field_bounds(K, G)))
                    worst = max(worst, _leaves(result.shear, field_shear_bounds(K, G)))
                    value, low, high = _isotropic_band(result, K, G, dim)
                    outside = np.maximum(value / high - 1.0, low / value - 1.0)
                    inside += int((outside <= SLACK).sum())
                    excess, total = max(excess, float(outside.max())), total + count
                    if contrast > 1.0:
                        position = np.log(value / low) / np.log(high / low)
                        ratio = 1.0 / contrast if soft else contrast
                        points.setdefault(f"{dim}D {kind}", []).append((ratio, position.tolist()))
            rows.append((f"{dim}D", contrast, total, "0", 100.0 * inside / total, 100.0 * excess))
    return Study(
        (at_most(f"largest violation of Voigt–Reuss, {sum(row[2] for row in rows)} cells, K and G", worst, SLACK),),
        (_table(rows, size_2d, size_3d),),
        {"contrasts": list(contrasts), "positions": points},
    )


def _table(rows: list[tuple], size_2d: int, size_3d: int) -> Table:
    columns = {
        "cell": "{}", "contrast": "{:g}", "cells": "{}",
        "inside Hashin–Shtrikman": "{:.0f} %", "largest excess over the band": "{:.2g} %",
    }  # fmt: skip
    caption = f"Random cells, {size_3d}³ (K) and {size_2d}² (k)"
    return table(caption, columns, ((*row[:3], *row[4:]) for row in rows))


def _leaves(value: Tensor, bounds) -> float:
    """Largest relative distance outside Voigt–Reuss, 0 if all are inside."""
    modulus = value.numpy()
    return max(0.0, float(np.max(modulus / bounds.voigt - 1.0)), float(np.max(bounds.reuss / modulus - 1.0)))


def _isotropic_band(result, K: Tensor, G: Tensor, dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Modulus and its Hashin–Shtrikman band: K of a 3D cell, in-plane k of a 2D cell."""
    if dim == 3:
        limits = field_bounds(K, G)
        return result.bulk.numpy(), np.asarray(limits.hs_lower), np.asarray(limits.hs_upper)
    C = result.C
    value = (C[:, 0, 0] + C[:, 1, 1] + 2 * C[:, 0, 1]) / 4
    # ⟨1/(k + G₀)⟩⁻¹ - G₀ is the three-dimensional form with 3G₀/4 in place of G₀
    limits = bulk_bounds((K + G / 3.0).flatten(1), 0.75 * G.flatten(1))
    return value.numpy(), np.asarray(limits.hs_lower), np.asarray(limits.hs_upper)
