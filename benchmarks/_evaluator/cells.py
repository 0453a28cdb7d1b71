"""The cells that are measured, and the one residual by which every answer is judged.

Two phases of contrast 130 (a polymer with ceramic particles), volume fraction 0.3, particle diameter about 0.3 of the
edge. Sample i of a batch is the placement of seed i on every grid, so that refining the grid refines one geometry.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch

from relaxdesign.microstructure.particles.packing import place_particles

from .cases import Case

MATRIX = (2.5, 1.2)
"""K and G of the matrix in GPa."""
PARTICLE = (325.0, 156.0)
"""K and G of the particles in GPa: contrast 130."""
VOLUME_FRACTION = 0.3
DIAMETER = 0.3
NO_GRID = 2**62  # placed without regard to voxels: neighbours touch on every grid, which takes the most iterations


CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
"""Corners of a voxel, (8, 3)."""


def moduli(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """K and G in GPa, (batch, nx, ny, nz), float64 on the CPU."""
    # Random numbers depend on torch's default precision, which torch-fem wants set to double.
    precision = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            share = torch.stack([_particles(case, seed) for seed in range(case.batch)]).double()
    finally:
        torch.set_default_dtype(precision)
    bulk, shear = (particle * share + matrix * (1.0 - share) for matrix, particle in zip(MATRIX, PARTICLE, strict=True))
    return bulk, shear


def _particles(case: Case, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    packing = place_particles(VOLUME_FRACTION, DIAMETER, case.dim, grid=NO_GRID, generator=generator)[0]
    return packing.voxelise(case.grid).reshape(case.shape)


def unit_stiffness(*, full_integration: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Stiffness (24, 24) of a unit voxel for unit λ and unit μ, degrees of freedom ``8 * component + corner``.

    λ acts on the mean dilatation or, with ``full_integration``, at each of the 2×2×2 Gauss points. Written anew here,
    so that the judge shares no code with the evaluator.
    """
    by_lambda, by_mu, mean = np.zeros((24, 24)), np.zeros((24, 24)), np.zeros(24)
    for point in itertools.product((0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5), repeat=3):
        hat = np.where(CORNERS == 1, point, 1.0 - np.array(point))
        slope = np.where(CORNERS == 1, 1.0, -1.0)
        derivative = np.stack([slope[:, d] * np.delete(hat, d, axis=1).prod(1) for d in range(3)])  # (3, 8)
        gradient = np.einsum("ab,jc->ajbc", np.eye(3), derivative).reshape(3, 3, 24)  # u_a,j of the 24 unknowns
        strain = 0.5 * (gradient + gradient.transpose(1, 0, 2))
        divergence = np.einsum("aan->n", gradient)
        by_lambda += np.outer(divergence, divergence) / 8.0
        by_mu += 2.0 * np.einsum("ajm,ajn->mn", strain, strain) / 8.0
        mean += divergence / 8.0
    return by_lambda if full_integration else np.outer(mean, mean), by_mu


def force_residual(K: np.ndarray, G: np.ndarray, fluctuation: np.ndarray, *, full_integration: bool = False) -> float:
    """Relative force residual ‖b - A u‖₂ / ‖b‖₂ of a solution under unit hydrostatic strain.

    Args:
        K, G: moduli of the cell in GPa, (nx, ny, nz).
        fluctuation: periodic displacement of the voxels' lower corners in voxel edges, (3, nx, ny, nz).
        full_integration: which element the solution is of, see `unit_stiffness`.
    """
    lam, mu = K - 2.0 / 3.0 * G, G
    by_lambda, by_mu = unit_stiffness(full_integration=full_integration)
    macro = CORNERS.T.reshape(24)  # u = x at the corners of each voxel

    def forces(corners: np.ndarray) -> np.ndarray:
        element = np.tensordot(by_lambda, corners, 1) * lam + np.tensordot(by_mu, corners, 1) * mu
        nodal = np.zeros((3, *K.shape))
        for column, corner in enumerate(CORNERS):
            nodal += np.roll(element[column::8], corner, axis=(1, 2, 3))
        return nodal

    # Corner (a, b, c) of voxel (i, j, k) is node (i + a, j + b, k + c).
    gathered = [np.roll(fluctuation, -corner, axis=(1, 2, 3)) for corner in CORNERS]
    corners = np.stack(gathered, axis=1).reshape(24, *K.shape)
    load = -forces(np.broadcast_to(macro[:, None, None, None], (24, *K.shape)))
    return float(np.linalg.norm(load - forces(corners)) / np.linalg.norm(load))


def macroscopic_energy(K: np.ndarray) -> float:
    """Σ_e ε : C : ε of the unit hydrostatic strain alone, 9 K per voxel."""
    return 9.0 * float(K.sum())
