"""Elastic forces of 3D cells in one pass over the voxels.

In the monomials of `relaxdesign.physics.fem.kernels.trilinear` a voxel costs about 140 operations where two dense
products with its 19×24 modes cost 1,800, and the operator becomes cheaper than the FFTs of a preconditioner.
"""

from __future__ import annotations

from relaxdesign.physics.fem.kernels.compiling import compiled
from relaxdesign.physics.fem.kernels.compiling import unsigned as _u
from relaxdesign.physics.fem.kernels.trilinear import (
    BILINEAR,
    LINEAR,
    TILE,
    TRILINEAR,
    USED,
    add_forces,
    add_layer,
    coefficients,
    store_layer,
    work_space,
)


@compiled
def _voxels(layers, forces, lam, mu, voxel, sign, start, count):
    """Forces of ``count`` voxels from ``start`` of a tile on, times ``sign``; moduli from ``voxel`` on."""
    kind = lam.dtype.type
    w0, w1, w2 = kind(sign * LINEAR), kind(sign * BILINEAR), kind(sign * TRILINEAR)
    a, b, c, three = _u(0), _u(1), _u(2), _u(3)
    first, modulus = _u(start), _u(voxel)
    for n in range(_u(count)):
        L, M = w0 * lam[modulus + n], mu[modulus + n]
        k = first + n
        ax, ay, az, axy, axz, ayz, axyz = coefficients(layers, k, a, three)
        bx, by, bz, bxy, bxz, byz, bxyz = coefficients(layers, k, b, three)
        cx, cy, cz, cxy, cxz, cyz, cxyz = coefficients(layers, k, c, three)
        M0, M1, M2 = w0 * M, w1 * M, w2 * M
        p = L * (ax + by + cz)  # of the mean dilatation: the constant monomial alone
        # μ · engineering shear by monomial, where two components share one
        xy, xy_z = M0 * (ay + bx), M1 * (ayz + bxz)
        xz, xz_y = M0 * (az + cx), M1 * (ayz + cxy)
        yz, yz_x = M0 * (bz + cy), M1 * (bxz + cxy)
        D, D1, D2 = M0 + M0, kind(3.0) * M1, kind(4.0) * M2
        add_forces(forces, k, a, three, p + D * ax, xy, xz, D1 * axy, D1 * axz, xy_z + xz_y, D2 * axyz)
        add_forces(forces, k, b, three, xy, p + D * by, yz, D1 * bxy, xy_z + yz_x, D1 * byz, D2 * bxyz)
        add_forces(forces, k, c, three, xz, yz, p + D * cz, xz_y + yz_x, D1 * cxz, D1 * cyz, D2 * cxyz)


@compiled
def planes(u, lam, mu, out, nodes, voxels, sign, field, sample, start, stop):
    """Adds ``sign`` times the forces on planes ``start`` … ``stop`` - 1 of nodes of one field, moduli of ``sample``.

    u, out: fields × 3 × nodes (X, Y, Z), flat; lam, mu: batch × voxels (nx, ny, nz), flat. X = nx in a periodic
    cell, whose plane of voxels before the first one is the last; X = nx + 1 in an open cell.
    """
    X, Y, Z = nodes
    nx, ny, nz = voxels
    stride, first = X * Y * Z, 3 * field * X * Y * Z
    layers, forces = work_space(24 * TILE, lam), work_space(24 * TILE, lam)
    pairs = work_space(4 * TILE, lam)
    width = min(nz, USED)
    rows = min(ny, USED // width)
    for y0 in range(0, ny, rows):
        for z0 in range(0, nz, width):
            tile = y0, z0, min(rows, ny - y0), min(width, nz - z0)
            run = tile[2] * nz if width == nz else tile[3]  # voxels of the tile in a row
            add_layer(u, first + (start - 1) % X * Y * Z, stride, (Y, Z), tile, 3, layers, pairs)
            layers[: 12 * TILE] = layers[12 * TILE :]
            forces[: 12 * TILE] = 0.0
            for x in range(start - 1, stop):
                add_layer(u, first + (x + 1) % X * Y * Z, stride, (Y, Z), tile, 3, layers, pairs)
                if nx == X or 0 <= x < nx:
                    for n in range(tile[2] * tile[3] // run):
                        voxel = ((sample * nx + x % nx) * ny + y0 + n) * nz + z0
                        _voxels(layers, forces, lam, mu, voxel, sign, n * run, run)
                else:  # beyond the faces of an open cell
                    layers[: 12 * TILE] = layers[12 * TILE :]
                    forces[12 * TILE :] = forces[: 12 * TILE]
                if x >= start:
                    store_layer(forces, out, first + x * Y * Z, stride, (Y, Z), tile, 3, pairs)
