"""torch-fem: as its documentation has it, and its parts put together by hand."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.sparse as sparse
import torch
import torchfem.sparse
from torchfem.assembly import Assembly
from torchfem.base import near_null_space
from torchfem.materials import IsotropicElasticity3D
from torchfem.mesh import cube_hexa
from torchfem.solid import Solid

from relaxdesign.physics.fem import young_poisson_from_bulk_shear

from .cases import Case
from .others import node_ties
from .ours import Outcome, Prepared

SAFETY = 0.9
"""Share of the tolerance asked of the linear solver, so that its one Newton step suffices."""


def _mesh(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    torch.set_default_dtype(torch.float64)  # torch-fem takes precision and device from torch's defaults
    torch.set_default_device(case.device)
    points = case.grid + 1
    return cube_hexa(points, points, points)


def _material(K: torch.Tensor, G: torch.Tensor) -> IsotropicElasticity3D:
    young, poisson = young_poisson_from_bulk_shear(K.ravel(), G.ravel())
    return IsotropicElasticity3D(young, poisson)


def documented(case: Case, K: torch.Tensor, G: torch.Tensor) -> Prepared:
    """`Assembly` with couplings, solved by `Assembly.solve`, differentiated by its adjoint."""
    nodes, elements = _mesh(case)
    K, G = K[0].to(case.device), G[0].to(case.device)
    model = Solid(nodes, elements, _material(K, G))
    assembly = Assembly([model])
    first, last = nodes < 1e-9, nodes > 1.0 - 1e-9
    for flags in itertools.product((False, True), repeat=3):
        if any(flags):  # nodes on exactly these far faces follow the nodes opposite
            far = torch.tensor(flags)
            secondary = (last == far).all(1)
            primary = (first | ~far).all(1) & ~last.any(1)
            assembly.coupling(model, secondary, model, primary)
    model.constraints = (torch.arange(len(nodes)) == 0)[:, None].expand(-1, 3)
    model.ext_strain = -torch.eye(3).expand(len(elements), 3, 3)  # an eigenstrain: minus the macroscopic strain
    differentiate = case.output == "K+gradient"

    def evaluate():
        bulk, shear = (field.clone().requires_grad_(differentiate) for field in (K, G))
        model.material = material = _material(bulk, shear)
        displacement, _, stress, _, _ = assembly.solve(
            rtol=case.tol,
            atol=0.0,
            stol=SAFETY * case.tol,
            method="cg",
            differentiable_parameters=(material.E, material.nu) if differentiate else None,
        )
        value = stress[0].diagonal(dim1=-2, dim2=-1).sum(-1).mean() / 9.0
        gradient = torch.autograd.grad(value, (bulk, shear)) if differentiate else None
        return value.detach(), displacement[0].detach(), gradient

    def outcome(result) -> Outcome:
        value, displacement, gradient = result
        return Outcome(
            [float(value)],
            fluctuation=_fluctuation(displacement.cpu().numpy(), case),
            gradient=None if gradient is None else tuple(part.cpu().numpy() for part in gradient),
        )

    return evaluate, outcome


def parts(case: Case, K: torch.Tensor, G: torch.Tensor) -> Prepared:
    """Its assembly and its `sparse_solve`, periodic ties eliminated with SciPy."""
    nodes, elements = _mesh(case)
    K, G = K[0], G[0]
    model = Solid(nodes, elements, _material(K, G))
    ties = node_ties(nodes.numpy(), case.grid)
    transposed = ties.T.tocsr()
    independent = (nodes < 1.0 - 1e-9).all(1)
    near_null = near_null_space(nodes[independent], 3)[3:]
    affine = case.grid * nodes.numpy().ravel()  # in voxel edges
    nothing = torch.empty(0, dtype=torch.int64)

    def evaluate():
        model.material = _material(K, G)
        tangent = model.assemble_matrix(model.k0(), nothing)
        stiffness = sparse.csr_matrix(
            (tangent.values().numpy(), tangent.col_indices().numpy(), tangent.crow_indices().numpy()),
            shape=tangent.shape,
        )
        load = -(transposed @ (stiffness @ affine))
        reduced = (transposed @ stiffness @ ties).tocsr()
        matrix = torch.sparse_csr_tensor(
            *(torch.from_numpy(a) for a in (reduced.indptr, reduced.indices, reduced.data)), size=reduced.shape
        )
        solution, _, _, iterations = torchfem.sparse.sparse_solve(
            matrix, torch.from_numpy(load), near_null, SAFETY * case.tol, method="cg", preconditioner="amg"
        )
        total = affine + ties @ solution.numpy()
        # The mesh has edge 1 and the displacement is in voxel edges: the energy is grid times that of unit voxels.
        value = total @ (stiffness @ total) * case.grid / (9.0 * case.voxels)
        return value, ties @ solution.numpy(), iterations

    def outcome(result) -> Outcome:
        value, displacement, iterations = result
        field = _fluctuation(displacement.reshape(-1, 3) / case.grid, case)
        return Outcome([float(value)], [int(iterations)], fluctuation=field)

    return evaluate, outcome


def _fluctuation(displacement: np.ndarray, case: Case) -> np.ndarray:
    """Nodal displacement (nodes, 3) in cell edges as (1, 3, n, n, n) in voxel edges, without the far faces."""
    field = displacement.reshape(*(case.grid + 1,) * 3, 3)[:-1, :-1, :-1] * case.grid
    return field.transpose(3, 0, 1, 2)[None]
