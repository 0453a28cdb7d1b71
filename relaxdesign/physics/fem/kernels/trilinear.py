"""Trilinear fields on layers of voxels: what the elastic and the conducting kernel share.

In coordinates x, y, z ∈ [-½, ½] of a voxel a trilinear field is a sum of eight monomials whose derivatives are
orthogonal: ∫ 1 = 1, ∫ x² = 1/12, ∫ x²y² = 1/144. The stiffness of a voxel is therefore *sparse* in the coefficients of
the monomials, and eight corner values become coefficients by sums and differences along the three axes. Those along y
and z are taken once per layer of nodes and serve the voxels on both sides of it. Sums are not halved: a coefficient
comes out times two for each axis that it does not vary along, which the weights of the voxels take back
(`LINEAR`, `BILINEAR`, `TRILINEAR`).

A tile is what one layer of voxels has within ``TILE`` values: all of a few rows, or part of a long one. Its work space,
``4 * components`` rows for the lower and as many for the upper layer of nodes, stays in the second-level cache. Rows
1, y, z and yz of component c start at ``(4 c + row) * TILE``, those of the upper layer ``4 * components * TILE`` later.
"""

from __future__ import annotations

import numpy as np

from relaxdesign.physics.fem.kernels.compiling import compiled
from relaxdesign.physics.fem.kernels.compiling import unsigned as _u

TILE = 1040
"""Values of a row of the work space: no power of two, whose rows would fall on one another in the cache."""
TILE2, TILE3 = 2 * TILE, 3 * TILE

USED = 1024
"""Values of a tile at most."""

LINEAR, BILINEAR, TRILINEAR = 1.0 / 16.0, 1.0 / 48.0, 1.0 / 144.0
"""∫ (∂ monomial)² of x, xy and xyz over the square of the factor that unhalved sums leave."""

LINE = 64
"""Bytes of a cache line: vectors that cross one take twice as long."""


@compiled
def work_space(size, like):
    """Zeros of the kind of ``like``, from the start of a cache line on."""
    values = np.zeros(size + LINE // like.itemsize, like.dtype)
    start = (LINE - values.ctypes.data % LINE) % LINE // like.itemsize
    return values[start : start + size]


@compiled
def add_layer(u, first, stride, nodes, tile, components, upper, pairs):
    """Sums and differences along y and z of a layer of nodes, into the upper half of the work space.

    u: flat; its layer starts at ``first``, the next component ``stride`` later. nodes: (Y, Z) of a layer, past whose
    end the first ones come again. tile: (y, z) of the first voxel, rows and width. pairs: work space, 4 * TILE.
    """
    Y, Z = nodes
    y0, z0, rows, width = tile
    one, last = _u(1), _u(width - 1)
    for c in range(components):
        for y in range(rows + 1):
            line = _u(first + c * stride + (y0 + y) % Y * Z + z0)
            new = _u(y % 2 * TILE2)
            for k in range(last):
                pairs[new + k] = u[line + k + one] + u[line + k]
                pairs[new + k + _u(TILE)] = u[line + k + one] - u[line + k]
            end = u[line - _u(z0) + _u((z0 + width) % Z)]
            pairs[new + last] = end + u[line + last]
            pairs[new + last + _u(TILE)] = end - u[line + last]
            if y > 0:
                old = _u(TILE2) - new
                row = _u(4 * (components + c) * TILE + (y - 1) * width)
                for k in range(_u(width)):
                    upper[row + k] = pairs[old + k] + pairs[new + k]
                    upper[row + k + _u(TILE)] = pairs[new + k] - pairs[old + k]
                    upper[row + k + _u(TILE2)] = pairs[old + k + _u(TILE)] + pairs[new + k + _u(TILE)]
                    upper[row + k + _u(TILE3)] = pairs[new + k + _u(TILE)] - pairs[old + k + _u(TILE)]


@compiled
def coefficients(layers, k, component, components):
    """Coefficients of x, y, z, xy, xz, yz, xyz of one voxel; its upper layer becomes the lower one of the next."""
    low = k + _u(4 * TILE) * component
    up = low + _u(4 * TILE) * components
    s0, y0, z0, yz0 = layers[low], layers[low + _u(TILE)], layers[low + _u(TILE2)], layers[low + _u(TILE3)]
    s1, y1, z1, yz1 = layers[up], layers[up + _u(TILE)], layers[up + _u(TILE2)], layers[up + _u(TILE3)]
    layers[low], layers[low + _u(TILE)], layers[low + _u(TILE2)], layers[low + _u(TILE3)] = s1, y1, z1, yz1
    return s1 - s0, y0 + y1, z0 + z1, y1 - y0, z1 - z0, yz0 + yz1, yz1 - yz0


@compiled
def add_forces(forces, k, component, components, x, y, z, xy, xz, yz, xyz):
    """Transpose of `coefficients`: the lower layer's forces are complete and go up, those of the next are begun."""
    low = k + _u(4 * TILE) * component
    up = low + _u(4 * TILE) * components
    forces[up], forces[low] = forces[low] - x, x
    forces[up + _u(TILE)], forces[low + _u(TILE)] = forces[low + _u(TILE)] + (y - xy), y + xy
    forces[up + _u(TILE2)], forces[low + _u(TILE2)] = forces[low + _u(TILE2)] + (z - xz), z + xz
    forces[up + _u(TILE3)], forces[low + _u(TILE3)] = forces[low + _u(TILE3)] + (yz - xyz), yz + xyz


@compiled
def store_layer(forces, out, first, stride, nodes, tile, components, pairs):
    """Transpose of `add_layer`: adds the complete forces of a layer of nodes to ``out``."""
    Y, Z = nodes
    y0, z0, rows, width = tile
    one, last, wide = _u(1), _u(width - 1), _u(width)
    for c in range(components):
        for y in range(rows + 1):
            line = _u(first + c * stride + (y0 + y) % Y * Z + z0)
            after = _u(4 * (components + c) * TILE + y * width)
            before = after - wide
            if y == 0:
                for k in range(wide):
                    pairs[k] = forces[after + k] - forces[after + k + _u(TILE)]
                    pairs[k + _u(TILE)] = forces[after + k + _u(TILE2)] - forces[after + k + _u(TILE3)]
            elif y == rows:
                for k in range(wide):
                    pairs[k] = forces[before + k] + forces[before + k + _u(TILE)]
                    pairs[k + _u(TILE)] = forces[before + k + _u(TILE2)] + forces[before + k + _u(TILE3)]
            else:
                for k in range(wide):
                    pairs[k] = (forces[after + k] - forces[after + k + _u(TILE)]) + (
                        forces[before + k] + forces[before + k + _u(TILE)]
                    )
                    pairs[k + _u(TILE)] = (forces[after + k + _u(TILE2)] - forces[after + k + _u(TILE3)]) + (
                        forces[before + k + _u(TILE2)] + forces[before + k + _u(TILE3)]
                    )
            out[line] += pairs[0] - pairs[TILE]
            for k in range(one, wide):
                out[line + k] += (pairs[k] - pairs[k + _u(TILE)]) + (pairs[k - one] + pairs[k - one + _u(TILE)])
            out[line - _u(z0) + _u((z0 + width) % Z)] += pairs[last] + pairs[last + _u(TILE)]
