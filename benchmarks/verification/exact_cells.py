"""Cells whose answer is known in closed form: homogeneous, laminate, fibres, equal shear moduli."""

from __future__ import annotations

import torch

from benchmarks.verification.cells import available_boundaries, isotropic_stiffness, two_phase
from benchmarks.verification.exact import backus, hill_equal_shear
from benchmarks.verification.fits import fit_order, richardson
from benchmarks.verification.model import Study, at_most, table, within
from relaxdesign.physics.fem import (
    Boundary,
    bulk_modulus,
    bulk_shear_from_young_poisson,
    effective_stiffness,
    gradient_young_poisson,
)


def homogeneous(shapes: tuple[tuple[int, int, int], ...] = ((4, 4, 4), (3, 5, 2), (16, 16, 1), (1, 1, 1))) -> Study:
    """Homogeneous cell

    A cell of one material (E = 70 GPa, ν = 0.33) has the stiffness of that material under every boundary condition,
    on every grid. All voxels weigh the same, so under periodic and kubc conditions

        ∂K*/∂E_e = K / (E N),    ∂K*/∂ν_e = 2 K / ((1 − 2ν) N)

    for each of the N voxels. Grids of 4×4×4, 3×5×2, 16×16×1 and 1×1×1 voxels.
    """
    E, nu = 70.0, 0.33
    K, G = bulk_shear_from_young_poisson(E, nu)
    rows, notes = [], []
    for boundary, reason in available_boundaries().items():
        if reason:
            notes.append(f"`{boundary}` is not available: {reason}.")
            continue
        by_value, by_gradient, by_stiffness = [], [], []
        for shape in shapes:
            if boundary is not Boundary.PERIODIC and max(shape) == 1:
                continue
            ones = torch.ones(1, *shape, dtype=torch.float64)
            result = bulk_modulus(K * ones, G * ones, boundary=boundary)
            by_value.append(abs(result.value.item() / K - 1.0))
            slopes = gradient_young_poisson(result.gradient_bulk, result.gradient_shear, E * ones, nu * ones)
            exact = (K / (E * ones.numel()), 2.0 * K / ((1.0 - 2.0 * nu) * ones.numel()))
            by_gradient += [(s / e - 1.0).abs().max().item() for s, e in zip(slopes, exact, strict=True)]
            if boundary is not Boundary.UNIAXIAL:
                C = effective_stiffness(K * ones, G * ones, boundary=boundary).C[0]
                by_stiffness.append((C - isotropic_stiffness(K, G)).abs().max().item() / K)
        uniform = boundary is not Boundary.UNIAXIAL
        rows.append(
            (
                str(boundary),
                max(by_value),
                max(by_stiffness) if uniform else None,
                max(by_gradient) if uniform else None,
            )
        )
    columns = {"boundary": "{}", "K*": "{:.1e}", "C*": "{:.1e}", "∂K*/∂E, ∂K*/∂ν": "{:.1e}"}
    worst = max(number for row in rows for number in row[1:] if isinstance(number, float))
    return Study(
        (at_most("largest relative error of K, C and gradients", worst, 1e-10),),
        (table("Largest relative errors over the grids", columns, rows),),
        notes=tuple(notes),
    )


def laminate(layers: int = 8, contrasts: tuple[float, ...] = (10.0, 1e3, 1e5), seed: int = 1) -> Study:
    """Laminate

    Layers with random K and G, one voxel thick, normal to each axis in turn. Trilinear elements contain the exact
    solution, so that nothing but the tolerance of the solver (1e-11) separates the result from Backus (1962,
    [doi:10.1029/JZ067i011p04427](https://doi.org/10.1029/JZ067i011p04427)); for layers normal to z

        C33 = ⟨1/(λ+2μ)⟩⁻¹          C13 = ⟨λ/(λ+2μ)⟩ C33          C44 = ⟨1/μ⟩⁻¹          C66 = ⟨μ⟩
        C11 = ⟨4μ(λ+μ)/(λ+2μ)⟩ + ⟨λ/(λ+2μ)⟩² C33                 C12 = C11 − 2 C66
    """
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for contrast in contrasts:
        K, G = (contrast ** torch.rand(layers, generator=generator, dtype=torch.float64) for _ in "KG")
        for axis, name in enumerate("xyz"):
            sizes = [layers if a == axis else 1 for a in range(3)]
            shape = [layers if a == axis else 3 for a in range(3)]
            shape[2] = shape[2] if axis == 2 else 1  # layers normal to x and y: 2D cells
            fields = (m.reshape(1, *sizes).expand(1, *shape).contiguous() for m in (K, G))
            result = effective_stiffness(*fields, tol=1e-11)
            exact = backus(K, G, axis)
            error = ((result.C[0] - exact).abs().max() / exact.abs().max()).item()
            softest = 3 + (axis + 1) % 3
            rows.append(
                (contrast, name, "×".join(map(str, shape)), error,
                 abs(result.C[0, softest, softest].item() / exact[softest, softest].item() - 1.0))
            )  # fmt: skip
    columns = {"contrast": "{:g}", "normal": "{}", "grid": "{}", "all of C": "{:.1e}", "softest shear": "{:.1e}"}
    return Study(
        (
            at_most("largest error of C, relative to its largest entry", max(row[3] for row in rows), 1e-9),
            at_most("largest relative error of the softest shear modulus", max(row[4] for row in rows), 1e-9),
        ),
        (table("Errors relative to the closed form", columns, rows),),
    )


def fibres(sizes: tuple[int, ...] = (8, 16, 32), contrast: float = 100.0, seed: int = 2) -> Study:
    """Two-phase fibres of any cross-section (Hill 1964)

    A 2D cell is a bundle of parallel fibres in three-dimensional elasticity. For two phases the in-plane bulk modulus
    k = (C11+C22+2C12)/4, the coupling l = (C13+C23)/2 and the axial modulus n = C33 are tied to each other, whatever
    the cross-section (Hill 1964, [doi:10.1016/0022-5096(64)90019-5](https://doi.org/10.1016/0022-5096(64)90019-5)):

        (k* − k₁) / (l* − l₁) = (l* − ⟨l⟩) / (n* − ⟨n⟩) = (k₁ − k₂) / (l₁ − l₂)

    The proof uses uniform fields only, which finite elements contain: it holds on every grid, to the tolerance of
    the solver. Random voxels, particle share 0.4; it is the test that "2D" means what this project says it means.
    """
    matrix, particle = (2.5, 1.2), (2.5 * contrast, 0.4 * contrast)
    (k1, l1, n1), (k2, l2, n2) = ((K + G / 3.0, K - 2.0 * G / 3.0, K + 4.0 * G / 3.0) for K, G in (matrix, particle))
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for size in sizes:
        mask = torch.rand(1, size, size, 1, generator=generator, dtype=torch.float64) < 0.4
        share = mask.double().mean().item()
        C = effective_stiffness(*two_phase(mask, matrix, particle), tol=1e-11).C[0]
        k, coupling, n = (C[0, 0] + C[1, 1] + 2 * C[0, 1]) / 4, (C[0, 2] + C[1, 2]) / 2, C[2, 2]
        ratio = (k1 - k2) / (l1 - l2)
        mean_l, mean_n = l1 + share * (l2 - l1), n1 + share * (n2 - n1)
        first = ((k - k1) / (coupling - l1) / ratio - 1.0).item()
        second = ((coupling - mean_l) / (n - mean_n) / ratio - 1.0).item()
        rows.append((f"{size}²", share, k.item(), coupling.item(), n.item(), abs(first), abs(second)))
    columns = {
        "grid": "{}", "share": "{:.3f}", "k*": "{:.4f}", "l*": "{:.4f}", "n*": "{:.4f}",
        "error of first ratio": "{:.1e}", "error of second": "{:.1e}",
    }  # fmt: skip
    return Study(
        (at_most("largest relative error of the two ratios", max(max(row[5:]) for row in rows), 1e-8),),
        (table(f"Random fibres, contrast {contrast:g}; GPa", columns, rows),),
    )


def equal_shear(repeats: tuple[int, ...] = (2, 4, 8, 16, 32), seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
    """Equal shear moduli (Hill 1963)

    If all phases have the same G, the bulk modulus does not depend on the geometry (Hill 1963,
    [doi:10.1016/0022-5096(63)90036-X](https://doi.org/10.1016/0022-5096(63)90036-X)):

        1 / (K* + 4G/3) = ⟨ 1 / (K + 4G/3) ⟩

    Cells of 2×2×2 blocks, half of them K = 200, half K = 20 GPa in random order, G = 30 GPa. Each block is divided
    into r³ voxels; geometry is exact on every grid, what converges is the displacement alone. Its gradient is
    singular at the edges of the blocks, which costs the elements part of their order 2.
    """
    G = 30.0
    sizes = [2 * repeat for repeat in repeats]
    errors = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        blocks = 20.0 + 180.0 * (torch.randperm(8, generator=generator).reshape(2, 2, 2) < 4).double()
        exact = hill_equal_shear(blocks, G)
        row = []
        for repeat in repeats:
            K = blocks
            for axis in range(3):
                K = K.repeat_interleave(repeat, axis)
            row.append(bulk_modulus(K[None], torch.full_like(K, G)[None], tol=1e-7).value.item() / exact - 1.0)
        errors.append(row)
    rows, orders, limits = [], [], []
    for seed, row in zip(seeds, errors, strict=True):
        limit, order = richardson(*row[-3:])
        orders.append(fit_order(sizes[1:], row[1:]).order if len(sizes) > 4 else order)
        limits.append(limit)
        rows.append((seed, *(100 * e for e in row), orders[-1], 100 * limit))
    columns = {"cell": "{}", **{f"{n}³": "{:.3f} %" for n in sizes}, "order": "{:.2f}", "extrapolated": "{:.3f} %"}
    return Study(
        (
            at_most("largest error after Richardson extrapolation", max(map(abs, limits)), 5e-3, "%"),
            within("smallest observed order", min(orders), 1.2, 2.2),
            within("largest observed order", max(orders), 1.2, 2.2),
        ),
        (table("Relative error of K* against Hill's formula", columns, rows),),
        {"sizes": sizes, "errors": errors, "seeds": list(seeds), "orders": orders},
    )
