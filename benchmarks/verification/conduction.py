"""Conductivity: laminate, Maxwell's dilute sphere, Keller's duality and the checkerboard."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from benchmarks.verification.cells import balls
from benchmarks.verification.dilute import fit
from benchmarks.verification.exact import strength
from benchmarks.verification.fits import fit_order
from benchmarks.verification.model import Study, at_most, table, within
from relaxdesign.physics.fem import effective_conductivity

RUNS = ((24, 4.0), (24, 6.0), (32, 4.0), (32, 6.0), (32, 8.0), (48, 8.0), (48, 12.0), (64, 16.0))


def two_conductors(mask: Tensor, outside: float, inside: float) -> Tensor:
    """Conductivity of every voxel, float64."""
    pair = torch.tensor((inside, outside), dtype=torch.float64)
    return torch.where(mask, pair[0], pair[1])


def laminate(layers: int = 8, contrast: float = 1e5, seed: int = 7) -> Study:
    """Conduction: laminate

    Layers conduct in parallel along them and in series across: k = ⟨k⟩ and k = ⟨1/k⟩⁻¹, exact on every grid.
    """
    generator = torch.Generator().manual_seed(seed)
    values = contrast ** torch.rand(layers, generator=generator, dtype=torch.float64)
    rows = []
    for axis, name in enumerate("xyz"):
        sizes = [layers if a == axis else 1 for a in range(3)]
        shape = [layers if a == axis else 3 for a in range(3)]
        k = effective_conductivity(values.reshape(1, *sizes).expand(1, *shape).contiguous(), tol=1e-11).k[0]
        exact = torch.full((3,), values.mean().item(), dtype=torch.float64)
        exact[axis] = 1.0 / (1.0 / values).mean()
        off = (k - torch.diag(k.diagonal())).abs().max() / exact.max()
        rows.append((name, (k.diagonal() / exact - 1.0).abs().max().item(), off.item()))
    columns = {"normal": "{}", "error of the diagonal": "{:.1e}", "off the diagonal": "{:.1e}"}
    return Study(
        (at_most("largest relative error", max(max(row[1:]) for row in rows), 1e-9),),
        (table(f"Laminate of contrast up to {contrast:g}", columns, rows),),
    )


def sphere(runs: tuple[tuple[int, float], ...] = RUNS, samples: int = 4, limit: float = 0.01) -> Study:
    """Conduction: dilute sphere (Maxwell 1873)

    A sphere in a large cell changes the conductivity at the rate (Maxwell 1873, A Treatise on Electricity and
    Magnetism, art. 314)

        dk*/dvf = 3 k_m (k_i − k_m) / (k_i + 2 k_m)    at vf → 0,

    extrapolated to no voxels and no neighbours as for the elastic sphere, with b = (k* − k_m) / (k* + 2 k_m) / vf.
    """
    pairs = {"2 ×": (1.0, 2.0), "100 ×": (1.0, 100.0), "1/4 ×": (4.0, 1.0), "1/1000 ×": (1.0, 1e-3)}
    rows, checks = [], []
    for name, (matrix, particle) in pairs.items():
        factor = (particle - matrix) / (particle + 2.0 * matrix)
        radii, shares, ratios = [], [], []
        for size, radius in runs:
            masks = balls(size, 3, radius, samples)
            parts = masks.split(max(1, 2**18 // size**3))
            means = [effective_conductivity(two_conductors(p, matrix, particle), tol=1e-6).mean for p in parts]
            shares.append(masks.double().mean().item())
            radii.append(radius)
            ratios.append(strength(torch.cat(means).mean().item(), matrix, 2.0 * matrix, shares[-1]) / factor)
        coefficients, error = fit(shares, radii, ratios)
        intercept, slope = float(coefficients[0]), float(coefficients[2])
        rows.append((name, 100 * (ratios[-1] - 1.0), slope, 100 * (intercept - 1.0), 100 * error))
        checks.append(at_most(f"{name}: error of the extrapolated slope", intercept - 1.0, limit, "%"))
    columns = {"particle": "{}", "on the finest grid": "{:+.2f} %", "c₂ (voxels)": "{:+.3f}",
               "error of the slope": "{:+.2f} %", "standard error": "{:.2f} %"}  # fmt: skip
    return Study(tuple(checks), (table("Measured over exact strength", columns, rows),))


def duality(
    sizes: tuple[int, ...] = (8, 16, 32, 64, 128, 256), contrasts: tuple[float, ...] = (2.0, 10.0), seed: int = 8
) -> Study:
    """Conduction: Keller's duality and Dykhne's checkerboard

    In any 2D cell of two phases, turning by 90° and exchanging them inverts the conductivity (Keller 1964,
    [doi:10.1063/1.1704146](https://doi.org/10.1063/1.1704146)):

        k_xx(k₁, k₂) · k_yy(k₂, k₁) = k₁ k₂    on principal axes;    checkerboard (Dykhne 1970): k* = √(k₁ k₂)

    Temperature elements overestimate both factors. At a corner of the checkerboard the temperature behaves like r^p
    with tan(pπ/4) = √(k₁/k₂) ≤ 1 and the energy converges like h^2p: that order must be observed. The duality is
    tested with an array of rectangles, which is not symmetric under the exchange.
    """
    rows, checks, series = [], [], {}
    for contrast in contrasts:
        board = [_board(n, contrast) / math.sqrt(contrast) - 1.0 for n in sizes]
        product = [_product(n, contrast) / contrast - 1.0 for n in sizes]
        theory = 8.0 / math.pi * math.atan(contrast**-0.5)
        observed = math.log2(board[-2] / board[-1])
        rows += [
            (f"checkerboard, {contrast:g}", *(100 * e for e in board), observed, theory),
            (f"duality, {contrast:g}", *(100 * e for e in product), math.log2(product[-2] / product[-1]), None),
        ]
        limit = fit_order(sizes[-4:], [1.0 + e for e in product[-4:]]).limit - 1.0
        checks += [
            within(f"checkerboard, {contrast:g}: observed order minus theory", observed - theory, -0.1, 0.1),
            at_most(f"duality, {contrast:g}: extrapolated error", limit, 2e-3, "%"),
        ]
        series[f"{contrast:g}"] = {"board": board, "product": product, "theory": theory}
    columns = {"case": "{}", **{f"{n}²": "{:.3f} %" for n in sizes}, "order": "{:.2f}", "theory": "{:.2f}"}
    return Study(tuple(checks), (table("Relative error", columns, rows),), {"sizes": list(sizes), "contrasts": series})


def _board(size: int, contrast: float) -> float:
    half = torch.arange(size) < size // 2
    mask = (half[:, None] ^ half[None, :])[None, :, :, None]
    return effective_conductivity(two_conductors(mask, 1.0, contrast)).k[0, 0, 0].item()


def _product(size: int, contrast: float) -> float:
    x = torch.arange(size)
    mask = ((x < size // 4)[:, None] & (x < 3 * size // 4)[None, :])[None, :, :, None]
    one = effective_conductivity(two_conductors(mask, 1.0, contrast)).k[0, 0, 0]
    other = effective_conductivity(two_conductors(mask, contrast, 1.0)).k[0, 1, 1]
    return (one * other).item()
