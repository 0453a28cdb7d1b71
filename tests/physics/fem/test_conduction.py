"""Effective conductivity: closed forms, Keller's duality, bounds, gradients, a second code, bad input."""

import numpy as np
import pytest
import scipy.sparse as sparse
import scipy.sparse.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relaxdesign.physics.bounds import conductivity_bounds, field_conductivity_bounds
from relaxdesign.physics.fem import ConvergenceError, SolveStatus, checks, effective_conductivity
from relaxdesign.physics.fem.elements import CONDUCTION
from relaxdesign.physics.fem.green import conduction_symbol
from relaxdesign.physics.fem.operator import VoxelOperator

from .cells import ball

BOUNDARIES = ["periodic", "kubc"]


def random_conductivity(shape, generator, low=0.5, high=50.0):
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def two_conductors(mask, inside, outside):
    return torch.where(mask, inside, outside).double()


# ---- closed forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 4, 4), (3, 5, 2), (6, 4, 1), (1, 1, 1)])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_homogeneous_cell_returns_its_material(shape, boundary):
    k = torch.full((1, *shape), 401.0, dtype=torch.float64, requires_grad=True)
    result = effective_conductivity(k, boundary=boundary)
    torch.testing.assert_close(result.k[0], 401.0 * torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-10)
    assert result.mean.item() == pytest.approx(401.0, rel=1e-13)
    assert result.anisotropy.item() == pytest.approx(1.0, abs=1e-12)
    result.mean.sum().backward()
    torch.testing.assert_close(k.grad, torch.full_like(k, 1.0 / k.numel()), rtol=1e-12, atol=0)


@pytest.mark.parametrize(("shape", "normal"), [((1, 1, 6), 2), ((2, 3, 6), 2), ((6, 3, 1), 0), ((3, 6, 2), 1)])
def test_laminate_conducts_in_series_and_in_parallel(shape, normal, generator):
    layers = random_conductivity(6, generator, low=0.01)
    sizes = [6 if axis == normal else 1 for axis in range(3)]
    result = effective_conductivity(layers.reshape(1, *sizes).expand(1, *shape).contiguous(), tol=1e-12)
    expected = torch.full((3,), layers.mean().item(), dtype=torch.float64)
    expected[normal] = 1.0 / (1.0 / layers).mean()
    torch.testing.assert_close(result.k[0], torch.diag(expected), rtol=1e-10, atol=1e-10 * layers.mean().item())
    torch.testing.assert_close(result.directional[0], expected, rtol=1e-10, atol=0)
    assert result.anisotropy.item() == pytest.approx((expected.max() / expected.min()).item(), rel=1e-10)


@pytest.mark.parametrize(("matrix", "particle"), [(1.0, 2.0), (4.0, 1.0)])
def test_dilute_sphere_has_maxwells_slope(matrix, particle):
    """Maxwell 1873: dk/dvf = 3 k_m (k_p - k_m) / (k_p + 2 k_m).

    What is left is the staircase surface of a ball of 10 voxels and interaction at 1.7 % volume fraction.
    """
    mask = ball(32, 0.16)
    slope = (effective_conductivity(two_conductors(mask, particle, matrix)).mean.item() - matrix) / mask.double().mean()
    maxwell = 3.0 * matrix * (particle - matrix) / (particle + 2.0 * matrix)
    assert slope.item() == pytest.approx(maxwell, rel=0.03)


def test_through_the_thickness_of_a_2d_cell_conduction_is_in_parallel(generator):
    """One voxel thick and four equal layers are the same cell; k_zz is the Voigt average to round-off."""
    k = random_conductivity((1, 6, 5, 1), generator)
    thin = effective_conductivity(k, tol=1e-12)
    thick = effective_conductivity(k.expand(-1, -1, -1, 4).contiguous(), tol=1e-12)
    torch.testing.assert_close(thin.k, thick.k, rtol=1e-10, atol=1e-10)
    assert thin.iterations[0, 2] == 0
    assert thin.k[0, 2, 2].item() == pytest.approx(k.mean().item(), rel=1e-14)
    assert thin.k[0, 2, :2].abs().max() < 1e-13 * k.max()


# ---- duality in two dimensions ---------------------------------------------------------------------


def test_exchanging_the_phases_turns_and_inverts_the_conductivity():
    """Keller 1964 (doi:10.1063/1.1704146), Mendelson 1975: k(k₁, k₂) · R k(k₂, k₁) Rᵀ = k₁ k₂ in any 2D cell.

    R turns by 90°; on principal axes k_x(k₁, k₂) k_y(k₂, k₁) = k₁ k₂. Temperature elements overestimate both
    factors; the excess falls with the grid.
    """
    k1, k2 = 1.0, 10.0
    cell = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.bool)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    errors = []
    for repeat in (4, 8, 16):
        mask = cell.repeat_interleave(repeat, 0).repeat_interleave(repeat, 1)[None, :, :, None]
        one, other = (effective_conductivity(two_conductors(mask, *k)).k[0, :2, :2] for k in ((k1, k2), (k2, k1)))
        assert one[0, 1].abs() > 0.05 and (one[0, 0] - one[1, 1]).abs() > 0.05  # nothing holds by symmetry of the cell
        product = one @ turn @ other @ turn.T / (k1 * k2)
        errors.append((product - torch.eye(2, dtype=torch.float64)).norm().item())
    assert errors[2] < 0.005
    assert errors[2] < 0.5 * errors[1] < 0.25 * errors[0]


@pytest.mark.parametrize("contrast", [2.0, 10.0])
def test_checkerboard_conducts_like_the_geometric_mean(contrast):
    """Dykhne 1970: √(k₁ k₂), approached from above at the rate set by the corner singularity."""
    board = torch.tensor([[0, 1], [1, 0]], dtype=torch.bool)
    errors = []
    for size in (8, 16, 32):
        mask = board.repeat_interleave(size, 0).repeat_interleave(size, 1)[None, :, :, None]
        result = effective_conductivity(two_conductors(mask, contrast, 1.0))
        assert result.k[0, 0, 0].item() == pytest.approx(result.k[0, 1, 1].item(), rel=1e-9)
        errors.append(result.k[0, 0, 0].item() / contrast**0.5 - 1.0)
    assert errors[0] > errors[1] > errors[2] > 0.0
    # T ~ r^p near a corner, tan(pπ/4) = 1/√contrast up to exchange of the phases; the energy converges like h^2p
    rate = 2.0 * 4.0 / np.pi * np.arctan(contrast**-0.5)
    observed = np.log2(errors[1] / errors[2])
    assert observed == pytest.approx(rate, abs=0.1)


# ---- bounds and symmetry ---------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    log_contrast=st.floats(0.0, 5.0),
    share=st.floats(0.1, 0.9),
    shape=st.sampled_from([(6, 6, 1), (3, 3, 3), (4, 3, 2)]),
)
def test_every_cell_lies_within_the_bounds_it_cannot_leave(seed, log_contrast, share, shape):
    """Wiener in every direction; Hashin–Shtrikman from below in the mean, also of anisotropic cells."""
    mask = torch.rand(1, *shape, generator=torch.Generator().manual_seed(seed)) < share
    k = two_conductors(mask, 10.0**log_contrast, 1.0)
    result, bounds = effective_conductivity(k, tol=1e-10), field_conductivity_bounds(k)
    assert bounds.admits(result.principal.T.numpy()).all()
    assert result.mean.item() >= bounds.hs_lower.item() * (1.0 - 1e-6)


def test_coated_spheres_show_that_the_lower_bound_is_sharp():
    """A dilute suspension of good conductors lies on the lower bound up to its second order."""
    mask = ball(24, 0.25)
    share = mask.double().mean().item()
    bounds = conductivity_bounds([1.0, 5.0], [1.0 - share, share])
    assert bounds.hs_lower <= effective_conductivity(two_conductors(mask, 5.0, 1.0)).mean.item()
    assert effective_conductivity(two_conductors(mask, 5.0, 1.0)).mean.item() <= 1.01 * bounds.hs_lower


@pytest.mark.parametrize("shape", [(5, 4, 6), (6, 5, 1), (4, 1, 5)])
def test_linear_temperature_on_the_surface_is_an_upper_estimate(shape, generator):
    """In the sense of quadratic forms, and still below Wiener's upper bound; repeating the cell narrows the gap."""
    k = random_conductivity((2, *shape), generator)
    periodic, kubc = (effective_conductivity(k, boundary=boundary, tol=1e-11) for boundary in BOUNDARIES)
    assert torch.equal(kubc.k, kubc.k.mT)
    assert (torch.linalg.eigvalsh(kubc.k - periodic.k) > -1e-9).all()
    assert (torch.linalg.eigvalsh(kubc.k - periodic.k)[:, -1] > 1e-3).all()
    assert field_conductivity_bounds(k).admits(kubc.principal.T.numpy()).all()
    twice = k.repeat(1, *(2 if n > 1 else 1 for n in shape))
    assert (effective_conductivity(twice, boundary="kubc").mean < kubc.mean).all()
    again = effective_conductivity(k, boundary="kubc", tol=1e-11, initial=kubc.temperature)
    assert (again.iterations == 0).all()


@pytest.mark.parametrize("shape", [(5, 4, 6), (6, 5, 1)])
def test_symmetric_positive_definite_and_indifferent_to_translation(shape, generator):
    k = random_conductivity((2, *shape), generator)
    result = effective_conductivity(k, tol=1e-11)
    assert torch.equal(result.k, result.k.mT)
    assert (result.principal > 0).all()
    shifted = effective_conductivity(torch.roll(k, (1, 2), dims=(1, 2)), tol=1e-11)
    torch.testing.assert_close(shifted.k, result.k, rtol=1e-10, atol=1e-10)
    turned = effective_conductivity(torch.rot90(k, 1, dims=(1, 2)).contiguous(), tol=1e-11)
    R = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(turned.k, R @ result.k @ R.T, rtol=1e-10, atol=1e-10)


# ---- gradients -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5, 3), (6, 5, 1)])
@pytest.mark.parametrize("output", ["mean", "component", "anisotropy"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_gradient_is_the_central_difference(shape, output, boundary, generator):
    def function(k):
        result = effective_conductivity(k, boundary=boundary, tol=1e-12)
        return result.k[:, 0, 1] + 0.3 * result.k[:, 1, 1] if output == "component" else getattr(result, output)

    k = random_conductivity((1, *shape), generator).requires_grad_()
    exact = torch.autograd.grad(function(k).sum(), k)[0].flatten()
    voxels = torch.randperm(k.numel(), generator=generator)[:8]
    flat = k.detach().flatten()
    step = 1e-4 * flat[voxels]
    change = torch.zeros(len(voxels), k.numel(), dtype=torch.float64)
    change[range(len(voxels)), voxels] = step
    above, below = (function((flat + sign * change).reshape(-1, *shape)) for sign in (1.0, -1.0))
    difference = (above - below) / (2.0 * step)
    assert (exact[voxels] - difference).norm() < 1e-6 * difference.norm()


@pytest.mark.parametrize("shape", [(4, 4, 1), (3, 4, 4)])
def test_gradcheck(shape, generator):
    k = random_conductivity((1, *shape), generator).requires_grad_()

    def function(k):
        return effective_conductivity(k, tol=1e-12).k

    assert torch.autograd.gradcheck(function, (k,), eps=1e-4, atol=1e-8, rtol=1e-6, fast_mode=True)


def test_conductivity_is_homogeneous_of_degree_one_and_monotone(generator):
    """Euler: k* = Σ k_e ∂k*/∂k_e; and a better conductor nowhere makes a worse cell."""
    k = random_conductivity((2, 6, 6, 6), generator).requires_grad_()
    mean = effective_conductivity(k, tol=1e-10).mean
    mean.sum().backward()
    assert (k.grad >= 0).all()
    torch.testing.assert_close((k * k.grad).flatten(1).sum(1), mean, rtol=1e-12, atol=0)


# ---- a second code ---------------------------------------------------------------------------------


def scikit_fem_conductivity(k, boundary):
    """Effective conductivity of a field (n, n, n): periodic nodes tied together, or the surface held."""
    skfem = pytest.importorskip("skfem")
    from skfem.helpers import dot, grad

    size = k.shape[0]
    line = np.linspace(0.0, 1.0, size + 1)
    mesh = skfem.MeshHex.init_tensor(line, line, line)
    basis = skfem.Basis(mesh, skfem.ElementHex1(), intorder=3)
    voxel = tuple(np.floor(mesh.p[:, mesh.t].mean(axis=1) * size).astype(int))
    conductivity = k[voxel][:, None]

    @skfem.BilinearForm
    def dissipation(u, v, w):
        return conductivity * dot(grad(u), grad(v))

    conductance = dissipation.assemble(basis)
    master = np.ravel_multi_index(np.rint(mesh.p * size).astype(int) % size, (size,) * 3)
    tie = sparse.csr_matrix((np.ones(basis.N), (basis.nodal_dofs[0], master)))[:, 1:]  # the first node is held
    if boundary == "kubc":
        inner = np.setdiff1d(np.arange(basis.N), basis.get_dofs().all())
        tie = sparse.identity(basis.N, format="csr")[:, inner]
    affine = np.empty((basis.N, 3))
    affine[basis.nodal_dofs[0]] = mesh.p.T
    reduced = (tie.T @ conductance @ tie).tocsc()
    total = affine - tie @ scipy.sparse.linalg.splu(reduced).solve(tie.T @ (conductance @ affine))
    return total.T @ (conductance @ total)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_random_cell_agrees_with_scikit_fem(boundary, generator):
    k = random_conductivity((1, 6, 6, 6), generator)
    ours = effective_conductivity(k, boundary=boundary, tol=1e-11).k[0].numpy()
    theirs = scikit_fem_conductivity(k[0].numpy(), boundary)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8 * np.abs(theirs).max())


# ---- the solve -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 5, 6), (6, 5, 1), (1, 1, 6)])
def test_green_symbol_is_the_transform_of_the_stencil(shape):
    operator = VoxelOperator((torch.ones(1, *shape, dtype=torch.float64),), problem=CONDUCTION)
    symbol = conduction_symbol(operator.grid, operator.active, dtype=torch.float64, device=operator.device)
    impulse = operator.zeros()
    impulse[(0, 0, *(0,) * len(operator.grid))] = 1.0
    spectrum = torch.fft.rfftn(operator.apply(impulse), dim=tuple(range(2, impulse.ndim)))
    assert (spectrum[:, 0] - symbol[0, 0]).abs().max() < 1e-13


@pytest.mark.parametrize("particle", [1e5, 1e-5])
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_contrast_of_1e5_converges_within_bounds(particle, dim, boundary):
    k = two_conductors(ball(32 if dim == 2 else 8, 0.3, dim), particle, 1.0)
    result = effective_conductivity(k, boundary=boundary)
    assert result.status == (SolveStatus.CONVERGED,)
    assert (result.residual <= 1e-8).all()
    assert field_conductivity_bounds(k).admits(result.principal.T.numpy()).all()


def test_iterations_do_not_grow_with_the_grid():
    counts = [
        effective_conductivity(two_conductors(ball(size, 0.3, 2), 100.0, 1.0)).iterations[0, 0].item()
        for size in (32, 64, 128)
    ]
    assert counts[2] <= 1.3 * counts[0]


def test_a_batch_with_a_bad_sample_gives_the_others(generator):
    k = random_conductivity((3, 6, 5, 1), generator)
    alone = effective_conductivity(k[[0, 2]])
    k[1, 2, 3, 0] = torch.nan
    k.requires_grad_()
    result = effective_conductivity(k, raise_on_failure=False)
    assert result.status == (SolveStatus.CONVERGED, SolveStatus.INVALID_FIELD, SolveStatus.CONVERGED)
    torch.testing.assert_close(result.k[[0, 2]], alone.k, rtol=1e-12, atol=1e-12)
    assert result.k[1].isnan().all() and result.anisotropy.isnan().tolist() == [False, True, False]
    result.mean.nansum().backward()
    assert (k.grad[1] == 0).all() and torch.isfinite(k.grad).all() and (k.grad[[0, 2]] != 0).any()


def test_warm_start_and_single_precision(generator):
    k = random_conductivity((2, 8, 8, 8), generator)
    result = effective_conductivity(k)
    again = effective_conductivity(k, initial=result.temperature)
    assert (again.iterations == 0).all()
    torch.testing.assert_close(again.k, result.k, rtol=1e-12, atol=1e-12)
    single = effective_conductivity(k.float())
    assert single.k.dtype == torch.float32 and single.tol == 1e-4
    torch.testing.assert_close(single.k.double(), result.k, rtol=1e-4, atol=1e-4)


def test_a_cap_that_is_hit_is_an_error(generator):
    with pytest.raises(ConvergenceError, match=r"stopped after 2 iterations.*max_iterations"):
        effective_conductivity(random_conductivity((1, 8, 8, 1), generator), max_iterations=2)


GOOD = torch.full((2, 4, 4, 1), 3.0, dtype=torch.float64)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_bad_voxels_are_named(value):
    k = GOOD.clone()
    k[1, 2, 3, 0] = value
    with pytest.raises(ValueError, match=r"k is .* at \(sample, x, y, z\) = \(1, 2, 3, 0\).*W/\(m K\)"):
        effective_conductivity(k)


@pytest.mark.parametrize(
    ("k", "options", "message"),
    [
        (GOOD[0], {}, r"k has shape \(4, 4, 1\).*k\[None\]"),
        (GOOD.long(), {}, "k has dtype torch.int64"),
        (GOOD.numpy(), {}, "k is a ndarray"),
        (GOOD[:0], {}, "no voxels or no samples"),
        (GOOD, {"boundary": "dirichlet"}, "'dirichlet' is unknown"),
        (GOOD, {"boundary": "uniaxial"}, "boundary 'uniaxial'"),
        (GOOD, {"tol": 2}, "tol is 2"),
        (GOOD, {"max_iterations": 0}, "max_iterations is 0"),
        (GOOD, {"initial": GOOD}, "initial has shape.*temperature"),
    ],
)
def test_bad_input_is_explained(k, options, message):
    with pytest.raises(ValueError, match=message):
        effective_conductivity(k, **options)


def test_a_field_too_large_for_memory_is_refused_before_the_work(monkeypatch):
    monkeypatch.setattr(checks, "available_memory", lambda device: 1000)
    with pytest.raises(ValueError, match=r"GiB on cpu.*coarser grid"):
        effective_conductivity(GOOD)
