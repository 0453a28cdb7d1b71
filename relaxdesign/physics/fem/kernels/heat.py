"""Heat flows of 3D cells in one pass over the voxels: `relaxdesign.physics.fem.kernels.solid` for one component."""

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
def _voxels(layers, flows, conductivity, voxel, sign, start, count):
    """Flows of ``count`` voxels from ``start`` of a tile on, times ``sign``; conductivities from ``voxel`` on."""
    kind = conductivity.dtype.type
    w0, w1, w2 = kind(sign * LINEAR), kind(2.0 * sign * BILINEAR), kind(3.0 * sign * TRILINEAR)
    only, one = _u(0), _u(1)
    first, modulus = _u(start), _u(voxel)
    for n in range(_u(count)):
        value, k = conductivity[modulus + n], first + n
        x, y, z, xy, xz, yz, xyz = coefficients(layers, k, only, one)
        c0, c1, c2 = w0 * value, w1 * value, w2 * value
        add_forces(flows, k, only, one, c0 * x, c0 * y, c0 * z, c1 * xy, c1 * xz, c1 * yz, c2 * xyz)


@compiled
def planes(u, conductivity, out, nodes, voxels, sign, field, sample, start, stop):
    """Adds ``sign`` times the flows on planes ``start`` … ``stop`` - 1 of the nodes of one field.

    u, out: fields × nodes (X, Y, Z), flat; conductivity: batch × voxels (nx, ny, nz), flat; as in the elastic kernel.
    """
    X, Y, Z = nodes
    nx, ny, nz = voxels
    stride, first = X * Y * Z, field * X * Y * Z
    layers, flows = work_space(8 * TILE, conductivity), work_space(8 * TILE, conductivity)
    pairs = work_space(4 * TILE, conductivity)
    width = min(nz, USED)
    rows = min(ny, USED // width)
    for y0 in range(0, ny, rows):
        for z0 in range(0, nz, width):
            tile = y0, z0, min(rows, ny - y0), min(width, nz - z0)
            run = tile[2] * nz if width == nz else tile[3]
            add_layer(u, first + (start - 1) % X * Y * Z, stride, (Y, Z), tile, 1, layers, pairs)
            layers[: 4 * TILE] = layers[4 * TILE :]
            flows[: 4 * TILE] = 0.0
            for x in range(start - 1, stop):
                add_layer(u, first + (x + 1) % X * Y * Z, stride, (Y, Z), tile, 1, layers, pairs)
                if nx == X or 0 <= x < nx:
                    for n in range(tile[2] * tile[3] // run):
                        voxel = ((sample * nx + x % nx) * ny + y0 + n) * nz + z0
                        _voxels(layers, flows, conductivity, voxel, sign, n * run, run)
                else:
                    layers[: 4 * TILE] = layers[4 * TILE :]
                    flows[4 * TILE :] = flows[: 4 * TILE]
                if x >= start:
                    store_layer(flows, out, first + x * Y * Z, stride, (Y, Z), tile, 1, pairs)
