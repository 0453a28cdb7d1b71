"""The same cell through scikit-fem: its mesh, its element, its assembly, a direct solver."""

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg

from relaxdesign.physics.fem import bulk_modulus, effective_stiffness
from relaxdesign.physics.fem.elements import VOIGT

from .cells import ball, random_moduli, two_phase

skfem = pytest.importorskip("skfem")


class ScikitFemCell:
    """Mesh and stiffness of one cell (nx, ny, nz) of unit voxels, all its nodes independent."""

    def __init__(self, K, G, *, full=False):
        from skfem.helpers import ddot, div, sym_grad

        self.shape = K.shape
        self.mesh = skfem.MeshHex.init_tensor(*(np.arange(n + 1.0) for n in K.shape))
        self.basis = skfem.Basis(self.mesh, skfem.ElementVector(skfem.ElementHex1()), intorder=3)
        centres = self.mesh.p[:, self.mesh.t].mean(axis=1)
        voxel = tuple(np.floor(centres).astype(int))
        self.bulk = K[voxel]
        mu = G[voxel][:, None]
        lam = self.bulk[:, None] - 2.0 * mu / 3.0

        @skfem.BilinearForm
        def volumetric(u, v, w):
            return lam * div(u) * div(v)

        @skfem.BilinearForm
        def shear(u, v, w):
            return 2.0 * mu * ddot(sym_grad(u), sym_grad(v))

        # one point, the centre, where the divergence is its mean over the voxel
        centre = skfem.Basis(self.mesh, self.basis.elem, quadrature=(np.full((3, 1), 0.5), np.ones(1)))
        points = self.basis if full else centre
        self.stiffness = (volumetric.assemble(points) + shear.assemble(self.basis)).tocsr()
        self.node = np.rint(self.mesh.p).astype(int)
        self.dofs = self.basis.nodal_dofs
        self.affine = np.zeros((self.basis.N, 6))
        for case, (i, j) in enumerate(VOIGT):
            if i == j:
                self.affine[self.dofs[i], case] = self.mesh.p[i]
            else:
                self.affine[self.dofs[i], case] = 0.5 * self.mesh.p[j]
                self.affine[self.dofs[j], case] = 0.5 * self.mesh.p[i]

    def surface(self, axes):
        """Boolean (nodes,): on a face normal to one of the axes."""
        return np.any([(self.node[d] == 0) | (self.node[d] == self.shape[d]) for d in axes], axis=0)

    def total(self, tie, affine):
        """Displacement with the fluctuation spanned by the columns of ``tie``."""
        reduced = (tie.T @ self.stiffness @ tie).tocsc()
        fluctuation = scipy.sparse.linalg.splu(reduced).solve(-(tie.T @ (self.stiffness @ affine)))
        return tie @ fluctuation + affine

    def stiffness_matrix(self, periodic, held):
        """Effective stiffness with opposite faces tied along the axes ``periodic`` and ``held`` nodes fixed."""
        wrapped = self.node.copy()
        for axis in periodic:
            wrapped[axis] %= self.shape[axis]
        master = np.ravel_multi_index(wrapped, np.array(self.shape) + 1)
        columns = np.unique(master[~held])
        free = np.flatnonzero(~held)
        tie = sparse.lil_matrix((self.basis.N, 3 * len(columns)))
        for axis in range(3):
            tie[self.dofs[axis][free], 3 * np.searchsorted(columns, master[free]) + axis] = 1.0
        total = self.total(tie.tocsr(), self.affine)
        return total.T @ (self.stiffness @ total) / np.prod(self.shape)

    def uniaxial_bulk(self):
        """tr⟨σ⟩ / (3 tr⟨ε⟩) under u_z = z on the surface, u_x and u_y free but for three pinned values."""
        from skfem.helpers import div

        free = np.ones(self.basis.N, dtype=bool)
        free[self.dofs[2][self.surface((0, 1, 2))]] = False
        origin = np.flatnonzero((self.node == 0).all(axis=0))[0]
        along_x = np.flatnonzero((self.node == np.array([[self.shape[0]], [0], [0]])).all(axis=0))[0]
        free[[self.dofs[0][origin], self.dofs[1][origin], self.dofs[1][along_x]]] = False
        total = self.total(sparse.eye(self.basis.N, format="csr")[:, free], self.affine[:, 2])
        integrals = (div(self.basis.interpolate(total)) * self.basis.dx).sum(axis=1)
        return self.bulk @ integrals / integrals.sum()


def scikit_fem_cell(K, G, **options):
    return ScikitFemCell(K[0].numpy(), G[0].numpy(), **options)


@pytest.mark.parametrize("element", ["mean-dilatation", "full"])
def test_random_cell_agrees_with_scikit_fem(element, generator):
    K, G = random_moduli((1, 8, 8, 8), generator)
    ours = effective_stiffness(K, G, tol=1e-11, element=element).C[0].numpy()
    cell = scikit_fem_cell(K, G, full=element == "full")
    theirs = cell.stiffness_matrix((0, 1, 2), held=(cell.node % 8 == 0).all(axis=0))  # the corners, one node
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8 * np.abs(theirs).max())


@pytest.mark.parametrize(("shape", "periodic"), [((7, 6, 8), ()), ((8, 7, 1), (2,)), ((1, 6, 5), (0,))])
def test_linear_displacement_on_the_surface_agrees_with_scikit_fem(shape, periodic, generator):
    """In 2D tied through the thickness, held on the faces in the plane."""
    K, G = random_moduli((1, *shape), generator)
    ours = effective_stiffness(K, G, boundary="kubc", tol=1e-11).C[0].numpy()
    cell = scikit_fem_cell(K, G)
    theirs = cell.stiffness_matrix(periodic, cell.surface([axis for axis in range(3) if axis not in periodic]))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8 * np.abs(theirs).max())


@pytest.mark.parametrize("shape", [(5, 4, 6), (6, 5, 1), (1, 5, 4), (4, 1, 3)])
def test_uniaxial_case_agrees_with_scikit_fem(shape, generator):
    """A cell one voxel thick has two layers of free nodes there: nothing is tied, by symmetry they agree."""
    K, G = random_moduli((1, *shape), generator)
    ours = bulk_modulus(K, G, boundary="uniaxial", tol=1e-11).value.item()
    assert ours == pytest.approx(scikit_fem_cell(K, G).uniaxial_bulk(), rel=1e-8)


def test_elements_meet_other_codes_digit_by_digit():
    """The cell of FANS's tests, a sphere of radius 0.4 in 32³ voxels, with both kinds of integration."""
    K, G = two_phase(ball(32, 0.4), matrix=(62.5, 28.8462), particle=(222.222, 166.6667))
    C = effective_stiffness(K, G).C[0]
    assert [round(float(C[i, j]), 4) for i, j in ((0, 0), (0, 1), (3, 3))] == [145.3105, 51.5207, 41.637]
    assert round(float(effective_stiffness(K, G, element="full").C[0, 0, 0]), 4) == 145.4895


def test_an_unknown_element_is_refused(generator):
    with pytest.raises(ValueError, match="element 'best' is unknown; available: 'mean-dilatation', 'full'"):
        effective_stiffness(*random_moduli((1, 3, 3, 3), generator), element="best")
