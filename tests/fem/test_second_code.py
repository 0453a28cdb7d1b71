"""The same cell through scikit-fem: its mesh, its element, its assembly, a direct solver."""

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg

from relaxdesign.fem import effective_stiffness
from relaxdesign.fem.elements import VOIGT

from .cells import random_moduli

skfem = pytest.importorskip("skfem")


def scikit_fem_stiffness(K, G):
    """Effective stiffness of fields (n, n, n) with periodic nodes tied together."""
    from skfem.helpers import ddot, eye, sym_grad, trace

    size = K.shape[0]
    line = np.linspace(0.0, 1.0, size + 1)
    mesh = skfem.MeshHex.init_tensor(line, line, line)
    basis = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementHex1()), intorder=3)
    centres = mesh.p[:, mesh.t].mean(axis=1)
    voxel = tuple(np.floor(centres * size).astype(int))
    mu = G[voxel][:, None]
    lam = K[voxel][:, None] - 2.0 * mu / 3.0

    @skfem.BilinearForm
    def energy(u, v, w):
        strain = sym_grad(u)
        stress = lam * eye(trace(strain), 3) + 2.0 * mu * strain
        return ddot(stress, sym_grad(v))

    stiffness = energy.assemble(basis)
    node = np.rint(mesh.p * size).astype(int) % size
    master = np.ravel_multi_index(node, (size,) * 3)
    tie = sparse.lil_matrix((basis.N, 3 * size**3))
    affine = np.zeros((basis.N, 6))
    for axis in range(3):
        dofs = basis.nodal_dofs[axis]
        tie[dofs, 3 * master + axis] = 1.0
        for case, (i, j) in enumerate(VOIGT):
            if i == j == axis:
                affine[dofs, case] = mesh.p[axis]
            elif i != j and axis in (i, j):
                affine[dofs, case] = 0.5 * mesh.p[j if axis == i else i]
    tie = tie.tocsr()[:, 3:]  # the first node is held
    reduced = (tie.T @ stiffness @ tie).tocsc()
    fluctuation = scipy.sparse.linalg.splu(reduced).solve(-(tie.T @ (stiffness @ affine)))
    total = tie @ fluctuation + affine
    return total.T @ (stiffness @ total)


def test_random_cell_agrees_with_scikit_fem(generator):
    K, G = random_moduli((1, 8, 8, 8), generator)
    ours = effective_stiffness(K, G, tol=1e-11).C[0].numpy()
    theirs = scikit_fem_stiffness(K[0].numpy(), G[0].numpy())
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8 * np.abs(theirs).max())
