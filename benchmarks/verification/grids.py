"""Convergence with the grid: one particle, and packings as designs have them."""

from __future__ import annotations

import torch

from benchmarks.verification.cells import CERAMIC, EPOXY, balls, mean_bulk, radius_of
from benchmarks.verification.fits import order_by_halving
from benchmarks.verification.model import Study, at_most, table, within
from relaxdesign.microstructure.particles.packing import place_particles

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
    coarsest: int = 32,
) -> Study:
    """Convergence with the grid: one sphere

    A sphere that fills 20 % of a periodic cell (diameter 0.73 of the edge), voxelised on finer and finer grids. A voxel
    belongs to the sphere if its centre does, so the surface is a staircase whose volume is right on average but whose
    every step disturbs the stress: the error of K* is first order in the voxel size h, although the elements
    themselves are second order. The order p is that of the changes K*(h) − K*(h/2) ~ h^p from 32 voxels per edge on,
    which needs no knowledge of the limit K₀; K₀ follows by Richardson extrapolation. K* is the mean over positions of
    the centre within a voxel, corrected to a volume fraction of exactly 0.2 with a measured dK*/dvf. For soft spheres
    elements (too stiff) and staircase (too soft) err in opposite directions, and first order sets in later.
    """
    return _convergence(3, sizes, samples, pairs, coarsest, reported=32)


def disc(
    sizes: tuple[int, ...] = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512),
    samples: int = 16,
    pairs: tuple[str, ...] = tuple(PAIRS),
    coarsest: int = 32,
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
        checks.append(within(f"{name}: observed order", fit.order, 0.65, 1.4))
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


PACKED = {
    "ceramic in epoxy, 130 ×": (EPOXY, CERAMIC),
    "carbide in aluminium, 3 to 7 ×": ((75.0, 26.0), (220.0, 190.0)),
}

DIAMETER = {2: 0.2, 3: 0.3}
"""Of the packed particles, in cell edges."""


def packings(
    sizes_3d: tuple[int, ...] = (16, 24, 32, 48, 64, 96, 128),
    sizes_2d: tuple[int, ...] = (32, 48, 64, 96, 128, 192, 256, 384, 512),
    shares: tuple[float, ...] = (0.15, 0.35, 0.5),
    count: int = 3,
    seed: int = 6,
) -> Study:
    """Convergence with the grid: packings of particles

    What a design contains: several equal particles at random, diameter 0.3 (3D) or 0.2 (2D) of the cell edge, placed
    for a design grid of 32³ or 64². Neighbours are kept a voxel's diagonal of that grid apart, as far as the share of
    particles leaves room. Particles whose voxels touch are welded together, and a chain of welded stiff particles
    carries load that the matrix should carry: the more of the cell the spheres fill, the narrower the gaps must be,
    and at half the cell, where they nearly touch, the design grid is too coarse for the stiffest pair. Reported is how
    far K* lies above that on the finest grid, the mean over several placements.

    A cell of voxels is solved for what it is, and exported as that; the errors say how well it stands for spheres.
    """
    checks, tables, series = [], [], {}
    for dim, sizes, reported in ((3, sizes_3d, 32), (2, sizes_2d, 64)):
        power, rows = "³" if dim == 3 else "²", []
        reported = reported if reported in sizes else sizes[0]
        for share in shares:
            generator = torch.Generator().manual_seed(seed)
            cells = place_particles(share, DIAMETER[dim], dim, grid=reported, count=count, generator=generator)
            masks = {n: torch.stack([cell.voxelise(n).reshape(n, n, -1) for cell in cells]) for n in sizes}
            gap = min(cell.largest_size() - cell.diameter for cell in cells)
            for name, pair in PACKED.items():
                values = [mean_bulk(masks[n], *pair)[0] for n in sizes]
                above = [value / values[-1] - 1.0 for value in values]
                rows.append((name, 100 * share, 100 * gap, *(100 * a for a in above[:-1]), values[-1]))
                series[f"{dim}D, {100 * share:.0f} %, {name}"] = {"dim": dim, "sizes": list(sizes), "values": values}
                label = f"{dim}D, {100 * share:.0f} % {name}: K* at {reported}{power} above the finest grid"
                checks.append(at_most(label, above[sizes.index(reported)], 0.05, "%", limitation=dim == 3))
        columns = {
            "particles": "{}", "share": "{:.0f} %", "narrowest gap, % of the edge": "{:.2f}",
            **{f"{n}{power}": "{:+.1f} %" for n in sizes[:-1]}, f"K* at {sizes[-1]}{power}, GPa": "{:.2f}",
        }  # fmt: skip
        tables.append(table(f"{dim}D, mean of {count} placements", columns, rows))
    return Study(tuple(checks), tuple(tables), series)
