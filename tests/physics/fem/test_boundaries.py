"""Linear displacement on the surface (kubc) and the uniaxial case: what they must give, and how they converge."""

import itertools

import pytest
import torch

from relaxdesign.physics.bounds import field_bounds
from relaxdesign.physics.fem import (
    Boundary,
    ConvergenceError,
    SolveStatus,
    bulk_modulus,
    bulk_shear_from_young_poisson,
    check_gradient,
    checks,
    effective_bulk_modulus,
    effective_stiffness,
)
from relaxdesign.physics.fem.boundary import cell_operator
from relaxdesign.physics.fem.fast_diagonalisation import FastDiagonalisation, cosine_vectors, sine_vectors
from relaxdesign.physics.fem.gradients import CHANNELS
from relaxdesign.physics.fem.load_cases import UNIAXIAL
from relaxdesign.physics.fem.moduli import lame_from_bulk_shear

from .cells import ball, isotropic_stiffness, random_moduli, two_phase

SHAPES = [(4, 5, 3), (6, 5, 1)]
SURFACE = ["kubc", "uniaxial"]


def refined(mask, factor):
    """The same geometry on a finer grid; axes of one voxel stay."""
    for axis in range(1, 4):
        if mask.shape[axis] > 1:
            mask = mask.repeat_interleave(factor, axis)
    return mask


# Known answers


@pytest.mark.parametrize("boundary", list(Boundary))
@pytest.mark.parametrize("shape", [(4, 4, 4), (3, 5, 2), (16, 16, 1), (1, 4, 3), (1, 1, 1)])
def test_homogeneous_cell_returns_its_material(shape, boundary):
    K, G = bulk_shear_from_young_poisson(70.0, 0.33)
    assert pytest.approx(68.627, abs=5e-4) == K
    ones = torch.ones(1, *shape, dtype=torch.float64)
    result = bulk_modulus(K * ones, G * ones, boundary=boundary, tol=1e-12)
    assert result.value.item() == pytest.approx(K, abs=1e-10)
    share = ones / ones.numel()
    torch.testing.assert_close(result.gradient_bulk, share, rtol=1e-10, atol=0)
    torch.testing.assert_close(result.gradient_shear, 0.0 * share, rtol=0, atol=1e-10)
    if boundary is not Boundary.UNIAXIAL:
        C = effective_stiffness(K * ones, G * ones, boundary=boundary).C[0]
        torch.testing.assert_close(C, isotropic_stiffness(K, G), rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [(16, 16, 1), (5, 4, 6), (1, 4, 5)])
def test_uniaxial_stress_averages_vanish_sideways(shape, generator):
    """Free sides: ⟨σ_xx⟩ = ⟨σ_yy⟩ = ⟨σ_xy⟩ = 0 in any cell, and ⟨σ_zz⟩ is what K is made of."""
    K, G = random_moduli((1, *shape), generator)
    result = bulk_modulus(K, G, boundary="uniaxial", tol=1e-11)
    operator = cell_operator(Boundary.UNIAXIAL, lame_from_bulk_shear(K, G))
    strain = torch.tensor(UNIAXIAL, dtype=torch.float64)
    u = operator.restrict(result.displacement)
    stress = operator.forces(u, strain)[1][0] / operator.voxels
    torch.testing.assert_close(stress[[0, 1, 5]], torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9 * stress[2])
    trace = operator.mutual_energies(u, strain, torch.zeros_like(u), strain)[0].mean()
    assert (stress[2] / (3.0 * trace)).item() == pytest.approx(result.value.item(), rel=1e-9)


@pytest.mark.parametrize("depth", [1, 4])
def test_uniaxial_case_of_columns_with_one_poisson_ratio_gives_voigt(depth, generator):
    """All columns stretch and slim alike, so the strain is uniform: K = ⟨K⟩."""
    young = 1.0 + 99.0 * torch.rand(1, 6, 5, 1, generator=generator, dtype=torch.float64)
    K, G = bulk_shear_from_young_poisson(young, torch.full_like(young, 0.3))
    fields = (m.expand(-1, -1, -1, depth).contiguous() for m in (K, G))
    result = bulk_modulus(*fields, boundary="uniaxial", tol=1e-12)
    assert result.value.item() == pytest.approx(K.mean().item(), rel=1e-10)


# Order


@pytest.mark.parametrize("shape", [(6, 6, 6), (8, 7, 1)])
def test_voigt_kubc_periodic_reuss_are_in_order(shape, generator):
    """As quadratic forms: fewer admissible fluctuations, more energy."""
    K, G = random_moduli((1, *shape), generator)
    voigt = isotropic_stiffness(K.mean(), G.mean())
    reuss = isotropic_stiffness(1.0 / (1.0 / K).mean(), 1.0 / (1.0 / G).mean())
    kubc, periodic = (effective_stiffness(K, G, boundary=b, tol=1e-11).C[0] for b in ("kubc", "periodic"))
    assert torch.equal(kubc, kubc.mT)
    for upper, lower in ((voigt, kubc), (kubc, periodic), (periodic, reuss)):
        values = torch.linalg.eigvalsh(upper - lower)
        assert values[0] > -1e-9 and values[-1] > 0.1  # in 2D shear through the thickness may be equal


@pytest.mark.parametrize(("size", "dim"), [(16, 2), (8, 3)])
def test_kubc_falls_towards_periodic_as_the_cell_is_repeated(size, dim):
    """The size effect: the constraint of the surface weighs ever less."""
    K, G = two_phase(ball(size, 0.3, dim).roll((size // 2, size // 2), (1, 2)))  # particles across the surface
    periodic = bulk_modulus(K, G).value.item()
    repeats = [(n, n, n if dim == 3 else 1) for n in (1, 2, 3)]
    kubc = [bulk_modulus(*(m.repeat(1, *r) for m in (K, G)), boundary="kubc").value.item() for r in repeats]
    excess = [value - periodic for value in kubc]
    assert excess[0] > excess[1] > excess[2] > 0
    assert excess[2] < 0.5 * excess[0]


def test_uniaxial_leaves_the_bounds_where_periodic_and_kubc_keep_them():
    """16×16×1, one stiff inclusion, E 3/400 GPa: ε_zz is uniform and K comes out above Voigt's."""
    matrix, particle = bulk_shear_from_young_poisson(3.0, 0.35), bulk_shear_from_young_poisson(400.0, 0.2)
    K, G = two_phase(ball(16, 0.309, dim=2), matrix, particle)
    bounds = field_bounds(K, G)
    values = {boundary: bulk_modulus(K, G, boundary=boundary).value for boundary in Boundary}
    assert bounds.admits(values[Boundary.PERIODIC]).all() and bounds.admits(values[Boundary.KUBC]).all()
    assert values[Boundary.UNIAXIAL].item() > 1.3 * bounds.voigt.item()


# Consistency


@pytest.mark.parametrize("shape", [(5, 5, 5), (7, 6, 1)])
def test_kubc_bulk_modulus_is_the_average_of_its_stiffness(shape, generator):
    K, G = random_moduli((2, *shape), generator)
    stiffness = effective_stiffness(K, G, boundary="kubc", tol=1e-10)
    one_case = bulk_modulus(K, G, boundary="kubc", tol=1e-10)
    torch.testing.assert_close(stiffness.bulk, one_case.value, rtol=1e-12, atol=0)
    assert stiffness.boundary is one_case.boundary is Boundary.KUBC


@pytest.mark.parametrize("shape", [(5, 5, 5), (7, 7, 1)])
@pytest.mark.parametrize("boundary", SURFACE)
def test_mirroring_and_turning_about_z_changes_nothing(shape, boundary, generator):
    K, G = random_moduli((1, *shape), generator)
    value = bulk_modulus(K, G, boundary=boundary, tol=1e-11).value
    for change in (lambda m: m.flip(1), lambda m: m.flip(3), lambda m: torch.rot90(m, 1, (1, 2))):
        moved = bulk_modulus(*(change(m).contiguous() for m in (K, G)), boundary=boundary, tol=1e-11).value
        torch.testing.assert_close(moved, value, rtol=1e-10, atol=0)


def test_kubc_holds_a_2d_cell_in_its_plane_only(generator):
    """A thick cell is held on two faces more, so it is stiffer; they weigh less the thicker it is."""
    K, G = random_moduli((1, 6, 5, 1), generator)
    thin = bulk_modulus(K, G, boundary="kubc").value.item()
    excess = []
    for depth in (2, 4, 8):
        fields = (m.expand(-1, -1, -1, depth).contiguous() for m in (K, G))
        excess.append(bulk_modulus(*fields, boundary="kubc").value.item() - thin)
    assert excess[0] > excess[1] > excess[2] > 0


# Gradients


@pytest.mark.parametrize("boundary", SURFACE)
@pytest.mark.parametrize("shape", [*SHAPES, (1, 4, 3)])
def test_gradient_of_the_bulk_modulus_in_every_channel(shape, boundary, generator):
    result = check_gradient(*random_moduli((1, *shape), generator), boundary=boundary)
    assert set(result) == set(CHANNELS)
    for check in result.values():
        assert check.error < 1e-6, check


@pytest.mark.parametrize("shape", SHAPES)
def test_gradient_of_any_function_of_the_kubc_stiffness(shape, generator):
    weights = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    result = check_gradient(
        *random_moduli((1, *shape), generator),
        boundary="kubc",
        output=lambda result: (weights * result.C).sum((1, 2)) + result.directional_young[:, 0],
    )
    for check in result.values():
        assert check.error < 1e-6, check


@pytest.mark.parametrize("boundary", SURFACE)
def test_gradient_at_contrast_130(boundary):
    K, G = two_phase(ball(8, 0.3, dim=2).roll(4, 1))
    for check in check_gradient(K, G, boundary=boundary).values():
        assert check.error < 1e-6, check


@pytest.mark.parametrize("boundary", SURFACE)
@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 4, 4)])
def test_gradcheck(shape, boundary, generator):
    inputs = [m.requires_grad_() for m in random_moduli((1, *shape), generator)]

    def function(K, G):
        return effective_bulk_modulus(K, G, boundary=boundary, tol=1e-12)

    assert torch.autograd.gradcheck(function, inputs, eps=1e-4, atol=1e-8, rtol=1e-6, fast_mode=shape[2] > 1)


def test_gradcheck_kubc_stiffness(generator):
    inputs = [m.requires_grad_() for m in random_moduli((1, 4, 4, 4), generator)]

    def function(K, G):
        return effective_stiffness(K, G, boundary="kubc", tol=1e-12).C

    assert torch.autograd.gradcheck(function, inputs, eps=1e-4, atol=1e-8, rtol=1e-6, fast_mode=True)


@pytest.mark.parametrize("boundary", SURFACE)
def test_value_error_is_second_order_in_the_residual(boundary):
    """Kubc: an energy. Uniaxial: the adjoint corrects the value for what is out of balance."""
    K, G = two_phase(ball(16, 0.3, dim=2).roll(8, 1))
    exact = bulk_modulus(K, G, boundary=boundary, tol=1e-12).value.item()
    for tol in (1e-2, 1e-3, 1e-4):
        value = bulk_modulus(K, G, boundary=boundary, tol=tol).value.item()
        assert abs(value / exact - 1.0) < 100.0 * tol**2


# The iteration


def test_modes_diagonalise_a_line_of_voxels():
    """VᵀKV and VᵀMV are diagonal with κ and m, on the nodes of a line held or free at its ends."""
    size = 7
    stiffness, mass = torch.zeros(2, size + 1, size + 1, dtype=torch.float64)
    for n in range(size):
        stiffness[n : n + 2, n : n + 2] += torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
        mass[n : n + 2, n : n + 2] += torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64) / 6.0
    angle = torch.arange(size + 1, dtype=torch.float64) * torch.pi / size
    kappa, m = 2.0 - 2.0 * angle.cos(), (2.0 + angle.cos()) / 3.0
    for vectors, kept in ((sine_vectors(size), slice(1, size)), (cosine_vectors(size), slice(0, size + 1))):
        vectors = vectors[:, kept]
        for matrix, expected in ((stiffness, kappa), (mass, m)):
            torch.testing.assert_close(vectors.T @ matrix @ vectors, expected[kept].diag(), rtol=0, atol=1e-13)


def test_preconditioner_inverts_the_blocks_of_a_homogeneous_cell(generator):
    """Without coupling (one component at a time) it is the exact inverse, on the held and on the free grid."""
    ratio, shape = 1.7, (4, 5, 3)
    mu = torch.ones(1, *shape, dtype=torch.float64)
    for boundary, components in ((Boundary.KUBC, (0, 1, 2)), (Boundary.UNIAXIAL, (2,))):
        operator = cell_operator(boundary, (ratio * mu, mu))
        own = torch.eye(3, dtype=torch.float64)[None]
        inverse = FastDiagonalisation(
            operator.grid, operator.held, 1.0 + own, ratio * own, torch.float64, merged=operator.periodic
        )
        for component in components:
            u = operator.zeros()
            u[:, component] = torch.randn(u.shape[2:], generator=generator, dtype=torch.float64)
            u = operator.project(u)
            force = torch.zeros_like(u)
            force[:, component] = operator.apply(u)[:, component]
            torch.testing.assert_close(inverse.apply(force), u, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("boundary", SURFACE)
@pytest.mark.parametrize("dim", [2, 3])
def test_iterations_level_off_as_the_grid_is_refined(boundary, dim, generator):
    """One geometry of contrast 10 with both phases on the faces; unpreconditioned, every step would double them.

    Kubc: 41, 47, 49, 51 on 16² … 128² and 34, 44, 51, 54 on 8³ … 64³. Uniaxial, the adjoint included: 108, 121,
    126, 131 and 101, 117, 129, 139.
    """
    mask = torch.rand(1, 8, 8, 8 if dim == 3 else 1, generator=generator) < 0.4
    counts = []
    for factor in (2, 4, 8, 16) if dim == 2 else (1, 2, 4):
        K, G = two_phase(refined(mask, factor), (2.5, 1.2), (25.0, 12.0))
        counts.append(bulk_modulus(K, G, boundary=boundary).iterations.item())
    steps = [after - before for before, after in itertools.pairwise(counts)]
    assert all(later <= earlier for earlier, later in itertools.pairwise(steps))
    assert steps[-1] < 0.2 * counts[-2]


@pytest.mark.parametrize(("boundary", "limit"), [("kubc", 200), ("uniaxial", 450)])
@pytest.mark.parametrize("dim", [2, 3])
def test_nearly_incompressible_phase_converges(boundary, limit, dim, generator):
    """ν = 0.499 next to a phase of ten times the modulus: 113 and 170, 277 and 395 iterations in 2D and 3D."""
    mask = refined(torch.rand(1, 4, 4, 4 if dim == 3 else 1, generator=generator) < 0.4, 4)
    soft, hard = bulk_shear_from_young_poisson(1.0, 0.499), bulk_shear_from_young_poisson(10.0, 0.3)
    result = bulk_modulus(*two_phase(mask, soft, hard), boundary=boundary)
    assert result.status == (SolveStatus.CONVERGED,)
    assert result.iterations.item() < limit


@pytest.mark.parametrize("dim", [2, 3])
def test_kubc_at_contrast_1e5_converges_within_bounds(dim):
    """Carbide in an elastomer of ν = 0.4999, across the faces."""
    mask = ball(16 if dim == 2 else 8, 0.3, dim)
    K, G = two_phase(mask.roll(mask.shape[1] // 2, 1), (2.0, 0.0004), (350.0, 270.0))
    result = bulk_modulus(K, G, boundary="kubc")
    assert result.status == (SolveStatus.CONVERGED,)
    assert bulk_modulus(K, G).value.item() < result.value.item()
    assert field_bounds(K, G).admits(result.value).all()


@pytest.mark.parametrize("boundary", SURFACE)
def test_warm_start_saves_iterations_and_changes_nothing(boundary, generator):
    K, G = two_phase(ball(16, 0.3, dim=3).roll(8, 1))
    noise = 1.0 + 0.01 * torch.randn(K.shape, generator=generator, dtype=torch.float64)
    base, cold = (bulk_modulus(k, G, boundary=boundary) for k in (K, K * noise))
    nodes = 17 if boundary == "uniaxial" else 16
    assert tuple(base.displacement.shape) == (1, 3, nodes, nodes, nodes)
    warm = bulk_modulus(K * noise, G, boundary=boundary, initial=base.displacement)
    assert warm.iterations.item() < cold.iterations.item()
    assert warm.value.item() == pytest.approx(cold.value.item(), rel=1e-10)
    if boundary == "kubc":
        again = effective_stiffness(K, G, boundary=boundary, tol=1e-6)
        repeated = effective_stiffness(K, G, boundary=boundary, tol=1e-6, initial=again.displacement)
        assert (repeated.iterations == 0).all()


def test_kubc_may_start_from_a_periodic_solution():
    """The fields have one shape; what is not zero on the surface is dropped."""
    K, G = two_phase(ball(16, 0.3, dim=2))
    cold = bulk_modulus(K, G, boundary="kubc")
    warm = bulk_modulus(K, G, boundary="kubc", initial=bulk_modulus(K, G).displacement)
    assert warm.value.item() == pytest.approx(cold.value.item(), rel=1e-12)
    assert (warm.displacement[:, :, 0] == 0).all() and (warm.displacement[:, :, :, 0] == 0).all()


@pytest.mark.parametrize("boundary", SURFACE)
def test_a_batch_gives_what_its_samples_give(boundary, generator):
    K, G = random_moduli((3, 5, 4, 3), generator)
    K[1] *= torch.linspace(1.0, 100.0, 5, dtype=torch.float64)[:, None, None]  # a slower sample
    batch = bulk_modulus(K, G, boundary=boundary)
    for n in range(3):
        single = bulk_modulus(K[n : n + 1], G[n : n + 1], boundary=boundary)
        assert batch.value[n].item() == pytest.approx(single.value.item(), rel=1e-12)
        torch.testing.assert_close(batch.gradient_bulk[n], single.gradient_bulk[0], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("boundary", SURFACE)
def test_float32_agrees_with_float64(boundary):
    K, G = two_phase(ball(12, 0.3).roll(6, 1))
    exact, single = bulk_modulus(K, G, boundary=boundary), bulk_modulus(K.float(), G.float(), boundary=boundary)
    assert single.value.dtype == torch.float32
    assert single.value.item() == pytest.approx(exact.value.item(), rel=1e-5)
    for name in ("gradient_bulk", "gradient_shear"):
        expected = getattr(exact, name)
        assert (getattr(single, name).double() - expected).norm() < 5e-3 * expected.norm()


@pytest.mark.parametrize(("boundary", "cap"), [("kubc", 40), ("uniaxial", 150)])
def test_a_failing_sample_leaves_the_others_alone(boundary, cap, generator):
    K, G = random_moduli((4, 8, 8, 1), generator)
    good = bulk_modulus(K, G, boundary=boundary)
    K[1, 0, 0, 0] = torch.nan
    G[2] = 1e-3 * G[2] ** 6  # too hard for the cap
    options = {"boundary": boundary, "max_iterations": cap}
    with pytest.raises(ConvergenceError, match=f"sample 1 stopped after {cap} iterations.*max_iterations"):
        bulk_modulus(K[[0, 2]], G[[0, 2]], **options)
    result = bulk_modulus(K, G, raise_on_failure=False, **options)
    assert result.status == (
        SolveStatus.CONVERGED, SolveStatus.INVALID_FIELD, SolveStatus.MAX_ITERATIONS, SolveStatus.CONVERGED,
    )  # fmt: skip
    assert result.value.isnan().tolist() == [False, True, True, False]
    torch.testing.assert_close(result.value[[0, 3]], good.value[[0, 3]], rtol=1e-10, atol=0)
    for field in (result.gradient_bulk, result.gradient_shear, result.displacement):
        assert torch.isfinite(field).all()
        assert (field[[1, 2]] == 0).all()


@pytest.mark.parametrize("boundary", SURFACE)
def test_the_reported_residual_is_the_true_one(boundary, generator):
    K, G = random_moduli((2, 5, 4, 3), generator)
    result = bulk_modulus(K, G, boundary=boundary, tol=1e-6)
    operator = cell_operator(Boundary(boundary), lame_from_bulk_shear(K, G))
    strain = torch.tensor([1.0, 1.0, 1.0, 0, 0, 0] if boundary == "kubc" else UNIAXIAL, dtype=torch.float64)
    out_of_balance = operator.forces(operator.restrict(result.displacement), strain)[0].flatten(1).norm(dim=1)
    relative = out_of_balance / operator.load(strain).flatten(1).norm(dim=1)
    assert (relative <= result.residual * (1.0 + 1e-6)).all() and (result.residual <= 1e-6).all()


# Refusals


def test_one_load_case_defines_no_stiffness():
    ones = torch.ones(1, 4, 4, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"'uniaxial' is a single load case.*bulk_modulus.*'periodic' or 'kubc'"):
        effective_stiffness(ones, ones, boundary="uniaxial")
    with pytest.raises(ValueError, match="single load case"):
        check_gradient(ones, ones, boundary="uniaxial", output=lambda result: result.C[:, 0, 0])


def test_unknown_boundary_and_foreign_warm_start_are_explained():
    ones = torch.ones(1, 4, 4, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match="'free' is unknown; available: 'periodic', 'kubc', 'uniaxial'"):
        bulk_modulus(ones, ones, boundary="free")
    with pytest.raises(ValueError, match=r"expected \(1, 3, 5, 5, 3\).*same boundary"):
        bulk_modulus(ones, ones, boundary="uniaxial", initial=bulk_modulus(ones, ones).displacement)


@pytest.mark.parametrize("boundary", SURFACE)
def test_memory_is_checked_before_the_work(boundary, monkeypatch):
    ones = torch.ones(1, 4, 4, 4, dtype=torch.float64)
    monkeypatch.setattr(checks, "available_memory", lambda device: 1000)
    with pytest.raises(ValueError, match=r"GiB on cpu.*coarser grid"):
        bulk_modulus(ones, ones, boundary=boundary)
