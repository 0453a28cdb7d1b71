"""The solver at high contrast and on fine grids: iterations, residual, status."""

from __future__ import annotations

from benchmarks.verification.cells import CARBIDE, CERAMIC, ELASTOMER, EPOXY, balls, radius_of, two_phase
from benchmarks.verification.model import Study, at_most, table, within
from relaxdesign.physics.bounds import field_bounds
from relaxdesign.physics.fem import BulkResult, SolveStatus, bulk_modulus

SHARE = 0.2


def _solve(dim: int, size: int, matrix: tuple[float, float], particle: tuple[float, float]) -> tuple[BulkResult, bool]:
    """Result for one centred ball or disc, and whether it lies within Voigt and Reuss."""
    K, G = two_phase(balls(size, dim, radius_of(SHARE, dim) * size, 1), matrix, particle)
    result = bulk_modulus(K, G, raise_on_failure=False)
    return result, bool(field_bounds(K, G).admits(result.value.numpy()).all())


def contrasts(
    exponents: tuple[int, ...] = (-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5), size_2d: int = 64, size_3d: int = 32
) -> Study:
    """High contrast

    One disc (2D) or ball (3D) at 20 %, epoxy matrix, particle 10⁻⁵ to 10⁵ times as stiff; then an elastomer (K = 2, G
    = 0.0004 GPa, ν = 0.4999) with carbide (350, 270), whose G is 675,000 times larger, and the reverse. Asked for is
    a relative residual of 10⁻⁸ (‖b − K u‖₂ / ‖b‖₂, recomputed from the displacement). Every solve must say that it
    converged and lie within Voigt and Reuss; one that hits its limit is an error, never a number. Preconditioned by a
    homogeneous reference cell, the condition number is at most the contrast c, so iterations grow like √c at worst
    (Ladecký et al. 2023, [doi:10.1016/j.amc.2023.127835](https://doi.org/10.1016/j.amc.2023.127835)); where the
    particles are separate they level off much earlier.
    """
    pairs = {f"10^{e}": (EPOXY, (EPOXY[0] * 10.0**e, EPOXY[1] * 10.0**e)) for e in exponents}
    pairs["carbide in elastomer"] = (ELASTOMER, CARBIDE)
    pairs["elastomer in carbide"] = (CARBIDE, ELASTOMER)
    rows, converged, inside, residual = [], True, True, 0.0
    counts: dict[str, list[int]] = {"2D": [], "3D": []}
    for name, pair in pairs.items():
        row: list = [name]
        for dim, size in ((2, size_2d), (3, size_3d)):
            result, admitted = _solve(dim, size, *pair)
            converged &= result.status[0] is SolveStatus.CONVERGED
            inside &= admitted
            residual = max(residual, result.residual.item())
            counts[f"{dim}D"].append(int(result.iterations))
            row += [int(result.iterations), result.residual.item(), result.status[0].name.lower()]
        rows.append(row)
    columns = {"particle / matrix": "{}"}
    for grid in (f"{size_2d}²", f"{size_3d}³"):
        columns |= {f"{grid}: iterations": "{}", f"{grid}: residual": "{:.1e}", f"{grid}: status": "{}"}
    return Study(
        (
            within("share of solves that converged", float(converged), 1.0, 1.0),
            within("share of results within Voigt and Reuss", float(inside), 1.0, 1.0),
            at_most("largest relative residual", residual, 1e-8),
        ),
        (table("Conjugate gradient iterations for K*", columns, rows),),
        {"exponents": list(exponents), "iterations": {k: v[: len(exponents)] for k, v in counts.items()}},
    )


def grid_independence(
    sizes_3d: tuple[int, ...] = (8, 16, 32, 64), sizes_2d: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
) -> Study:
    """Iterations and the size of the grid

    The same cells on finer grids. The bound on the condition number does not contain the number of voxels, so the
    iterations must level off; without preconditioner they would double with every halving of the voxels. Cells of
    extreme contrast level off later: a coarse grid does not contain the deformations that make the problem hard.
    Carbide in a nearly incompressible elastomer (contrast 175 in K, 675,000 in G) has not levelled off on these grids.
    Another λ/μ of the reference cell is no cure: of nine values from -0.3 to 10⁶ the best took 34 % fewer iterations in
    a 2D cell of that pair (64²), and none took fewer in 3D (16³).
    """
    pairs = {
        "130 × stiffer": (EPOXY, CERAMIC),
        "10⁴ × stiffer": (EPOXY, (2.5e4, 1.2e4)),
        "100 × softer": ((40.0, 20.0), (0.4, 0.2)),
        "carbide in elastomer": (ELASTOMER, CARBIDE),
    }
    rows, checks, series = [], [], {}
    for dim, sizes in ((2, sizes_2d), (3, sizes_3d)):
        for name, pair in pairs.items():
            extreme = pair[0] is ELASTOMER
            used = sizes[:-1] if extreme else sizes  # its cost grows fast
            counts = [int(_solve(dim, size, *pair)[0].iterations) for size in used]
            series.setdefault(f"{dim}D", {"sizes": list(sizes), "iterations": {}})["iterations"][name] = counts
            rows.append(
                (
                    f"{dim}D",
                    name,
                    ", ".join(f"{n}: {c}" for n, c in zip(used, counts, strict=True)),
                    counts[-1] / counts[-2],
                )
            )
            limit = 2.0**0.5
            checks.append(
                at_most(
                    f"{dim}D, {name}: growth over the last doubling", counts[-1] / counts[-2], limit, limitation=extreme
                )
            )
    columns = {"cell": "{}", "particle": "{}", "voxels per edge: iterations": "{}", "last doubling": "× {:.2f}"}
    return Study(tuple(checks), (table("Conjugate gradient iterations for K* to 10⁻⁸", columns, rows),), series)
