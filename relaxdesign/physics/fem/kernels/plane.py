"""Elastic forces in the plane of 2D cells in one pass over the voxels.

The twin of `relaxdesign.physics.fem.kernels.solid`: nothing varies through the thickness, the displacement of a voxel
is bilinear, and each component has three monomials x, y and xy that enter the strain.
"""

from __future__ import annotations

import numpy as np

from relaxdesign.physics.fem.kernels.compiling import compiled, copy
from relaxdesign.physics.fem.kernels.compiling import unsigned as _u


@compiled
def _voxel_row(u, forces, lower, upper, lam, mu, offset, width, f):
    """Add the corner forces of one row of voxels to the two rows of nodes that bound it.

    u, forces: two rows of nodes that start at ``lower`` and ``upper``, each 2 components × width, flat. lam, mu:
    moduli of width - 1 voxels from ``offset`` on. f: work space, 8 × (width + 1).
    """
    kind = lam.dtype.type
    half, quarter = kind(0.5), kind(0.25)
    n, row, one = _u(width - 1), _u(width + 1), _u(1)
    e, a0, a1 = _u(offset), _u(lower), _u(upper)
    b0, b1 = a0 + _u(width), a1 + _u(width)
    for k in range(n):
        L, M = lam[e + k], mu[e + k]
        s0, d0 = half * (u[a0 + k] + u[a0 + k + one]), u[a0 + k + one] - u[a0 + k]
        s1, d1 = half * (u[a1 + k] + u[a1 + k + one]), u[a1 + k + one] - u[a1 + k]
        ax, ay, axy = s1 - s0, half * (d0 + d1), d1 - d0
        s0, d0 = half * (u[b0 + k] + u[b0 + k + one]), u[b0 + k + one] - u[b0 + k]
        s1, d1 = half * (u[b1 + k] + u[b1 + k + one]), u[b1 + k + one] - u[b1 + k]
        bx, by, bxy = s1 - s0, half * (d0 + d1), d1 - d0
        p = L * (ax + by)  # of the mean dilatation: the constant monomial alone
        shear, D, D1 = half * M * (ay + bx), M + M, quarter * M
        # forces along x: (x, y, xy) = (p + D·ax, M·(ay + bx), D1·axy); along y with x and y exchanged
        x, y, xy = half * (p + D * ax), shear, D1 * axy
        f[k], f[row + k] = xy - x - y, y - x - xy
        f[row + row + k], f[_u(3) * row + k] = x - y - xy, x + y + xy
        x, y, xy = shear, half * (p + D * by), D1 * bxy
        f[_u(4) * row + k], f[_u(5) * row + k] = xy - x - y, y - x - xy
        f[_u(6) * row + k], f[_u(7) * row + k] = x - y - xy, x + y + xy
    for component in range(2):
        for corner in range(4):
            node = _u((upper if corner >= 2 else lower) + component * width + corner % 2)
            start = _u((4 * component + corner) * (width + 1))
            for k in range(n):
                forces[node + k] += f[start + k]


@compiled
def _load_row(u, first, nodes, stride, padded, start, width):
    """Copy a row of nodes from ``first`` on to ``width`` nodes: past the end the first one again."""
    for component in range(2):
        line = start + component * width
        copy(u, first + component * stride, padded, line, nodes)
        for k in range(nodes, width):
            padded[line + k] = padded[line + k - nodes]


@compiled
def _store_row(out, first, nodes, stride, padded, start, width, sign):
    """Transpose of `_load_row`, times ``sign``, added to ``out``."""
    for component in range(2):
        line = start + component * width
        for k in range(nodes, width):
            padded[line + k - nodes] += padded[line + k]
        target, source, factor = _u(first + component * stride), _u(line), out.dtype.type(sign)
        for k in range(_u(nodes)):
            out[target + k] += factor * padded[source + k]


@compiled
def rows(u, lam, mu, out, nodes, voxels, sign, field, sample, start, stop):
    """Adds ``sign`` times the forces on the rows of nodes ``start`` … ``stop`` - 1 of one field, moduli of ``sample``.

    u, out: fields × 2 × nodes (X, Y), flat; lam, mu: batch × voxels (nx, ny), flat. X = nx in a periodic
    cell, whose row of voxels before the first one is the last; X = nx + 1 in an open cell.
    """
    X, Y = nodes
    nx, width = voxels[0], voxels[1] + 1
    size = 2 * width
    padded, forces = np.zeros(2 * size, lam.dtype), np.zeros(2 * size, lam.dtype)
    f = np.empty(8 * (width + 1), lam.dtype)
    stride, first = X * Y, 2 * field * X * Y
    lower, upper = 0, size
    periodic = nx == X
    _load_row(u, first + (start - 1) % X * Y, Y, stride, padded, lower, width)
    for x in range(start - 1, stop):
        if periodic or x < nx:
            _load_row(u, first + (x + 1) % X * Y, Y, stride, padded, upper, width)
        if periodic or 0 <= x < nx:
            _voxel_row(padded, forces, lower, upper, lam, mu, (sample * nx + x % nx) * (width - 1), width, f)
        if x >= start:
            _store_row(out, first + x * Y, Y, stride, forces, lower, width, sign)
        forces[lower : lower + size] = 0.0
        lower, upper = upper, lower
