"""Boundary conditions other than periodic: kinematic uniform (kubc), and the uniaxial load case for comparison."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.verification.cells import CERAMIC, EPOXY, available_boundaries, balls, random_moduli, two_phase
from benchmarks.verification.model import Study, at_most, table, within
from relaxdesign.physics.bounds import field_bounds
from relaxdesign.physics.fem import Boundary, bulk_modulus, bulk_shear_from_young_poisson, local_fields

YOUNG, POISSON, EXPECTED = 70.0, 0.33, 68.627
"""A homogeneous slab and its bulk modulus in GPa."""


def uniaxial(size: int = 16) -> Study:
    """Uniaxial load case and kubc

    `uniaxial` is the load case of published runs of the method that this project follows: u_z = z on every surface
    node, u_x and u_y free, K = tr⟨σ⟩ / (3 tr⟨ε⟩). It is kept for comparison. A homogeneous slab of 16×16×1 voxels
    with E = 70 GPa and ν = 0.33 must give K = E / (3 (1 − 2ν)) = 68.627 GPa, and in any cell the mean lateral
    stresses must vanish. In a slab every node lies on the surface, so that ε_zz is uniform and fibres and matrix are
    stretched alike; with different Poisson's ratios the quotient leaves the bounds. It is no effective modulus.

    `kubc` prescribes linear displacements on the whole surface. Its K* is an upper estimate of the periodic one,
    because it minimises the same energy over fewer displacements, and below Voigt's, because uniform strain is among
    them:

        K*(periodic) ≤ K*(kubc) ≤ ⟨K⟩

    A larger piece of the same material brings kubc down to periodic (Huet 1990,
    [doi:10.1016/0022-5096(90)90041-2](https://doi.org/10.1016/0022-5096(90)90041-2)).
    """
    reasons = available_boundaries()
    notes = tuple(f"`{b}` is not available: {reason}." for b, reason in reasons.items() if reason)
    checks, rows = [], []
    if not reasons[Boundary.UNIAXIAL]:
        K, G = bulk_shear_from_young_poisson(YOUNG, POISSON)
        ones = torch.ones(1, size, size, 1, dtype=torch.float64)
        value = bulk_modulus(K * ones, G * ones, boundary=Boundary.UNIAXIAL).value.item()
        checks.append(within("uniaxial, homogeneous slab: K in GPa", value, EXPECTED - 5e-4, EXPECTED + 5e-4))
        fields = [local_fields(K, G, "zz", boundary=Boundary.UNIAXIAL, tol=1e-10) for K, G in _cells(size).values()]
        means = [f.stress[0].flatten(1).mean(1) for f in fields]
        lateral = max((mean[:2].abs().max() / mean[2]).item() for mean in means)
        checks.append(at_most("uniaxial: mean lateral stress over mean axial stress", lateral, 1e-8))
    available = [boundary for boundary, reason in reasons.items() if not reason]
    ratios = []
    for name, (K, G) in _cells(size).items():
        found = {b: bulk_modulus(K, G, boundary=b, tol=1e-8).value.item() for b in available}
        bounds = field_bounds(K[0].numpy(), G[0].numpy())
        rows.append((name, float(bounds.reuss), *(found.get(b) for b in Boundary), float(bounds.voigt)))
        if Boundary.KUBC in found:
            ratios.append((found[Boundary.PERIODIC] / found[Boundary.KUBC], found[Boundary.KUBC] / float(bounds.voigt)))
    if ratios:
        checks += [
            at_most("largest K*_periodic / K*_kubc", max(r[0] for r in ratios), 1.0 + 1e-9),
            at_most("largest K*_kubc / Voigt", max(r[1] for r in ratios), 1.0 + 1e-9),
        ]
    columns = {"cell": "{}", "Reuss": "{:.3f}", **{f"K* {b}": "{:.3f}" for b in Boundary}, "Voigt": "{:.3f}"}
    tables = (table("Bulk modulus in GPa", columns, rows),) if len(available) > 1 else ()
    return Study(tuple(checks), tables, notes=notes)


def _cells(size: int) -> dict[str, tuple[Tensor, Tensor]]:
    soft, stiff = bulk_shear_from_young_poisson(3.0, 0.4), bulk_shear_from_young_poisson(400.0, 0.2)
    half = size // 2
    ball = two_phase(balls(half, 3, 0.3 * half, 1), EPOXY, CERAMIC)
    return {
        f"disc, E 3 / 400, ν 0.4 / 0.2, {size}×{size}×1": two_phase(balls(size, 2, 0.3 * size, 1), soft, stiff),
        f"ceramic ball in epoxy, {half}³": ball,
        f"the same, 2×2×2 times, {size}³": (ball[0].repeat(1, 2, 2, 2), ball[1].repeat(1, 2, 2, 2)),
        f"random voxels, {half}³": random_moduli((half, half, half), 11),
    }
