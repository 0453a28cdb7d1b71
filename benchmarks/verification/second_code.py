"""The same cells through scikit-fem: its mesh, its elements, its assembly, a sparse direct solver."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg

from benchmarks.verification.cells import CERAMIC, EPOXY, balls, random_moduli, two_phase
from benchmarks.verification.model import Study, at_most, table
from relaxdesign.physics.fem import effective_stiffness

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def gauss(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (3, points³) and weights of the product Gauss rule on the unit cube."""
    x, w = np.polynomial.legendre.leggauss(points)
    grid = np.meshgrid(*[0.5 * (x + 1.0)] * 3, indexing="ij")
    return np.stack(grid).reshape(3, -1), np.einsum("i,j,k->ijk", *[0.5 * w] * 3).ravel()


def scikit_fem_stiffness(
    K: np.ndarray, G: np.ndarray, *, reduced_volumetric: bool = False, quadratic: bool = False
) -> np.ndarray:
    """Effective stiffness (6, 6) of fields (nx, ny, nz) with periodic nodes tied together.

    Trilinear hexahedra with 2×2×2 points, or ``quadratic`` ones (27 nodes) with 3×3×3. ``reduced_volumetric`` takes one
    point less in each direction for the λ part of the energy (Hughes 1980, doi:10.1002/nme.1620150914): the usual
    remedy in nearly incompressible materials.
    """
    import skfem
    from skfem.helpers import ddot, div, sym_grad

    order, shape = 2 if quadratic else 1, np.array(K.shape)
    mesh: Any = skfem.MeshHex.init_tensor(*(np.arange(n + 1.0) for n in shape))
    element = skfem.ElementVector(skfem.ElementHex2() if quadratic else skfem.ElementHex1())
    voxel = tuple(np.floor(mesh.p[:, mesh.t].mean(axis=1)).astype(int))
    mu = G[voxel][:, None]
    lam = K[voxel][:, None] - 2.0 * mu / 3.0

    @skfem.BilinearForm
    def volumetric(u, v, w):
        return lam * div(u) * div(v)

    @skfem.BilinearForm
    def deviatoric(u, v, w):
        return 2.0 * mu * ddot(sym_grad(u), sym_grad(v))

    basis = skfem.Basis(mesh, element, quadrature=gauss(order + 1))
    coarse = skfem.Basis(mesh, element, quadrature=gauss(order)) if reduced_volumetric else basis
    stiffness = deviatoric.assemble(basis) + volumetric.assemble(coarse)

    component = np.zeros(basis.N, dtype=int)
    for numbers in (basis.nodal_dofs, basis.edge_dofs, basis.facet_dofs, basis.interior_dofs):
        for axis, dofs in enumerate(numbers if numbers is not None else ()):
            component[dofs] = axis
    place = np.rint(order * basis.doflocs).astype(int) % (order * shape)[:, None]
    master = 3 * np.ravel_multi_index(tuple(place), tuple(order * shape)) + component
    tie = sparse.csr_matrix((np.ones(basis.N), (np.arange(basis.N), master)), (basis.N, 3 * K.size * order**3))
    tie = tie[:, 3:]  # the first node is held
    affine = np.zeros((basis.N, 6))
    for case, (i, j) in enumerate(VOIGT):
        for axis, other in ((i, j), (j, i)):
            affine[component == axis, case] = (1.0 if i == j else 0.5) * basis.doflocs[other, component == axis]
    factor = scipy.sparse.linalg.splu(
        (tie.T @ stiffness @ tie).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    total = tie @ factor.solve(-(tie.T @ (stiffness @ affine))) + affine
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
