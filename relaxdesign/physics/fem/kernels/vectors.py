"""The steps of conjugate gradients between operator and preconditioner.

Vectors are rows of (fields, n), fields = batch · load cases. Each function reads and writes every number once.
"""

from __future__ import annotations

from relaxdesign.physics.fem.kernels.compiling import compiled
from relaxdesign.physics.fem.kernels.compiling import unsigned as _u


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
