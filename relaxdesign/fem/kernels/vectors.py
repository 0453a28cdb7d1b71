"""The steps of conjugate gradients between operator and preconditioner, and the product of the preconditioner.

Vectors are rows of (fields, n), fields = batch · load cases. Each function reads and writes every number once.
"""

from __future__ import annotations

from relaxdesign.fem.kernels.compiling import compiled
from relaxdesign.fem.kernels.compiling import unsigned as _u


@compiled
def descend(x, r, p, q, rz, curvature, squared):
    """x += α p and r -= α q with α = rz / curvature, curvature = p·q (0 where rz is 0); squared = r·r."""
    fields, size = x.shape
    n = _u(size)
    for field in range(fields):
        X, R, P, Q = x[field], r[field], p[field], q[field]
        energy = rz.dtype.type(0.0)
        for k in range(n):
            energy += P[k] * Q[k]
        step = rz[field] / energy if rz[field] != 0.0 else rz.dtype.type(0.0)
        square = rz.dtype.type(0.0)
        for k in range(n):
            X[k] += step * P[k]
            R[k] -= step * Q[k]
            square += R[k] * R[k]
        curvature[field], squared[field] = energy, square


@compiled
def redirect(p, r, z, rz):
    """p = z + β p with β = r·z / rz (0 where rz is 0); rz becomes r·z."""
    fields, size = p.shape
    n = _u(size)
    for field in range(fields):
        P, R, Z = p[field], r[field], z[field]
        product = rz.dtype.type(0.0)
        for k in range(n):
            product += R[k] * Z[k]
        ratio = product / rz[field] if rz[field] != 0.0 else rz.dtype.type(0.0)
        for k in range(n):
            P[k] = Z[k] + ratio * P[k]
        rz[field] = product


@compiled
def multiply_3(vectors, matrices, field, sample, size):
    """Three values of each frequency times its symmetric 3×3 matrix, in place; everything flat."""
    n = _u(size)
    x = _u(3 * field * size)
    m = _u(6 * sample * size)
    y, z = x + n, x + n + n
    for k in range(n):
        a, b, c = vectors[x + k], vectors[y + k], vectors[z + k]
        xy, xz, yz = matrices[m + n + k], matrices[m + _u(2) * n + k], matrices[m + _u(4) * n + k]
        vectors[x + k] = matrices[m + k] * a + xy * b + xz * c
        vectors[y + k] = xy * a + matrices[m + _u(3) * n + k] * b + yz * c
        vectors[z + k] = xz * a + yz * b + matrices[m + _u(5) * n + k] * c


@compiled
def multiply_2(vectors, matrices, field, sample, size):
    """As `multiply_3` with 2×2 matrices."""
    n = _u(size)
    x = _u(2 * field * size)
    m = _u(3 * sample * size)
    y = x + n
    for k in range(n):
        a, b, xy = vectors[x + k], vectors[y + k], matrices[m + n + k]
        vectors[x + k] = matrices[m + k] * a + xy * b
        vectors[y + k] = xy * a + matrices[m + n + n + k] * b
