"""Nearly incompressible matrices: volumetric locking of the element, for K and for shear."""

from __future__ import annotations

import numpy as np

from benchmarks.verification.cells import CARBIDE, block, two_phase
from benchmarks.verification.fits import fit_order
from benchmarks.verification.model import Check, Study, Table, at_most, table
from benchmarks.verification.second_code import reference_stiffness
from relaxdesign.fem import effective_stiffness

BULK = 2.0
"""K of the matrix in GPa, whatever its Poisson's ratio: that of a polymer or an elastomer."""

MODULI = ("K", "C44", "C66", "(C11−C12)/2")


def moduli(C: np.ndarray) -> dict[str, float]:
    """K and three shear moduli of a stiffness, GPa."""
    values = (C[:3, :3].sum() / 9.0, C[3, 3], C[5, 5], (C[0, 0] - C[0, 1]) / 2.0)
    return {name: float(value) for name, value in zip(MODULI, values, strict=True)}


def locking(
    ratios: tuple[float, ...] = (0.3, 0.4, 0.45, 0.49, 0.499, 0.4999),
    sizes_2d: tuple[int, ...] = (16, 32, 64, 128, 256),
    sizes_3d: tuple[int, ...] = (8, 16, 32, 64),
    reference_2d: tuple[int, ...] = (16, 32, 64, 128),
    reference_3d: tuple[int, ...] = (4, 8, 12, 16),
) -> Study:
    """Nearly incompressible matrix: volumetric locking

    A stiff block (carbide, K = 350, G = 270 GPa) of half the cell edge in a matrix of K = 2 GPa and Poisson's ratio
    ν. As ν → 0.5 the matrix can change its shape but not its volume. A fully integrated trilinear hexahedron cannot
    bend without spurious changes of volume, each of which costs energy in proportion to K: it locks (Hughes 1980,
    [doi:10.1002/nme.1620150914](https://doi.org/10.1002/nme.1620150914)). Moduli that need such a deformation come
    out too large, by an amount that grows like (K/G) h². The evaluator's element is free of it: λ acts on the mean
    dilatation of a voxel.

    The block is exact on all these grids, so the error is that of the element alone. It is relative to an element that
    does not lock – volumetric energy at one point, in scikit-fem, extrapolated from several grids of its own.
    """
    tables, checks, series = [], [], {}
    for dim, sizes, grids in ((2, sizes_2d, reference_2d), (3, sizes_3d, reference_3d)):
        if not sizes:
            continue
        power, rows, worst = "³" if dim == 3 else "²", [], {}
        errors_by_ratio: dict[str, dict[str, list[float]]] = {}
        reported = 32 if dim == 3 else 64
        reported = reported if reported in sizes else sizes[-1]
        for nu in ratios:
            matrix = (BULK, 3.0 * BULK * (1.0 - 2.0 * nu) / (2.0 * (1.0 + nu)))
            trials = [moduli(reference_stiffness(block(n, dim), matrix, CARBIDE)) for n in grids]
            exact = {name: _limit(grids, [t[name] for t in trials]) for name in MODULI}
            errors: dict[str, list[float]] = {name: [] for name in MODULI}
            for size in sizes:
                result = effective_stiffness(*two_phase(block(size, dim), matrix, CARBIDE), tol=1e-6)
                found = moduli(result.C[0].numpy())
                for name in MODULI:
                    errors[name].append(found[name] / exact[name] - 1.0)
                rows.append((nu, f"{size}{power}", *(100 * errors[name][-1] for name in MODULI)))
            errors_by_ratio[f"{nu:g}"] = errors
            worst[nu] = {name: errors[name][sizes.index(reported)] for name in MODULI}
        tables.append(_table(dim, rows))
        checks += _checks(f"{dim}D, {reported}{power}", worst)
        series[f"{dim}D"] = {"sizes": list(sizes), "errors": errors_by_ratio}
    return Study(tuple(checks), tuple(tables), series)


def _limit(sizes: tuple[int, ...], values: list[float]) -> float:
    """Extrapolated value; the finest one where the grids differ by less than 1e-4."""
    if len(sizes) < 4 or abs(values[0] / values[-1] - 1.0) < 1e-4:
        return values[-1]
    return fit_order(sizes, values).limit


def _table(dim: int, rows: list[tuple]) -> Table:
    columns = {"ν of the matrix": "{:g}", "grid": "{}", **{name: "{:+.2f} %" for name in MODULI}}
    return table(f"Error of the {dim}D cell", columns, rows)


def _checks(where: str, worst: dict[float, dict[str, float]]) -> list[Check]:
    """K must be right for every ν, shear for moderate ones; beyond, the error is a known limitation."""
    shear = MODULI[1:]
    mild = {nu: errors for nu, errors in worst.items() if nu <= 0.4}
    return [
        at_most(f"{where}: K, every ν", max(abs(e["K"]) for e in worst.values()), 0.01, "%"),
        at_most(f"{where}: shear, ν ≤ 0.4", max(abs(e[s]) for e in mild.values() for s in shear), 0.05, "%"),
        at_most(f"{where}: shear, ν = {max(worst):g}", max(abs(worst[max(worst)][s]) for s in shear), 0.05, "%",
                limitation=True),
    ]  # fmt: skip
