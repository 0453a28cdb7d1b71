"""Trilinear 8-node hexahedron on a unit voxel: stiffness, macroscopic strain, periodic collapse.

The strain energy of one voxel with Lamé constants λ, μ and nodal displacements ``q`` (24) is

    2 W = qᵀ (λ K_λ + μ K_μ) q,    K_λ = (∫ div(q) dV)²,    K_μ = ∫ 2 ε(q):ε(q) dV,

K_μ integrated with 2×2×2 Gauss points (exact for a cube). K_λ uses the *mean* dilatation of the voxel (selective
reduced integration; Nagtegaal, Parks & Rice 1974, doi:10.1016/0045-7825(74)90032-2; Hughes 1980,
doi:10.1002/nme.1620150914): an element that bends must change its volume somewhere, and with ∫ div² each such
change would cost energy in proportion to λ. Nearly incompressible phases would come out far too stiff in shear
("volumetric locking"). With λ ≥ -2μ/3 no motion but the rigid ones is free, because K_μ is complete. Other codes often
integrate both terms in full; `FULL` does so, to be compared with them digit by digit.

The voxel edge is the unit of length; effective moduli do not depend on it.

Degrees of freedom are numbered ``8 * component + corner`` with ``corner = 4 a + 2 b + c`` for the corner
at (a, b, c), each 0 or 1. Voigt order is xx, yy, zz, yz, xz, xy with engineering shear.

Conduction is the same with one component, the temperature, and one modulus, the conductivity k:
``2 W = qᵀ k K_k q`` with ``K_k = ∫ ∇T·∇T dV``. `VoxelProblem` names what differs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
"""Corner positions in a unit voxel, (8, 3)."""

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
"""Axes of each Voigt component."""


GAUSS_POINTS = np.array(list(itertools.product((0.5 - 0.5 / np.sqrt(3.0), 0.5 + 0.5 / np.sqrt(3.0)), repeat=3)))
"""The 2×2×2 points in a unit voxel, each of weight 1/8, (8, 3)."""


def shape_gradient(point: np.ndarray) -> np.ndarray:
    """Gradients (3, 8) of the eight corner functions at ``point`` in [0, 1]³."""
    factors = np.where(CORNERS == 1, point, 1.0 - point)  # the three 1D hat functions at each corner
    slopes = np.where(CORNERS == 1, 1.0, -1.0)
    return np.stack([slopes[:, d] * np.prod(np.delete(factors, d, axis=1), axis=1) for d in range(3)])


def strain_displacement(point: np.ndarray) -> np.ndarray:
    """Matrix B (6, 24) with ``B @ q`` = engineering strain at ``point`` in [0, 1]³."""
    gradient = shape_gradient(point)
    matrix = np.zeros((6, 3, 8))
    for row, (i, j) in enumerate(VOIGT):
        matrix[row, i] += gradient[j]
        if i != j:
            matrix[row, j] += gradient[i]
    return matrix.reshape(6, 24)


@functools.cache
def unit_stiffness() -> tuple[np.ndarray, np.ndarray]:
    """Element stiffness for unit λ (of the mean dilatation) and for unit μ, each (24, 24)."""
    dilatation = sum((strain_displacement(point)[:3].sum(0) for point in GAUSS_POINTS), np.zeros(24)) / 8.0
    return np.outer(dilatation, dilatation), fully_integrated_stiffness()[1]


@functools.cache
def fully_integrated_stiffness() -> tuple[np.ndarray, np.ndarray]:
    """Element stiffness for unit λ and for unit μ, each (24, 24), both by 2×2×2 Gauss integration."""
    units = np.diag([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), np.diag([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    units[0][:3, :3] = 1.0
    strains = [strain_displacement(point) for point in GAUSS_POINTS]
    stiffness_lambda, stiffness_mu = (sum((b.T @ unit @ b for b in strains), np.zeros((24, 24))) / 8 for unit in units)
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


@functools.cache
def unit_conductivity() -> tuple[np.ndarray]:
    """Element conductivity for unit k, (8, 8), by 2×2×2 Gauss integration."""
    gradients = [shape_gradient(point) for point in GAUSS_POINTS]
    return (sum((g.T @ g for g in gradients), np.zeros((8, 8))) / 8.0,)


@functools.cache
def affine_temperature() -> np.ndarray:
    """Corner temperatures (8, 3) of a voxel under each unit temperature gradient."""
    return CORNERS.astype(float)


@dataclass(frozen=True)
class VoxelProblem:
    """A linear problem on voxels: nodal components, macroscopic loads, one energy per modulus."""

    name: str
    components: int
    """Unknowns per node: 3 displacements or 1 temperature."""
    loads: int
    """Macroscopic load cases: 6 Voigt strains or 3 temperature gradients."""
    matrices: Callable[[], tuple[np.ndarray, ...]]
    """Element matrix for a unit value of each modulus, (8 · components, 8 · components)."""
    affine: Callable[[], np.ndarray]
    """Corner values of each unit load, (8 · components, loads)."""


ELASTICITY = VoxelProblem("elasticity", 3, 6, unit_stiffness, affine_displacement)
"""Moduli (λ, μ) in GPa."""

FULL = VoxelProblem("elasticity, fully integrated", 3, 6, fully_integrated_stiffness, affine_displacement)
"""The same with ∫ div², stiffer in shear where a phase is nearly incompressible."""

ELEMENTS = {"mean-dilatation": ELASTICITY, "full": FULL}
"""Elastic elements by name."""

CONDUCTION = VoxelProblem("conduction", 1, 3, unit_conductivity, affine_temperature)
"""Modulus (k,), e.g. in W/(m K)."""


def collapse_matrix(active: tuple[int, ...], components: tuple[int, ...], of: int = 3) -> np.ndarray:
    """Expansion P (8 · of, n) from the distinct degrees of freedom of a periodic voxel to all of them.

    Along an axis of one voxel the two faces carry the same nodes, so corners that differ only along
    such an axis are one node: the condensed stiffness is PᵀKP. ``active`` lists the axes of more than
    one voxel, ``components`` which of the ``of`` nodal components are kept; n = len(components) · 2^len(active).
    """
    corners = 2 ** len(active)
    expansion = np.zeros((of, 8, len(components), corners))
    for corner, position in enumerate(CORNERS):
        node = 0
        for axis in active:
            node = 2 * node + position[axis]
        for column, component in enumerate(components):
            expansion[component, corner, column, node] = 1.0
    return expansion.reshape(8 * of, len(components) * corners)


def minimal_factor(matrix: np.ndarray) -> np.ndarray:
    """Rows L (rank, n) with LᵀL = ``matrix`` (symmetric positive semidefinite)."""
    values, vectors = np.linalg.eigh(matrix)
    keep = values > 1e-12 * max(values[-1], 1e-300)
    return np.sqrt(values[keep])[:, None] * vectors[:, keep].T


@dataclass(frozen=True)
class Modes:
    """Independent modes of a voxel: rows S with 2 W = Σ_p p |S_p x|², p running over the moduli.

    An elastic voxel has 1 mode that changes its volume (λ) and 18 that store shear-type energy (μ); working with
    these rows needs less than half the arithmetic and memory of two 24×24 matrices, and gives the local
    energies, hence all gradients, for free.
    """

    rows: np.ndarray
    """(modes, columns), those of the first modulus first."""
    sizes: tuple[int, ...]
    """Number of rows that belong to each modulus."""

    @property
    def blocks(self) -> tuple[slice, ...]:
        """Rows of each modulus."""
        stops = tuple(itertools.accumulate(self.sizes))
        return tuple(slice(stop - size, stop) for stop, size in zip(stops, self.sizes, strict=True))


def _modes(problem: VoxelProblem, transform: np.ndarray) -> Modes:
    factors = [minimal_factor(transform.T @ k @ transform) for k in problem.matrices()]
    return Modes(rows=np.concatenate(factors), sizes=tuple(len(rows) for rows in factors))


@functools.cache
def fluctuation_modes(
    active: tuple[int, ...], components: tuple[int, ...], problem: VoxelProblem = ELASTICITY
) -> Modes:
    """Modes of the periodic fluctuation: columns are the n collapsed degrees of freedom."""
    return _modes(problem, collapse_matrix(active, components, problem.components))


@functools.cache
def total_modes(active: tuple[int, ...], components: tuple[int, ...], problem: VoxelProblem = ELASTICITY) -> Modes:
    """Modes of fluctuation plus macroscopic load: n columns, then one per load case."""
    return _modes(problem, np.hstack([collapse_matrix(active, components, problem.components), problem.affine()]))
