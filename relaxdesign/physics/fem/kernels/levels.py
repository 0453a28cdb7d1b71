"""Steps of multigrid between applications of the stiffness, each one pass over its vectors; 3D periodic grids."""

from __future__ import annotations

from relaxdesign.physics.fem.kernels.compiling import compiled
from relaxdesign.physics.fem.kernels.compiling import unsigned as _u


@compiled
def begin(x, step, force, inverse, size, gain, field, sample):
    """x = step = gain · inverse · force, for one field of so many components.

    x, step, force: fields × components × nodes, flat; inverse: batch × nodes; size: (components, nodes).
    """
    components, nodes = size
    scale, weight = _u(sample * nodes), x.dtype.type(gain)
    for c in range(components):
        first = _u((field * components + c) * nodes)
        for k in range(_u(nodes)):
            change = weight * inverse[scale + k] * force[first + k]
            step[first + k] = change
            x[first + k] = change


@compiled
def improve(x, step, residual, inverse, size, keep, gain, field, sample):
    """step = keep · step + gain · inverse · residual and x += step; arguments as in `begin`."""
    components, nodes = size
    scale, weight, old = _u(sample * nodes), x.dtype.type(gain), x.dtype.type(keep)
    for c in range(components):
        first = _u((field * components + c) * nodes)
        if keep == 0.0:  # what step holds does not matter
            for k in range(_u(nodes)):
                change = weight * inverse[scale + k] * residual[first + k]
                step[first + k] = change
                x[first + k] += change
        else:
            for k in range(_u(nodes)):
                change = old * step[first + k] + weight * inverse[scale + k] * residual[first + k]
                step[first + k] = change
                x[first + k] += change


@compiled
def restrict(fine, coarse, grid, first, target, line):
    """Transpose of `prolong` for one component: nodes of the coarse grid sum their fine neighbours by weight.

    fine: grid (X, Y, Z) from ``first`` on; coarse: half as many along each axis, from ``target`` on; line: work
    space, Z.
    """
    X, Y, Z = grid
    half, one = fine.dtype.type(0.5), _u(1)
    for x in range(X // 2):
        for y in range(Y // 2):
            for k in range(_u(Z)):
                line[k] = fine.dtype.type(0.0)
            for dx in range(-1, 2):
                for dy in range(-1, 2):
                    weight = fine.dtype.type((1.0 - 0.5 * abs(dx)) * (1.0 - 0.5 * abs(dy)))
                    row = _u(first + ((2 * x + dx) % X * Y + (2 * y + dy) % Y) * Z)
                    for k in range(_u(Z)):
                        line[k] += weight * fine[row + k]
            out = _u(target + (x * (Y // 2) + y) * (Z // 2))
            coarse[out] = line[0] + half * (line[1] + line[Z - 1])
            for k in range(one, _u(Z // 2)):
                coarse[out + k] = line[k + k] + half * (line[k + k + one] + line[k + k - one])


@compiled
def prolong(coarse, fine, grid, first, target, line):
    """Adds the trilinear interpolation of one component to the fine grid; arguments as in `restrict`."""
    X, Y, Z = grid
    x2, y2, z2 = X // 2, Y // 2, Z // 2
    half, one = fine.dtype.type(0.5), _u(1)
    for x in range(X):
        low_x, high_x = x // 2, (x + 1) // 2 % x2
        for y in range(Y):
            low_y, high_y = y // 2, (y + 1) // 2 % y2
            a, b = _u(target + (low_x * y2 + low_y) * z2), _u(target + (low_x * y2 + high_y) * z2)
            c, d = _u(target + (high_x * y2 + low_y) * z2), _u(target + (high_x * y2 + high_y) * z2)
            for k in range(_u(z2)):
                line[k] = half * half * (coarse[a + k] + coarse[b + k] + coarse[c + k] + coarse[d + k])
            line[z2] = line[0]
            row = _u(first + (x * Y + y) * Z)
            for k in range(_u(z2)):
                fine[row + k + k] += line[k]
                fine[row + k + k + one] += half * (line[k] + line[k + one])
