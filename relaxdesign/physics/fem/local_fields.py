"""Local strain, stress and displacement in voxel cells under a macroscopic strain or stress.

The displacement is u(x) = E x + ũ(x) with the fluctuation ũ of the boundary condition. In one voxel the mean of
the strain is the strain of the trilinear element at its centre, and as the voxel is of one material, its mean
stress is σ = λ tr ε + 2μ ε exactly. Hill's lemma (1963, doi:10.1016/0022-5096(63)90036-X) then holds for the
discrete fields as well,

    ⟨σ⟩ = C E,    ⟨σ : ε⟩ = ⟨2w⟩ = E : C : E,

with C the effective stiffness on the same grid; the energy density w includes the variation of the strain inside
each voxel. Loads are unit strains unless scaled: everything is linear.

The load case of boundary "uniaxial" prescribes u_z = z on the surface alone; its fields are those of strain "zz",
and what is called fluctuation above contains the mean contraction along x and y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from relaxdesign.physics.fem.boundary import Boundary, cell_operator, resolve_boundary
from relaxdesign.physics.fem.checks import STIFFNESS_FIELDS, WORKING_FIELDS, check_memory, check_moduli
from relaxdesign.physics.fem.elements import VOIGT
from relaxdesign.physics.fem.expansion import ThermalResult
from relaxdesign.physics.fem.load_cases import HYDROSTATIC, solve_load
from relaxdesign.physics.fem.moduli import lame_from_bulk_shear
from relaxdesign.physics.fem.operator import VoxelOperator, coupled_components
from relaxdesign.physics.fem.outcome import (
    MAX_ITERATIONS,
    Outcome,
    check_options,
    checked_status,
    converged_mask,
    replace_invalid,
)
from relaxdesign.physics.fem.stiffness import StiffnessResult, effective_stiffness
from relaxdesign.physics.fem.threads import threads_for

LOADS = {"hydrostatic": HYDROSTATIC} | {
    "xyz"[i] + "xyz"[j]: tuple(float(case == other) for other in range(6)) for case, (i, j) in enumerate(VOIGT)
}
"""Unit loads by name: hydrostatic, xx, yy, zz, yz, xz, xy, as Voigt vectors."""

Load = str | Sequence[float] | Tensor


@dataclass(frozen=True, kw_only=True)
class LocalFields(Outcome):
    """Fields in a batch of cells under one macroscopic load each; NaN where the solve failed.

    Voigt order is xx, yy, zz, yz, xz, xy, strain with engineering shear. Voxel values are means over the voxel.
    """

    displacement: Tensor
    """Total displacement E x + ũ at the nodes in voxel edges, (batch, 3, nx + 1, ny + 1, nz + 1)."""
    strain: Tensor
    """(batch, 6, nx, ny, nz)."""
    stress: Tensor
    """GPa, (batch, 6, nx, ny, nz)."""
    energy: Tensor
    """Elastic energy density w in GPa (1 GPa = 1 kJ/cm³), (batch, nx, ny, nz)."""

    @property
    def von_mises(self) -> Tensor:
        """Von Mises stress √(3/2 s:s) in GPa, s the stress deviator, (batch, nx, ny, nz)."""
        xx, yy, zz, *shears = self.stress.unbind(1)
        normal = (xx - yy).square() + (yy - zz).square() + (zz - xx).square()
        return (0.5 * normal + 3.0 * sum(shear.square() for shear in shears)).sqrt()

    @property
    def principal(self) -> Tensor:
        """Principal stresses in GPa, ascending, positive in tension, (batch, 3, nx, ny, nz)."""
        xx, yy, zz, yz, xz, xy = self.stress.unbind(1)
        tensor = torch.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], -1).unflatten(-1, (3, 3))
        known = torch.isfinite(xx)[:, None]
        return torch.linalg.eigvalsh(tensor.nan_to_num(0.0)).movedim(-1, 1).where(known, torch.nan)

    @property
    def pressure(self) -> Tensor:
        """Hydrostatic pressure -tr(σ)/3 in GPa, positive in compression, (batch, nx, ny, nz)."""
        return -self.stress[:, :3].mean(1)

    @property
    def macroscopic_strain(self) -> Tensor:
        """Volume average of the strain, (batch, 6): E, but for the uniaxial load case."""
        return self.strain.flatten(2).mean(2)

    @property
    def macroscopic_stress(self) -> Tensor:
        """Volume average of the stress in GPa, (batch, 6)."""
        return self.stress.flatten(2).mean(2)


@torch.no_grad()
def local_fields(
    K: Tensor,
    G: Tensor,
    strain: Load,
    *,
    boundary: str | Boundary = Boundary.PERIODIC,
    tol: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    raise_on_failure: bool = True,
) -> LocalFields:
    """Displacement, strain, stress and energy density of cells under a macroscopic strain, from one solve.

    Args:
        K, G: bulk and shear modulus of every voxel in GPa, (batch, nx, ny, nz), as in `bulk_modulus`.
        strain: macroscopic strain, (6,) or (batch, 6) in Voigt order with engineering shear, or the name of a
            unit strain: "hydrostatic" (ε_xx = ε_yy = ε_zz = 1), "xx", "yy", "zz", "yz", "xz", "xy".
        boundary: boundary condition of the cell; "uniaxial" takes the strain "zz" and multiples of it.
        tol, max_iterations: as in `bulk_modulus`. The mean stress is exact up to the residual.
        raise_on_failure: if False, samples that fail are NaN and the others are returned as usual.

    Raises:
        ValueError: a field or the load is malformed, or a field is invalid or too large.
        ConvergenceError: a sample did not reach the tolerance.
    """
    boundary = resolve_boundary(boundary)
    tol = check_options(tol, max_iterations, K=K, G=G)
    macro = _voigt(strain, "strain", K)
    if boundary is Boundary.UNIAXIAL and bool((macro[:, [0, 1, 3, 4, 5]] != 0).any()):
        raise ValueError(f"boundary '{boundary}' is one load case: strain must be 'zz' or a multiple of it")
    check_memory(K, working_fields=WORKING_FIELDS + STIFFNESS_FIELDS)
    valid = check_moduli(K=K, G=G, allow_invalid=not raise_on_failure)
    lam, mu = lame_from_bulk_shear(replace_invalid(K, valid), replace_invalid(G, valid))
    operator = cell_operator(boundary, (lam, mu), _coupled(tuple(K.shape[1:]), macro))
    with threads_for(K.numel()):
        solution = solve_load(operator, macro, tol=tol, max_iterations=max_iterations)
    iterations, residual = solution.iterations, solution.residual
    status = checked_status([solution.status], valid, iterations, residual, raise_on_failure)
    fields = _fields(operator, solution.displacement, macro, converged_mask(status, K.device))
    return LocalFields(**fields, iterations=iterations, residual=residual, status=status, boundary=boundary, tol=tol)


@torch.no_grad()
def local_fields_under_stress(
    K: Tensor,
    G: Tensor,
    stress: Load,
    *,
    boundary: str | Boundary = Boundary.PERIODIC,
    tol: float | None = None,
    max_iterations: int = MAX_ITERATIONS,
    raise_on_failure: bool = True,
) -> LocalFields:
    """As `local_fields`, for a macroscopic stress in GPa, (6,), (batch, 6) or the name of a unit stress.

    The six unit strains of the effective stiffness C are solved; with E = C⁻¹ Σ the fields are their
    superposition. ``iterations`` is the sum over the six cases and ``residual`` the largest.
    """
    check_options(tol, max_iterations, K=K, G=G)
    macro_stress = _voigt(stress, "stress", K)
    result = effective_stiffness(
        K, G, boundary=boundary, tol=tol, max_iterations=max_iterations, raise_on_failure=raise_on_failure
    )
    identity = torch.eye(6, dtype=K.dtype, device=K.device)
    C = torch.where(result.converged[:, None, None], result.C, identity)
    macro = torch.linalg.solve(C, macro_stress)
    valid = torch.isfinite(result.C).flatten(1).all(1)
    moduli = lame_from_bulk_shear(replace_invalid(K, valid), replace_invalid(G, valid))
    operator = cell_operator(result.boundary, moduli)
    fluctuation = operator.restrict(torch.einsum("na,na...->n...", macro, result.displacement))
    fields = _fields(operator, fluctuation, macro, result.converged)
    return LocalFields(
        **fields,
        iterations=result.iterations.sum(1),
        residual=result.residual.amax(1),
        status=result.status,
        boundary=result.boundary,
        tol=result.tol,
    )


@torch.no_grad()
def heated_fields(
    stiffness: StiffnessResult, thermal: ThermalResult, K: Tensor, G: Tensor, expansion: Tensor
) -> LocalFields:
    """Fields in cells that are heated by one kelvin and free to expand, from their solves; no further one is needed.

    With the unit 1e-6/K of the expansion, strains are in 1e-6/K and stresses in 1e-6 GPa/K = kPa/K. The macroscopic
    strain is the effective expansion, the macroscopic stress zero.
    """
    good = stiffness.converged & thermal.converged
    identity = torch.eye(6, dtype=K.dtype, device=K.device)
    C = torch.where(good[:, None, None], stiffness.C.detach(), identity)
    free = torch.linalg.solve(C, torch.where(good[:, None], thermal.held.detach(), 0.0))
    valid = torch.isfinite(stiffness.C).flatten(1).all(1)
    K, G, expansion = (replace_invalid(field, valid) for field in (K, G, expansion))
    operator = cell_operator(stiffness.boundary, lame_from_bulk_shear(K, G))
    fluctuation = torch.einsum("na,na...->n...", free, stiffness.displacement) + thermal.displacement
    fields = _fields(operator, operator.restrict(fluctuation), free, good)
    swelling = 3.0 * K * expansion
    volume = fields["strain"][:, :3].sum(1)
    fields["stress"][:, :3] -= swelling[:, None]
    fields["energy"] += swelling * (1.5 * expansion - volume)
    return LocalFields(
        **fields,
        iterations=thermal.iterations,
        residual=thermal.residual,
        status=thermal.status,
        boundary=stiffness.boundary,
        tol=stiffness.tol,
    )


def _coupled(shape: tuple[int, ...], macro: Tensor) -> tuple[int, ...]:
    """Displacement components that any of the macroscopic strains excites."""
    loaded = [case for case in range(6) if bool((macro[:, case] != 0).any())]
    return tuple(sorted({component for case in loaded or [0] for component in coupled_components(shape, case)}))


def _voigt(load: Load, what: str, K: Tensor) -> Tensor:
    """The load as a tensor (batch, 6) like K, or ValueError saying what was expected."""
    if isinstance(load, str):
        if load not in LOADS:
            raise ValueError(f"{what} {load!r} is unknown; named loads are {', '.join(LOADS)}")
        load = LOADS[load]
    values = torch.as_tensor(load, dtype=K.dtype, device=K.device)
    if tuple(values.shape) not in ((6,), (len(K), 6)):
        raise ValueError(
            f"{what} has shape {tuple(values.shape)}, expected (6,) or {(len(K), 6)}: Voigt components "
            "xx, yy, zz, yz, xz, xy"
        )
    if not torch.isfinite(values).all():
        raise ValueError(f"{what} is {values.tolist()}; every component must be finite")
    return values.expand(len(K), 6)


def _fields(operator: VoxelOperator, fluctuation: Tensor, macro: Tensor, good: Tensor) -> dict[str, Tensor]:
    """Displacement, strain, stress and energy density by name; NaN in samples that are not ``good``."""
    lam, mu = (modulus.reshape(-1, *operator.shape) for modulus in operator.moduli)
    by_lambda, by_mu = operator.mutual_energies(fluctuation, macro, fluctuation, macro)
    nodal = _all_nodes(operator.expand(fluctuation), operator.shape)
    gradient = mean_gradient(nodal)
    strain = torch.stack(
        [gradient[:, i, i] if i == j else gradient[:, i, j] + gradient[:, j, i] for i, j in VOIGT], dim=1
    )
    strain += _column(macro)
    stress = mu[:, None] * strain
    stress[:, :3] += mu[:, None] * strain[:, :3] + (lam * strain[:, :3].sum(1))[:, None]
    displacement = nodal + affine_displacement(macro, nodal.shape[2:])
    energy = 0.5 * (lam * by_lambda + mu * by_mu)

    fields = {"displacement": displacement, "strain": strain, "stress": stress, "energy": energy}
    return {
        name: torch.where(good.reshape(-1, *(1,) * (field.ndim - 1)), field, torch.nan)
        for name, field in fields.items()
    }


def _column(macro: Tensor) -> Tensor:
    return macro[:, :, None, None, None]


def _all_nodes(field: Tensor, voxels: Sequence[int]) -> Tensor:
    """Append the first layer of nodes again behind the last one where a periodic field leaves it out."""
    for axis, count in enumerate(voxels, start=2):
        if field.shape[axis] == count:
            field = torch.cat([field, field.narrow(axis, 0, 1)], dim=axis)
    return field


def mean_gradient(nodal: Tensor) -> Tensor:
    """Mean gradient ∂u_i/∂x_j over each voxel (batch, components, 3, nx, ny, nz) of a trilinear nodal field.

    Difference along j, mean along the other two axes: the value at the centre of the voxel.
    """
    columns = []
    for along in range(3):
        field = nodal
        for axis in range(3):
            count = field.shape[2 + axis] - 1
            lower, upper = field.narrow(2 + axis, 0, count), field.narrow(2 + axis, 1, count)
            field = upper - lower if axis == along else 0.5 * (lower + upper)
        columns.append(field)
    return torch.stack(columns, dim=2)


def affine_displacement(macro: Tensor, nodes: Sequence[int]) -> Tensor:
    """E x at the nodes of the grid, (batch, 3, *nodes), in voxel edges; x = 0 at the first node."""
    displacement = macro.new_zeros(len(macro), 3, *nodes)
    for case, (i, j) in enumerate(VOIGT):
        for component, axis in {(i, j), (j, i)}:
            shape = [1] * 3
            shape[axis] = -1
            position = torch.arange(nodes[axis], dtype=macro.dtype, device=macro.device).reshape(shape)
            share = macro[:, case] if i == j else 0.5 * macro[:, case]  # engineering shear γ = 2ε
            displacement[:, component] += share[:, None, None, None] * position
    return displacement
