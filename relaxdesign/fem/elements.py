"""Trilinear 8-node hexahedron on a unit voxel: stiffness, macroscopic strain, periodic collapse.

The strain energy of one voxel with Lamé constants λ, μ and nodal displacements ``q`` (24) is

    2 W = qᵀ (λ K_λ + μ K_μ) q,    K_λ = ∫ div(q)² dV,    K_μ = ∫ 2 ε(q):ε(q) dV,

integrated with 2×2×2 Gauss points (exact for a cube). The voxel edge is the unit of length; effective
moduli do not depend on it.

Degrees of freedom are numbered ``8 * component + corner`` with ``corner = 4 a + 2 b + c`` for the corner
at (a, b, c), each 0 or 1. Voigt order is xx, yy, zz, yz, xz, xy with engineering shear.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
"""Corner positions in a unit voxel, (8, 3)."""

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Axes of each Voigt component."""


def strain_displacement(point: np.ndarray) -> np.ndarray:
    """Matrix B (6, 24) with ``B @ q`` = engineering strain at ``point`` in [0, 1]³."""
    factors = np.where(CORNERS == 1, point, 1.0 - point)  # the three 1D hat functions at each corner
    slopes = np.where(CORNERS == 1, 1.0, -1.0)
    gradient = np.stack([slopes[:, d] * np.prod(np.delete(factors, d, axis=1), axis=1) for d in range(3)])
    matrix = np.zeros((6, 3, 8))
    for row, (i, j) in enumerate(VOIGT):
        matrix[row, i] += gradient[j]
        if i != j:
            matrix[row, j] += gradient[i]
    return matrix.reshape(6, 24)


@functools.cache
def unit_stiffness() -> tuple[np.ndarray, np.ndarray]:
    """Element stiffness for unit λ and for unit μ, each (24, 24), by 2×2×2 Gauss integration."""
    unit_lambda = np.zeros((6, 6))
    unit_lambda[:3, :3] = 1.0
    unit_mu = np.diag([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    gauss = (0.5 - 0.5 / np.sqrt(3.0), 0.5 + 0.5 / np.sqrt(3.0))
    stiffness_lambda, stiffness_mu = np.zeros((24, 24)), np.zeros((24, 24))
    for point in itertools.product(gauss, repeat=3):
        b = strain_displacement(np.array(point))
        stiffness_lambda += b.T @ unit_lambda @ b / 8.0
        stiffness_mu += b.T @ unit_mu @ b / 8.0
    return stiffness_lambda, stiffness_mu


@functools.cache
def affine_displacement() -> np.ndarray:
    """Corner displacements (24, 6) of a voxel under each unit Voigt strain: u = ε x, rotation-free."""
    displacement = np.zeros((3, 8, 6))
    for column, (i, j) in enumerate(VOIGT):
        if i == j:
            displacement[i, :, column] = CORNERS[:, i]
        else:  # engineering shear γ = 1 is ε_ij = ε_ji = 1/2
            displacement[i, :, column] = 0.5 * CORNERS[:, j]
            displacement[j, :, column] = 0.5 * CORNERS[:, i]
    return displacement.reshape(24, 6)


def collapse_matrix(active: tuple[int, ...], components: tuple[int, ...]) -> np.ndarray:
    """Expansion P (24, n) from the distinct degrees of freedom of a periodic voxel to all 24.

    Along an axis of one voxel the two faces carry the same nodes, so corners that differ only along
    such an axis are one node: the condensed stiffness is PᵀKP. ``active`` lists the axes of more than
    one voxel, ``components`` the displacement components that are kept; n = len(components) · 2^len(active).
    """
    corners = 2 ** len(active)
    expansion = np.zeros((3, 8, len(components), corners))
    for corner, position in enumerate(CORNERS):
        node = 0
        for axis in active:
            node = 2 * node + position[axis]
        for column, component in enumerate(components):
            expansion[component, corner, column, node] = 1.0
    return expansion.reshape(24, len(components) * corners)


def minimal_factor(matrix: np.ndarray) -> np.ndarray:
    """Rows L (rank, n) with LᵀL = ``matrix`` (symmetric positive semidefinite)."""
    values, vectors = np.linalg.eigh(matrix)
    keep = values > 1e-12 * max(values[-1], 1e-300)
    return np.sqrt(values[keep])[:, None] * vectors[:, keep].T


@dataclass(frozen=True)
class StrainModes:
    """Independent strain modes of a voxel: rows S with 2 W = λ |S_λ x|² + μ |S_μ x|².

    A voxel has 7 modes that change its volume pattern and 18 that store shear-type energy; working with
    these rows needs half the arithmetic and half the memory of two 24×24 matrices, and gives the local
    energies, hence all gradients, for free.
    """

    rows: np.ndarray
    """(modes, columns): first ``volumetric`` rows belong to λ, the others to μ."""
    volumetric: int
    """Number of rows that belong to λ."""


def _modes(transform: np.ndarray) -> StrainModes:
    factors = [minimal_factor(transform.T @ k @ transform) for k in unit_stiffness()]
    return StrainModes(rows=np.concatenate(factors), volumetric=len(factors[0]))


@functools.cache
def fluctuation_modes(active: tuple[int, ...], components: tuple[int, ...]) -> StrainModes:
    """Strain modes of the periodic fluctuation: columns are the n collapsed degrees of freedom."""
    return _modes(collapse_matrix(active, components))


@functools.cache
def total_modes(active: tuple[int, ...], components: tuple[int, ...]) -> StrainModes:
    """Strain modes of fluctuation plus macroscopic strain: n columns, then 6 Voigt strains."""
    return _modes(np.hstack([collapse_matrix(active, components), affine_displacement()]))
