"""Nearly incompressible matrices: does the element lock, in K and in shear?"""

from __future__ import annotations

import numpy as np

from benchmarks.verification.cells import CARBIDE, block, two_phase
from benchmarks.verification.fits import fit_order
from benchmarks.verification.model import Check, Study, Table, at_most, table
from benchmarks.verification.second_code import scikit_fem_stiffness
from relaxdesign.physics.fem import effective_stiffness

BULK = 2.0
"""K of the matrix in GPa, whatever its Poisson's ratio: that of a polymer or an elastomer."""

MODULI = ("K", "C44", "C66", "(C11−C12)/2")
WORST = MODULI[-1]


def moduli(C: np.ndarray) -> dict[str, float]:
    """K and three shear moduli of a stiffness, GPa."""
    values = (C[:3, :3].sum() / 9.0, C[3, 3], C[5, 5], (C[0, 0] - C[0, 1]) / 2.0)
    return {name: float(value) for name, value in zip(MODULI, values, strict=True)}


def locking(
    ratios: tuple[float, ...] = (0.3, 0.4, 0.45, 0.49, 0.499, 0.4999),
    sizes_2d: tuple[int, ...] = (16, 32, 64, 128, 256),
    sizes_3d: tuple[int, ...] = (8, 16, 32, 64),
    standard_2d: int = 64,
    standard_3d: int = 16,
    quadratic_2d: int = 24,
    quadratic_3d: int = 8,
    agreement: float = 0.05,
) -> Study:
    """Nearly incompressible matrix: volumetric locking

    A stiff block (carbide, K = 350, G = 270 GPa) of half the cell edge in a matrix of K = 2 GPa and Poisson's ratio
    ν. As ν → 0.5 the matrix can change its shape but not its volume. A trilinear hexahedron with 2×2×2 points
    throughout cannot bend without spurious changes of volume, each of which costs energy in proportion to K: it
    locks. Moduli that need such a deformation come out too large, by an amount that grows like (K/G) h². Taking the
    volumetric energy at one point – the mean dilatation of the voxel – removes this (Nagtegaal, Parks and Rice 1974,
    [doi:10.1016/0045-7825(74)90032-2](https://doi.org/10.1016/0045-7825(74)90032-2); Hughes 1980,
    [doi:10.1002/nme.1620150914](https://doi.org/10.1002/nme.1620150914)).

    The block is exact on all grids, so the errors are those of the element alone, relative to the limit K₀ of a fit
    K₀ + c h^p to the evaluator's own results. The last column is the error that 2×2×2 points throughout would make
    (scikit-fem, coarser grids only). That the limit is the right one is confirmed by quadratic hexahedra (27 nodes,
    volumetric energy at 2×2×2 of 3×3×3 points, scikit-fem) on one grid; being conforming in shear they lie above it.
    """
    tables, checks, series = [], [], {}
    cases = ((2, sizes_2d, standard_2d, quadratic_2d), (3, sizes_3d, standard_3d, quadratic_3d))
    for dim, sizes, finest, quadratic in cases:
        if not sizes:
            continue
        power, rows, confirmed = "³" if dim == 3 else "²", [], []
        found: dict[str, dict[str, list[float]]] = {}
        for nu in ratios:
            matrix = (BULK, 3.0 * BULK * (1.0 - 2.0 * nu) / (2.0 * (1.0 + nu)))
            results = [_evaluate(size, dim, matrix) for size in sizes]
            limits = {name: _limit(sizes, [r[name] for r in results]) for name in MODULI}
            errors = {name: [r[name] / limits[name] - 1.0 for r in results] for name in MODULI}
            standard = [_second_code(n, dim, matrix)[WORST] / limits[WORST] - 1.0 for n in sizes if n <= finest]
            found[f"{nu:g}"] = {**errors, "standard": standard}
            for k, size in enumerate(sizes):
                locked = 100 * standard[k] if k < len(standard) else None
                rows.append((nu, f"{size}{power}", *(100 * errors[name][k] for name in MODULI), locked))
            other = _second_code(quadratic, dim, matrix, quadratic=True, reduced_volumetric=True)
            confirmed.append((nu, *(100 * (other[name] / limits[name] - 1.0) for name in MODULI)))
        tables += _tables(dim, f"{quadratic}{power}", rows, confirmed)
        checks += _checks(dim, sizes, found)
        apart = max(abs(number) for row in confirmed for number in row[1:]) / 100
        checks.append(at_most(f"{dim}D: limits against quadratic elements", apart, agreement, "%"))
        series[f"{dim}D"] = {"sizes": list(sizes), "errors": found}
    return Study(tuple(checks), tuple(tables), series)


def _evaluate(size: int, dim: int, matrix: tuple[float, float]) -> dict[str, float]:
    return moduli(effective_stiffness(*two_phase(block(size, dim), matrix, CARBIDE), tol=1e-6).C[0].numpy())


def _second_code(size: int, dim: int, matrix: tuple[float, float], **element: bool) -> dict[str, float]:
    K, G = two_phase(block(size, dim), matrix, CARBIDE)
    return moduli(scikit_fem_stiffness(K[0].numpy(), G[0].numpy(), **element))


def _limit(sizes: tuple[int, ...], values: list[float]) -> float:
    """Extrapolated value; the finest one where the last two grids agree to 1e-8, too well to fit an order."""
    if abs(values[-2] / values[-1] - 1.0) < 1e-8:
        return values[-1]
    return fit_order(sizes, values).limit


def _tables(dim: int, grid: str, rows: list[tuple], confirmed: list[tuple]) -> list[Table]:
    columns = {"ν of the matrix": "{:g}", "grid": "{}", **{name: "{:+.2f} %" for name in MODULI}}
    with_standard = {**columns, f"{WORST} with 2×2×2 points": "{:+.1f} %"}
    del columns["grid"]
    return [
        table(f"Error of the {dim}D cell", with_standard, rows),
        table(f"Quadratic hexahedra on {grid}, above the limit of the evaluator", columns, confirmed),
    ]


def _checks(dim: int, sizes: tuple[int, ...], found: dict) -> list[Check]:
    """At the usual grid, 64² or 32³: K and shear for every ν."""
    usual = 32 if dim == 3 else 64
    usual = usual if usual in sizes else sizes[-1]
    where, k = f"{dim}D, {usual}{'³' if dim == 3 else '²'}", sizes.index(usual)
    shear = max(abs(errors[name][k]) for errors in found.values() for name in MODULI[1:])
    return [
        at_most(f"{where}: K, every ν", max(abs(errors["K"][k]) for errors in found.values()), 0.01, "%"),
        at_most(f"{where}: shear, every ν", shear, 0.05, "%"),
    ]
