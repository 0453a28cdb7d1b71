"""Other ways to the same number: SciPy alone, and finite element libraries with their own assembly.

Each gets the same cell, float64, the hydrostatic load case, the same relative residual, and is used as well as we know
how. What depends on the grid alone (mesh, basis, index maps, periodic ties) is prepared before the clock starts, which
favours them: our own time includes everything. Memory includes the preparation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as linalg
import torch

from . import cells
from .cases import OURS, Case
from .ours import Outcome, Prepared


@dataclass(frozen=True)
class Library:
    """A competitor and how it is used."""

    label: str
    package: str
    """Distribution whose version is recorded."""
    outputs: tuple[str, ...]
    how: str
    """For the report."""
    module: str = "others"
    function: str = ""
    uses_gpu: bool = False
    full_integration: bool = False
    """The library offers the fully integrated hexahedron only: as many unknowns, a slightly stiffer cell."""


LIBRARIES = {
    "scipy-direct": Library(
        "SciPy, direct",
        "scipy",
        ("K",),
        "no finite element library: our own 24×24 element matrices summed into a sparse matrix on periodic node "
        "numbers, `splu` in symmetric mode with minimum degree ordering (twice as fast as its default)",
        function="scipy_direct",
    ),
    "scikit-fem": Library(
        "scikit-fem, CG + AMG",
        "scikit-fem",
        ("K",),
        "its periodic hexahedral mesh, its assembly (six scalar blocks, several times faster than a vector form), its "
        "`condense` and `solve` with SciPy's conjugate gradients, preconditioned by pyamg's smoothed aggregation on "
        "3×3 blocks with the rigid motions as near-null space; no gradient: it differentiates nothing",
        function="scikit_fem",
    ),
    "torch-fem": Library(
        "torch-fem, as documented",
        "torch-fem",
        ("K", "K+gradient"),
        "its mesh, `Solid` with `ext_strain` as macroscopic strain, periodicity by its `Assembly.coupling` of opposite "
        "faces, edges and corners (exact elimination), its conjugate gradients with its multigrid (on a GPU: with "
        "its Jacobi preconditioner); the gradient is its autograd, which solves an adjoint problem",
        module="torch_fem",
        function="documented",
        uses_gpu=True,
        full_integration=True,
    ),
    "torch-fem-parts": Library(
        "torch-fem, parts",
        "torch-fem",
        ("K",),
        "its element matrices, assembly, multigrid and conjugate gradients (`sparse_solve`), periodic ties eliminated "
        "with SciPy instead of by its `Assembly`; no gradient",
        module="torch_fem",
        function="parts",
        full_integration=True,
    ),
}


def pairs() -> tuple[tuple[str, str], ...]:
    """(solver, output) of everything that is compared."""
    return tuple((key, output) for key, library in LIBRARIES.items() for output in library.outputs)


def solver(key: str, device: str = "cpu") -> Callable[..., Prepared]:
    """``prepare`` of a solver; imports the library."""
    if key == OURS:
        from .ours import prepare

        return prepare
    library = LIBRARIES[key]
    if device != "cpu":
        torch.set_default_device(device)  # before the import: torch-fem makes tensors while it is imported
    return getattr(import_module(f".{library.module}", __package__), library.function)


def node_ties(nodes: np.ndarray, grid: int) -> sparse.csr_matrix:
    """Map from the unknowns of a periodic cell to the displacements of a mesh of (grid + 1)³ nodes.

    ``nodes`` (count, 3) in fractions of the edge; degrees of freedom ``3 * node + component`` on both sides; the
    first periodic node is held.
    """
    index = np.rint(nodes * grid).astype(int) % grid
    master = np.asarray(np.ravel_multi_index(tuple(index.T), (grid,) * 3))
    columns = (3 * master[:, None] + np.arange(3)).ravel()
    rows = np.arange(len(columns))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(rows), 3 * grid**3))[:, 3:]


def rigid_motions(nodes: np.ndarray) -> np.ndarray:
    """Near-null space (3 * count, 6): three translations and three rotations about the centre of the cell."""
    motions = np.zeros((len(nodes), 3, 6))
    offset = nodes - 0.5
    for axis in range(3):
        motions[:, axis, axis] = 1.0
        i, j = (axis + 1) % 3, (axis + 2) % 3
        motions[:, i, 3 + axis] = -offset[:, j]
        motions[:, j, 3 + axis] = offset[:, i]
    return motions.reshape(-1, 6)


def scipy_direct(case: Case, K, G) -> Prepared:
    """Assembled by hand on periodic node numbers, solved by SuperLU."""
    K, G = K[0].numpy(), G[0].numpy()
    shape = case.shape
    voxel = np.indices(shape).reshape(3, -1)
    wrapped = [(voxel + corner[:, None]) % np.array(shape)[:, None] for corner in cells.CORNERS]
    node = np.stack([np.ravel_multi_index(tuple(index), shape) for index in wrapped])  # (8, voxels)
    dof = np.concatenate([3 * node + component for component in range(3)])  # (24, voxels)
    pattern = (24, *dof.shape)
    rows = np.broadcast_to(dof[:, None], pattern).ravel()
    columns = np.broadcast_to(dof[None], pattern).ravel()
    by_lambda, by_mu = cells.unit_stiffness()
    macro = cells.CORNERS.T.reshape(24)

    def evaluate():
        lam, mu = (K - 2.0 / 3.0 * G).ravel(), G.ravel()
        element = by_lambda[:, :, None] * lam + by_mu[:, :, None] * mu
        unknowns = 3 * case.voxels
        stiffness = sparse.coo_matrix((element.ravel(), (rows, columns)), shape=(unknowns, unknowns)).tocsc()
        load = -np.bincount(dof.ravel(), np.tensordot(macro, element, 1).ravel(), minlength=unknowns)
        factors = linalg.splu(
            stiffness[3:, 3:],  # the first node is held
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        fluctuation = np.concatenate([np.zeros(3), factors.solve(load[3:])])
        return (cells.macroscopic_energy(K) - load @ fluctuation) / (9.0 * case.voxels), fluctuation

    def outcome(result) -> Outcome:
        value, fluctuation = result
        return Outcome([float(value)], fluctuation=fluctuation.reshape(*shape, 3).transpose(3, 0, 1, 2)[None])

    return evaluate, outcome


def scikit_fem(case: Case, K, G) -> Prepared:
    """scikit-fem's periodic mesh and assembly, pyamg as preconditioner."""
    import pyamg
    import skfem
    from skfem.utils import solver_iter_krylov

    K, G = K[0].numpy(), G[0].numpy()
    line = np.linspace(0.0, 1.0, case.grid + 1)
    mesh = skfem.MeshHex1DG.init_tensor(line, line, line, periodic=[0, 1, 2])
    basis = skfem.Basis(mesh, skfem.ElementHex1(), intorder=3)  # 2×2×2 Gauss points
    centre = skfem.Basis(mesh, skfem.ElementHex1(), quadrature=(np.full((3, 1), 0.5), np.ones(1)))  # for λ
    centres = basis.global_coordinates().value.mean(axis=2)  # (3, elements)
    voxel = tuple(np.floor(centres * case.grid).astype(int))
    nodes = basis.doflocs.T  # (count, 3)
    near_null = rigid_motions(nodes)[3:]
    interleaved = np.arange(3 * basis.N).reshape(3, -1).T.ravel()  # the three unknowns of a node side by side
    held = np.arange(3)

    def stiffness_block(i: int, j: int):
        @skfem.BilinearForm
        def block(u, v, w):
            value = w.mu * (u.grad[i] * v.grad[j])
            if i == j:
                value = value + w.mu * (u.grad[0] * v.grad[0] + u.grad[1] * v.grad[1] + u.grad[2] * v.grad[2])
            return value

        return block

    def volumetric_block(i: int, j: int):
        return skfem.BilinearForm(lambda u, v, w: w.lam * u.grad[j] * v.grad[i])

    def load_block(i: int):
        return skfem.LinearForm(lambda v, w: -(3.0 * w.lam + 2.0 * w.mu) * v.grad[i])

    def evaluate():
        lam, mu = (np.broadcast_to(f[voxel][:, None], basis.dx.shape) for f in (K - 2.0 / 3.0 * G, G))
        mean = lam[:, :1]
        blocks: list[list[Any]] = [[None] * 3 for _ in range(3)]
        for i, j in itertools.combinations_with_replacement(range(3), 2):
            blocks[i][j] = stiffness_block(i, j).assemble(basis, mu=mu)
            blocks[i][j] += volumetric_block(i, j).assemble(centre, lam=mean)
            blocks[j][i] = blocks[i][j] if i == j else blocks[i][j].T
        stiffness = sparse.csr_matrix(sparse.bmat(blocks))[interleaved][:, interleaved]
        load = np.stack([load_block(i).assemble(basis, lam=lam, mu=mu) for i in range(3)], axis=1).ravel()
        reduced, right, full, free = skfem.condense(stiffness, load, D=held)
        reduced = reduced.tobsr((3, 3))
        multigrid = pyamg.smoothed_aggregation_solver(
            reduced,
            B=near_null,
            strength=None,  # type: ignore[arg-type]
            improve_candidates=None,
        )
        count = []
        krylov = solver_iter_krylov(
            linalg.cg,  # type: ignore[arg-type]
            M=multigrid.aspreconditioner(),
            rtol=case.tol,
            maxiter=2000,
            callback=count.append,
        )
        fluctuation = skfem.solve(reduced, right, full, free, solver=krylov)
        value = (cells.macroscopic_energy(K) / case.voxels - load @ fluctuation) / 9.0
        return value, fluctuation, len(count)

    def outcome(result) -> Outcome:
        value, fluctuation, iterations = result
        index = tuple((np.rint(nodes * case.grid).astype(int) % case.grid).T)
        field = np.empty((1, 3, *case.shape))
        for component in range(3):
            field[(0, component, *index)] = fluctuation[component::3] * case.grid  # in voxel edges
        return Outcome([float(value)], [iterations], fluctuation=field)

    return evaluate, outcome
