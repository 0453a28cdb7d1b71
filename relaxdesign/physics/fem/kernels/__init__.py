"""Fused kernels for a CPU: one pass over voxels, frequencies or vectors, no intermediate fields.

`relaxdesign.physics.fem.operator`, `convolution` and `solver` say the same in tensor operations, for other devices and
physics; results agree to round-off. Compiled by Numba at first use (about 20 s in all) and kept on disk.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from relaxdesign.physics.fem.kernels import heat, levels, plane, solid, vectors
from relaxdesign.physics.fem.kernels import spectrum as spectra

THREADED_VOXELS = 200_000
"""Voxels times batch from which starting threads pays."""


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="elasticity")


KERNELS = {(2, 2): plane.rows, (2, 3): solid.planes, (1, 3): heat.planes}
"""By number of moduli (elastic or conducting) and of axes."""


def add_forces(u: Tensor, moduli: Sequence[Tensor], out: Tensor, sign: float) -> None:
    """Adds ``sign`` times stiffness times displacement (or temperature) to ``out``, for cells on a CPU.

    Args:
        u, out: (fields, components, *nodes), contiguous; nodes = voxels (periodic) or voxels + 1 (open cell);
            fields = batch · load cases.
        moduli: Lamé constants λ and μ, or the conductivity, each (batch, *voxels), contiguous.
    """
    fields, layers, first = len(u), u.shape[2], moduli[0]
    load_cases = fields // len(first)
    arrays = (tensor.view(-1).numpy() for tensor in (u, *moduli, out))
    kernel = KERNELS[len(moduli), first.ndim - 1]
    part = functools.partial(kernel, *arrays, tuple(u.shape[2:]), tuple(first.shape[1:]), sign)
    _in_layers(part, fields, load_cases, layers, load_cases * first.numel())


def smooth(
    x: Tensor,
    step: Tensor,
    residual: Tensor,
    inverse: Tensor,
    keep: np.ndarray,
    gain: np.ndarray,
    *,
    from_zero: bool = False,
) -> None:
    """step = keep · step + gain · inverse · residual and x += step in place; keep, gain per sample.

    x, step, residual: (fields, components, *nodes), contiguous; inverse: (batch, *nodes). from_zero: whether x and step
    count as zero, whatever they hold.
    """
    cases, size = len(x) // len(inverse), (x.shape[1], inverse[0].numel())
    arrays = (tensor.view(-1).numpy() for tensor in (x, step, residual, inverse))
    part = functools.partial(levels.begin if from_zero else levels.improve, *arrays, size)
    for field in range(len(x)):
        sample = field // cases
        factors = (gain[sample],) if from_zero else (keep[sample], gain[sample])
        part(*factors, field, sample)


def restrict(fine: Tensor) -> Tensor:
    """Transpose of `prolong`, (fields, components, *nodes) to half as many along each axis; 3D, periodic."""
    grid = tuple(fine.shape[2:])
    coarse = fine.new_empty(*fine.shape[:2], *(n // 2 for n in grid))
    _between(levels.restrict, fine, coarse)
    return coarse


def prolong(coarse: Tensor, fine: Tensor) -> None:
    """Adds the trilinear interpolation of ``coarse`` to ``fine``; 3D, periodic."""
    _between(levels.prolong, fine, coarse)


def _between(transfer: Callable[..., None], fine: Tensor, coarse: Tensor) -> None:
    """Call ``transfer`` for each component of all fields."""
    grid = tuple(fine.shape[2:])
    fine_values, coarse_values = fine.view(-1).numpy(), coarse.view(-1).numpy()
    line = np.empty(grid[-1], fine_values.dtype)
    for n in range(fine.shape[0] * fine.shape[1]):
        args = (coarse_values, fine_values) if transfer is levels.prolong else (fine_values, coarse_values)
        transfer(*args, grid, n * fine[0, 0].numel(), n * coarse[0, 0].numel(), line)


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
        for moduli, dim in KERNELS:
            modulus = torch.ones(1, *(2,) * dim, dtype=dtype)
            u = torch.zeros(1, dim if moduli == 2 else 1, *(2,) * dim, dtype=dtype)
            add_forces(u, (modulus,) * moduli, torch.zeros_like(u), 1.0)
        for from_zero in (True, False):
            smooth(u, u.clone(), u, modulus, np.ones(1), np.ones(1), from_zero=from_zero)
        prolong(restrict(u), u)
        packed_product(
            torch.zeros(1, 1, 1, 1, 2, dtype=dtype), torch.zeros(1, 1, 2, 2 + spectra.ROW_PADDING, dtype=dtype)
        )
        x, r, p, q = (torch.zeros(1, 2, dtype=dtype) for _ in range(4))
        rz = torch.zeros(1, dtype=dtype)
        descend(x, r, p, q, rz)
        redirect(p, r, q, rz)
