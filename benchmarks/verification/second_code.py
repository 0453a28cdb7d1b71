"""The same cells through scikit-fem: its mesh, its elements, its assembly, a sparse direct solver."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg
import torch

from benchmarks.verification.cells import CERAMIC, EPOXY, balls, random_moduli, two_phase
from benchmarks.verification.model import Study, at_most, table
from relaxdesign.fem import effective_stiffness

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def scikit_fem_stiffness(K: np.ndarray, G: np.ndarray, *, reduced_volumetric: bool = False) -> np.ndarray:
    """Effective stiffness (6, 6) of fields (nx, ny, nz) with periodic nodes tied together, trilinear hexahedra.

    ``reduced_volumetric`` integrates the λ part of the energy with one point (Hughes 1980,
    doi:10.1002/nme.1620150914): the usual element for nearly incompressible materials.
    """
    import skfem
    from skfem.helpers import ddot, sym_grad, trace

    shape = np.array(K.shape)
    mesh: Any = skfem.MeshHex.init_tensor(*(np.arange(n + 1.0) for n in shape))
    element = skfem.ElementVector(skfem.ElementHex1())
    voxel = tuple(np.floor(mesh.p[:, mesh.t].mean(axis=1)).astype(int))
    mu = G[voxel][:, None]
    lam = K[voxel][:, None] - 2.0 * mu / 3.0

    @skfem.BilinearForm
    def volumetric(u, v, w):
        return lam * trace(sym_grad(u)) * trace(sym_grad(v))

    @skfem.BilinearForm
    def deviatoric(u, v, w):
        return 2.0 * mu * ddot(sym_grad(u), sym_grad(v))

    basis = skfem.Basis(mesh, element, intorder=3)
    centre = basis
    if reduced_volumetric:
        centre = skfem.Basis(mesh, element, quadrature=(np.full((3, 1), 0.5), np.ones(1)))
    stiffness = deviatoric.assemble(basis) + volumetric.assemble(centre)

    node = np.rint(mesh.p).astype(int) % shape[:, None]
    master = np.ravel_multi_index(tuple(node), tuple(shape))
    rows = np.concatenate([basis.nodal_dofs[axis] for axis in range(3)])
    columns = np.concatenate([3 * master + axis for axis in range(3)])
    tie = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(basis.N, 3 * K.size))
    affine = np.zeros((basis.N, 6))
    for case, (i, j) in enumerate(VOIGT):
        if i == j:
            affine[basis.nodal_dofs[i], case] = mesh.p[i]
        else:
            affine[basis.nodal_dofs[i], case] = 0.5 * mesh.p[j]
            affine[basis.nodal_dofs[j], case] = 0.5 * mesh.p[i]
    tie = tie[:, 3:]  # the first node is held
    reduced = (tie.T @ stiffness @ tie).tocsc()
    fluctuation = scipy.sparse.linalg.splu(reduced).solve(-(tie.T @ (stiffness @ affine)))
    total = tie @ fluctuation + affine
    return total.T @ (stiffness @ total) / K.size


def second_code(size: int = 8, seed: int = 5) -> Study:
    """Second code

    The same voxels through [scikit-fem](https://github.com/kinnala/scikit-fem) (Gustafsson and McBain 2020,
    [doi:10.21105/joss.02369](https://doi.org/10.21105/joss.02369)): its hexahedral mesh, its elements, its assembly,
    periodic nodes tied by elimination, a sparse direct solver. All 36 entries of C* are compared, relative to the
    largest. Two elements are offered to the comparison, so that it also says which one the evaluator is built on:
    the trilinear hexahedron with 2×2×2 points throughout, and the one with the volumetric energy at one point
    (Hughes 1980, [doi:10.1002/nme.1620150914](https://doi.org/10.1002/nme.1620150914)).
    """
    cells = {
        f"random voxels, 1 to 50 GPa, {size}³": random_moduli((size, size, size), seed),
        f"random voxels, 1 to 50 GPa, {2 * size}×{size}×1": random_moduli((2 * size, size, 1), seed),
        f"ceramic ball in epoxy, {size}³": two_phase(balls(size, 3, 0.3 * size, 1), EPOXY, CERAMIC),
    }
    rows = []
    for name, (K, G) in cells.items():
        ours = effective_stiffness(K, G, tol=1e-11).C[0].numpy()
        errors = []
        for reduced in (False, True):
            theirs = scikit_fem_stiffness(K[0].numpy(), G[0].numpy(), reduced_volumetric=reduced)
            errors.append(float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
        rows.append((name, *errors))
    columns = {"cell": "{}", "2×2×2 points": "{:.1e}", "volumetric part with one point": "{:.1e}"}
    same = min(max(row[column] for row in rows) for column in (1, 2))
    return Study(
        (at_most("largest difference of C* to the element that the evaluator uses", same, 1e-8),),
        (table("Largest difference of C* relative to its largest entry", columns, rows),),
    )


def reference_stiffness(mask: torch.Tensor, matrix: tuple[float, float], particle: tuple[float, float]) -> np.ndarray:
    """Stiffness of one cell (1, nx, ny, nz) by the element with reduced volumetric integration."""
    K, G = two_phase(mask, matrix, particle)
    return scikit_fem_stiffness(K[0].numpy(), G[0].numpy(), reduced_volumetric=True)
