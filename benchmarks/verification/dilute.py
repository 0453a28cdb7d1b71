"""Dilute limits: the strength of a single sphere or fibre, extrapolated to no neighbours and to no voxels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.verification.cells import balls, mean_bulk, two_phase
from benchmarks.verification.exact import cylinder_factor, sphere_factor, strength
from benchmarks.verification.fits import linear_fit
from benchmarks.verification.model import Study, at_most, table
from relaxdesign.physics.fem import effective_stiffness

Pair = tuple[tuple[float, float], tuple[float, float]]

PAIRS: dict[str, Pair] = {
    "2 × stiffer": ((10.0, 5.0), (20.0, 10.0)),
    "100 × stiffer": ((2.5, 1.2), (250.0, 120.0)),
    "4 × softer": ((40.0, 20.0), (10.0, 5.0)),
    "1000 × softer": ((40.0, 20.0), (0.04, 0.02)),
}
"""Matrix (K, G) and particle (K, G) in GPa."""

SPHERES = ((24, 4.0), (24, 6.0), (32, 4.0), (32, 6.0), (32, 8.0), (48, 8.0), (48, 12.0), (64, 12.0), (64, 16.0))
"""Voxels per edge and radius in voxels."""

FIBRES = ((32, 4.0), (32, 8.0), (64, 6.0), (64, 12.0), (128, 16.0), (128, 24.0), (256, 24.0), (256, 40.0))


def fit(shares: Sequence[float], radii: Sequence[float], ratios: Sequence[float]) -> tuple[np.ndarray, float]:
    """Coefficients of ratio = c₀ + c₁ vf + c₂/R + c₃/R² (R in voxels) and the standard error of c₀."""
    inverse = [1.0 / r for r in radii]
    coefficients, error, _ = linear_fit([shares, inverse, [x * x for x in inverse]], ratios)
    return coefficients, error


def _study(kind: str, raw: dict[str, list[tuple[float, float, float, float]]], samples: int, limit: float) -> Study:
    """Raw: per pair of materials, rows of size, radius, volume fraction, measured / exact."""
    rows, checks, series = [], [], {}
    for name, points in raw.items():
        sizes, radii, shares, ratios = map(list, zip(*points, strict=True))
        coefficients, error = fit(shares, radii, ratios)
        intercept, slope = float(coefficients[0]), float(coefficients[2])
        nearest = min(range(len(radii)), key=lambda n, radii=radii: abs(radii[n] - 6.0))
        rows.append(
            (name, 100 * (ratios[nearest] - 1), 100 * (ratios[-1] - 1), slope, 100 * (intercept - 1), 100 * error)
        )
        checks.append(at_most(f"{kind}, {name}: error of the extrapolated slope", intercept - 1.0, limit, "%"))
        series[name] = {"radius": radii, "ratio": ratios, "share": shares, "limit": intercept, "size": sizes}
    columns = {
        "particle": "{}", "error at R ≈ 6 voxels": "{:+.2f} %", "on the finest grid": "{:+.2f} %",
        "c₂ (voxels)": "{:+.3f}", "error of the slope": "{:+.2f} %", "standard error": "{:.2f} %",
    }  # fmt: skip
    caption = f"{kind.capitalize()}: measured over exact strength, {samples} positions per radius"
    return Study(tuple(checks), (table(caption, columns, rows),), series)


def spheres(
    runs: tuple[tuple[int, float], ...] = SPHERES,
    samples: int = 4,
    pairs: tuple[str, ...] = tuple(PAIRS),
    limit: float = 0.01,
) -> Study:
    """Dilute sphere (Eshelby 1957)

    One sphere in a large cell changes the bulk modulus at the rate (Eshelby 1957,
    [doi:10.1098/rspa.1957.0133](https://doi.org/10.1098/rspa.1957.0133))

        dK*/dvf = (K_m + 4G_m/3) β,    β = (K_i − K_m) / (K_i + 4G_m/3)    at vf → 0.

    Two errors stand between a voxel cell and this number: the periodic images, which vanish with vf, and the
    staircase surface, which vanishes with the radius R in voxels. Measured is the strength
    b = (K* − K_m) / (K* + 4G_m/3) / vf, which has the limit β too but feels the images only at higher order in vf
    (Hashin 1962, [doi:10.1115/1.3636446](https://doi.org/10.1115/1.3636446)); b/β = c₀ + c₁ vf + c₂/R + c₃/R² is
    fitted to several radii on several grids, averaged over positions within a voxel. c₀ − 1 is the error of the slope.

    c₂ is what a user should know: a sphere of R voxels acts c₂/R too strong, as if its radius were c₂/3 voxels larger.
    """
    raw = {}
    for name in pairs:
        matrix, particle = PAIRS[name]
        factor = sphere_factor(matrix, particle)
        raw[name] = []
        for size, radius in runs:
            value, share = mean_bulk(balls(size, 3, radius, samples), matrix, particle)
            ratio = strength(value, matrix[0], 4.0 / 3.0 * matrix[1], share) / factor
            raw[name].append((size, radius, share, ratio))
    return _study("sphere", raw, samples, limit)


def fibres(
    runs: tuple[tuple[int, float], ...] = FIBRES,
    samples: int = 8,
    pairs: tuple[str, ...] = tuple(PAIRS),
    limit: float = 0.01,
) -> Study:
    """Dilute fibre (2D)

    The same for one fibre in a 2D cell and the in-plane bulk modulus k = K + G/3 = (C11 + C22 + 2 C12) / 4
    (Hashin and Rosen 1964, [doi:10.1115/1.3629590](https://doi.org/10.1115/1.3629590)):

        dk*/dvf = (k_m + G_m) (k_i − k_m) / (k_i + G_m)    at vf → 0.
    """
    raw = {}
    for name in pairs:
        matrix, particle = PAIRS[name]
        factor = cylinder_factor(matrix, particle)
        raw[name] = []
        for size, radius in runs:
            masks = balls(size, 2, radius, samples)
            parts = masks.split(max(1, 2**17 // size**2))
            C = torch.cat([effective_stiffness(*two_phase(part, matrix, particle), tol=1e-6).C for part in parts])
            value = ((C[:, 0, 0] + C[:, 1, 1] + 2 * C[:, 0, 1]) / 4).mean().item()
            share = masks.double().mean().item()
            ratio = strength(value, matrix[0] + matrix[1] / 3.0, matrix[1], share) / factor
            raw[name].append((size, radius, share, ratio))
    return _study("fibre", raw, samples, limit)
