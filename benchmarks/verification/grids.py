"""Convergence with the grid: one particle, and packings as designs have them."""

from __future__ import annotations

import statistics

import torch

from benchmarks.verification.cells import CERAMIC, EPOXY, balls, mean_bulk, radius_of
from benchmarks.verification.fits import order_by_halving
from benchmarks.verification.model import Study, at_most, table, within
from relaxdesign.composite import place_particles

PAIRS = {
    "2 × stiffer": ((10.0, 5.0), (20.0, 10.0)),
    "130 × stiffer": (EPOXY, CERAMIC),
    "100 × softer": ((40.0, 20.0), (0.4, 0.2)),
}
"""Matrix (K, G) and particle (K, G) in GPa."""

SHARE = 0.2


def sphere(
    sizes: tuple[int, ...] = (16, 24, 32, 48, 64, 96, 128),
    samples: int = 8,
    pairs: tuple[str, ...] = tuple(PAIRS),
    coarsest: int = 24,
) -> Study:
    """Convergence with the grid: one sphere

    A sphere that fills 20 % of a periodic cell (diameter 0.73 of the edge), voxelised on finer and finer grids. A voxel
    belongs to the sphere if its centre does, so the surface is a staircase whose volume is right on average but whose
    every step disturbs the stress: the error of K* is first order in the voxel size h, although the elements
    themselves are second order. The order p is that of the changes K*(h) − K*(h/2) ~ h^p from 24 voxels per edge on,
    which needs no knowledge of the limit K₀; K₀ follows by Richardson extrapolation. K* is the mean over positions of
    the centre within a voxel, corrected to a volume fraction of exactly 0.2 with a measured dK*/dvf.
    """
    return _convergence(3, sizes, samples, pairs, coarsest, reported=32)


def disc(
    sizes: tuple[int, ...] = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512),
    samples: int = 16,
    pairs: tuple[str, ...] = tuple(PAIRS),
    coarsest: int = 24,
) -> Study:
    """Convergence with the grid: one disc

    The same in 2D, a fibre that fills 20 % of the cell (diameter 0.50 of the edge). K* of a fibre bundle is carried by
    the stretched fibres, which every grid represents exactly; the error is the smaller for it.
    """
    return _convergence(2, sizes, samples, pairs, coarsest, reported=64)


def _convergence(
    dim: int, sizes: tuple[int, ...], samples: int, pairs: tuple[str, ...], coarsest: int, reported: int
) -> Study:
    rows, checks, series = [], [], {}
    for name in pairs:
        matrix, particle = PAIRS[name]
        slope = _slope(dim, matrix, particle)
        values = []
        for size in sizes:
            count = max(2, min(2 * samples if size < 32 else samples, 2 * samples * 32 // size))
            value, share = mean_bulk(balls(size, dim, radius_of(SHARE, dim) * size, count), matrix, particle)
            values.append(value + slope * (SHARE - share))
        fit = order_by_halving(sizes, values, coarsest)
        errors = [value / fit.limit - 1.0 for value in values]
        rows.append((name, *(100 * e for e in errors), fit.order, fit.limit, 100 * fit.misfit))
        checks.append(within(f"{name}: observed order", fit.order, 0.7, 1.6))
        checks.append(
            at_most(f"{name}: error at {reported} voxels per edge", fit.at(reported) / fit.limit - 1.0, 0.05, "%")
        )
        series[name] = {"errors": errors, "order": fit.order, "factor": fit.factor / fit.limit}
    power = "³" if dim == 3 else "²"
    columns = {
        "particle": "{}", **{f"{n}{power}": "{:+.3f} %" for n in sizes},
        "order p": "{:.2f}", "K₀, GPa": "{:.4f}", "misfit": "{:.3f} %",
    }  # fmt: skip
    caption = f"Error of K* relative to K₀; {dim}D, volume fraction {SHARE:g}"
    return Study(tuple(checks), (table(caption, columns, rows),), {"sizes": list(sizes), "pairs": series, "dim": dim})


def _slope(dim: int, matrix: tuple[float, float], particle: tuple[float, float], size: int = 32) -> float:
    """dK*/dvf in GPa at the volume fraction of the study, by a central difference."""
    (high, more), (low, less) = (
        mean_bulk(balls(size, dim, radius_of(SHARE + change, dim) * size, 4), matrix, particle)
        for change in (0.02, -0.02)
    )
    return (high - low) / (more - less)


def packings(
    sizes_3d: tuple[int, ...] = (16, 24, 32, 48, 64, 96, 128),
    sizes_2d: tuple[int, ...] = (32, 48, 64, 96, 128, 192, 256, 384, 512),
    count: int = 3,
    seed: int = 6,
) -> Study:
    """Convergence with the grid: packings of particles

    What a design contains: several equal particles at random, here 35 % by volume, diameter 0.3 (3D) or 0.2 (2D) of the
    edge, ceramic in epoxy (130 ×). The narrowest gaps between neighbours are far smaller than a voxel; particles whose
    voxels touch are welded together, and a chain of welded stiff particles carries load that the matrix should carry.
    The effect vanishes as the grid resolves the gaps. **A voxel cell is exact for what it is, a cell of voxels; as an
    approximation of spheres it is too stiff by the amounts below.**
    """
    checks, tables, series = [], [], {}
    for dim, sizes, diameter, reported in ((3, sizes_3d, 0.3, 32), (2, sizes_2d, 0.2, 64)):
        generator = torch.Generator().manual_seed(seed)
        cells = place_particles(0.35, diameter, dim, count=count, generator=generator)
        gap = statistics.mean(cell.largest_diameter() - cell.diameter for cell in cells)
        values, shares = [], []
        for size in sizes:
            masks = torch.stack([cell.voxelise(size).reshape(size, size, -1) for cell in cells])
            value, share = mean_bulk(masks, EPOXY, CERAMIC)
            values.append(value)
            shares.append(share)
        excess = [value / values[-1] - 1.0 for value in values]
        power = "³" if dim == 3 else "²"
        rows = [
            (f"{n}{power}", n * gap, 100 * s, v, 100 * e)
            for n, s, v, e in zip(sizes, shares, values, excess, strict=True)
        ]
        columns = {"grid": "{}", "narrowest gap, voxels": "{:.2f}", "share": "{:.2f} %", "K*, GPa": "{:.3f}",
                   f"above {sizes[-1]}{power}": "{:+.1f} %"}  # fmt: skip
        tables.append(table(f"{dim}D packings, mean of {count}", columns, rows))
        at = excess[sizes.index(reported)] if reported in sizes else excess[0]
        checks.append(
            at_most(f"{dim}D packing, ceramic in epoxy: K* at {reported}{power} above the finest grid", at, 0.05, "%",
                    limitation=True)
        )  # fmt: skip
        series[f"{dim}D"] = {"sizes": list(sizes), "values": values, "gap": gap}
    return Study(tuple(checks), tuple(tables), series)
