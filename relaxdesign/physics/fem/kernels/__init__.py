"""Fused kernels for elasticity on a CPU: one pass over voxels, frequencies or vectors, no intermediate fields.

`relaxdesign.physics.fem.operator`, `convolution` and `solver` say the same in tensor operations, for other devices and
physics; results agree to round-off. Compiled by Numba at first use (about 20 s in all) and kept on disk.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from relaxdesign.physics.fem.kernels import plane, solid, vectors
from relaxdesign.physics.fem.kernels import spectrum as spectra

THREADED_VOXELS = 200_000
"""Voxels times batch from which starting threads pays."""


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="elasticity")


def pad_moduli(modulus: Tensor) -> Tensor:
    """Modulus (batch, *voxels) with a zero appended to every row: the form `elastic_forces` takes."""
    return torch.nn.functional.pad(modulus, (0, 1))


def elastic_forces(u: Tensor, lam: Tensor, mu: Tensor) -> Tensor:
    """Stiffness times displacement, (fields, dim, *nodes), for cells on a CPU; dim 2 (in the plane) or 3.

    Args:
        u: displacement, (fields, dim, *nodes), contiguous; nodes = voxels (periodic) or voxels + 1 (open cell).
        lam, mu: Lamé constants in GPa from `pad_moduli`, (batch, *voxels, one more along the last axis);
            fields = batch · load cases.
    """
    out = torch.empty_like(u)
    fields, layers = u.shape[0], u.shape[2]
    load_cases = fields // len(lam)
    arrays = (tensor.reshape(-1).numpy() for tensor in (u, lam, mu, out))
    kernel = plane.rows if u.ndim == 4 else solid.planes
    part = functools.partial(kernel, *arrays, tuple(u.shape[2:]), tuple(lam.shape[1:]))
    _in_layers(part, fields, load_cases, layers, load_cases * lam.numel())
    return out


def packed_product(spectrum: Tensor, matrices: Tensor) -> Tensor:
    """Matrix per frequency times (fields, components, X, Y, Z), a spectrum of (re, im) side by side; on a CPU.

    matrices: of `relaxdesign.physics.fem.convolution.PackedConvolution`, (batch, X, entries, numbers of a plane and
    padding).
    """
    out = torch.empty_like(spectrum)
    fields, size, *grid = spectrum.shape
    arrays = (tensor.view(-1).numpy() for tensor in (spectrum, matrices, out))
    part = functools.partial(spectra.planes, *arrays, size, tuple(grid))
    _in_layers(part, fields, fields // len(matrices), grid[0], spectrum.numel() // size)
    return out


def _in_layers(part: Callable[[int, int, int, int], None], fields: int, load_cases: int, layers: int, voxels: int):
    """Call ``part(field, sample, start, stop)`` for all layers of all fields, on several threads if that pays."""
    threads = torch.get_num_threads() // 2  # torch's own threads keep the other cores busy between operations
    if threads < 2 or voxels < THREADED_VOXELS:
        for field in range(fields):
            part(field, field // load_cases, 0, layers)
        return
    shares = -(-threads // fields)  # parts of one field
    cuts = [layers * n // shares for n in range(shares + 1)]
    jobs = [
        _pool(threads).submit(part, field, field // load_cases, start, stop)
        for field in range(fields)
        for start, stop in itertools.pairwise(cuts)
        if start < stop
    ]
    for job in jobs:
        job.result()


def descend(x: Tensor, r: Tensor, p: Tensor, q: Tensor, rz: Tensor) -> tuple[Tensor, Tensor]:
    """x += α p and r -= α q in place, α = rz / p·q; returns p·q and ‖r‖, (fields,). All (fields, n), on a CPU."""
    curvature, squared = torch.empty_like(rz), torch.empty_like(rz)
    vectors.descend(*(tensor.numpy() for tensor in (x, r, p, q, rz, curvature, squared)))
    return curvature, squared.sqrt_()


def redirect(p: Tensor, r: Tensor, z: Tensor, rz: Tensor) -> None:
    """p = z + (r·z / rz) p and rz = r·z in place. p, r, z: (fields, n); rz: (fields,); on a CPU."""
    vectors.redirect(*(tensor.numpy() for tensor in (p, r, z, rz)))


def prepare() -> None:
    """Compile for both precisions now, so that the first cell does not have to wait."""
    for dtype in (torch.float32, torch.float64):
        for dim in (2, 3):
            modulus = pad_moduli(torch.ones(1, *(2,) * dim, dtype=dtype))
            elastic_forces(torch.zeros(1, dim, *(2,) * dim, dtype=dtype), modulus, modulus)
        packed_product(
            torch.zeros(1, 1, 1, 1, 2, dtype=dtype), torch.zeros(1, 1, 2, 2 + spectra.ROW_PADDING, dtype=dtype)
        )
        x, r, p, q = (torch.zeros(1, 2, dtype=dtype) for _ in range(4))
        rz = torch.zeros(1, dtype=dtype)
        descend(x, r, p, q, rz)
        redirect(p, r, q, rz)
