"""What geometry and calculus demand: symmetry, rotation, translation, scaling, exact gradients."""

from __future__ import annotations

import torch

from benchmarks.verification.cells import (
    available_boundaries,
    quarter_turns,
    random_moduli,
    rotate_field,
    rotate_stiffness,
)
from benchmarks.verification.model import Study, at_most, table, within
from relaxdesign.physics.fem import bulk_modulus, check_gradient, effective_stiffness, local_fields


def symmetries(size: int = 8, seed: int = 3) -> Study:
    """Symmetry, rotation, translation, scaling

    A cell of random voxels (K and G independent, 1 to 50 GPa). C* must be symmetric and positive definite; turning
    the cell by any of the 24 rotations of a cube must turn C* with it, C*_ijkl = R_ia R_jb R_kc R_ld C*_abcd; moving
    a periodic cell by whole voxels must change nothing; multiplying all moduli by a number must multiply C*;
    repeating the cell 2×1×1 times must change nothing; stiffening any voxel must not soften the cell (∂K*/∂K_e ≥ 0),
    and as K* is homogeneous of degree one, Σ K_e ∂K*/∂K_e + G_e ∂K*/∂G_e = K* (Euler). Changes are relative to the
    largest entry of C*.
    """
    K, G = random_moduli((size, size, size), seed)
    reference = effective_stiffness(K, G, tol=1e-11).C[0]
    scale = reference.abs().max()

    def change(fields, expected=reference) -> float:
        return ((effective_stiffness(*fields, tol=1e-11).C[0] - expected).abs().max() / scale).item()

    turned = max(
        change((rotate_field(K, R), rotate_field(G, R)), rotate_stiffness(reference, R)) for R in quarter_turns()
    )
    moved = max(
        change([torch.roll(m, shift, (1, 2, 3)) for m in (K, G)]) for shift in ((1, 0, 0), (3, 1, 2), (0, 4, 5))
    )
    scaled = change((1e-3 * K, 1e-3 * G), 1e-3 * reference) * 1e3
    repeated = change([m.repeat(1, 2, 1, 1) for m in (K, G)])
    result = bulk_modulus(K, G, tol=1e-11)
    euler = (K * result.gradient_bulk + G * result.gradient_shear).sum().item() / result.value.item() - 1.0
    one_case = result.value.item() / (reference[:3, :3].sum().item() / 9.0) - 1.0
    checks = (
        at_most("C* − C*ᵀ", (reference - reference.T).abs().max().item(), 0.0),
        within("smallest eigenvalue of C*, GPa", torch.linalg.eigvalsh(reference).min().item(), 1e-3, 1e3),
        at_most("24 rotations", turned, 1e-9),
        at_most("translation by whole voxels", moved, 1e-9),
        at_most("all moduli × 10⁻³", scaled, 1e-9),
        at_most("cell repeated 2×1×1", repeated, 1e-9),
        at_most("K* of one hydrostatic case against the average of C*", one_case, 1e-9),
        at_most("Euler's sum of the gradient against K*", euler, 1e-9),
        within("smallest ∂K*/∂K_e × voxels", result.gradient_bulk.min().item() * size**3, 0.0, 1e3),
    )
    return Study(checks)


def gradients(
    shapes: tuple[tuple[int, int, int], ...] = ((4, 5, 3), (6, 5, 1)), voxels: int = 6, seed: int = 4
) -> Study:
    """Gradients

    Exact gradients of K* and of a random linear function of C* by K, G, E and ν of single voxels, against central
    differences of independently solved cells (float64, residual 1e-12, step 1e-4 relative): ‖exact − difference‖ /
    ‖difference‖ over {voxels} voxels. The exact gradient is that of the energy,

        ∂K*/∂p_e = (1/9V) ∫_e ε : ∂C/∂p_e : ε dV,

    with no adjoint problem under periodic and kubc conditions; the quotient of averages that the uniaxial load case
    defines needs one.
    """
    weights = torch.randn(6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    outputs = {"K": "bulk", "C": lambda result: (weights * result.C).sum((1, 2))}
    rows, notes = [], []
    for boundary, reason in available_boundaries().items():
        if reason:
            notes.append(f"`{boundary}` is not available: {reason}.")
            continue
        for shape in shapes:
            K, G = random_moduli(shape, seed)
            for name, output in outputs.items():
                try:
                    found = check_gradient(K, G, output=output, boundary=boundary, voxels=voxels, seed=seed)
                except (NotImplementedError, ValueError) as error:
                    notes.append(f"{name}* under `{boundary}` is not available: {error}.")
                    continue
                rows.append((str(boundary), "×".join(map(str, shape)), name + "*", *(c.error for c in found.values())))
    columns = {"boundary": "{}", "grid": "{}", "of": "{}", **{f"∂/∂{name}": "{:.1e}" for name in ("K", "G", "E", "ν")}}
    worst = max(max(row[3:]) for row in rows)
    return Study(
        (at_most("largest relative difference over all boundaries, cells and channels", worst, 1e-6),),
        (table("Relative difference between exact gradient and central differences", columns, rows),),
        notes=tuple(dict.fromkeys(notes)),
    )


def averages(size: int = 8, seed: int = 9) -> Study:
    """Averages of the local fields (Hill–Mandel)

    Under a macroscopic strain E the local fields must average to it, to the stress of the effective material and to its
    work (Hill 1963, [doi:10.1016/0022-5096(63)90036-X](https://doi.org/10.1016/0022-5096(63)90036-X)):

        ⟨ε⟩ = E,    ⟨σ⟩ = C* E,    ⟨σ : ε⟩ = ⟨σ⟩ : ⟨ε⟩ = E : C* : E

    Random voxels, random E, 3D and 2D.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for shape in ((size, size, size), (2 * size, size, 1)):
        K, G = random_moduli(shape, seed)
        macro = torch.randn(6, generator=generator, dtype=torch.float64)
        C = effective_stiffness(K, G, tol=1e-11).C[0]
        fields = local_fields(K, G, macro, tol=1e-11)
        strain, stress = (field[0].flatten(1).mean(1) for field in (fields.strain, fields.stress))
        work = 2.0 * fields.energy.mean()
        rows.append(
            (
                "×".join(map(str, shape)),
                ((strain - macro).norm() / macro.norm()).item(),
                ((stress - C @ macro).norm() / stress.norm()).item(),
                abs((work / (macro @ C @ macro) - 1.0).item()),
            )
        )
    columns = {"grid": "{}", "⟨ε⟩ − E": "{:.1e}", "⟨σ⟩ − C* E": "{:.1e}", "⟨σ:ε⟩ − E:C*:E": "{:.1e}"}
    return Study(
        (at_most("largest relative error", max(max(row[1:]) for row in rows), 1e-8),),
        (table("Relative errors of the averages", columns, rows),),
    )
