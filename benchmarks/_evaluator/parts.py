"""Where the time of an iteration goes, and how near it is to what the memory allows.

Each part of one conjugate gradient iteration is timed on its own, in float32 as the solver runs it in 3D, with the
bytes that it cannot avoid to read and write. Divided by the time they give a rate that is compared with that of
copying a large array.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from relaxdesign.physics.fem import kernels
from relaxdesign.physics.fem.green import make_green
from relaxdesign.physics.fem.moduli import lame_from_bulk_shear
from relaxdesign.physics.fem.operator import VoxelOperator
from relaxdesign.physics.fem.threads import threads_for

from .cases import Case
from .cells import moduli

COPIED = 2**26
"""Numbers in the array that is copied: far more than any cache holds."""
REPEATS = 15


def measure_parts(task: dict) -> dict:
    """Seconds and bytes per part of an iteration on a 3D cell of ``task["grid"]`` voxels per edge."""
    case = Case("relaxdesign", "K+gradient", 3, task["grid"], threads=task["threads"])
    torch.set_num_threads(case.threads)
    K, G = (field.float() for field in moduli(case))
    operator = VoxelOperator(lame_from_bulk_shear(K, G))
    green = make_green(operator)
    x, r, p, z = (torch.randn(1, 3, *operator.grid) for _ in range(4))
    rows = [field.flatten(1) for field in (x, r, p, z)]
    rz, dims = torch.ones(1), (2, 3, 4)
    with threads_for(operator.voxels):
        q = operator.apply(p)
        packed = torch.view_as_complex(p.unflatten(-1, (-1, 2)))  # as `PackedConvolution.apply` does it
        spectrum = torch.fft.fftn(packed, dim=dims)
        flat = torch.view_as_real(spectrum).flatten(-2)
        vector, modulus = (_bytes(t) for t in (p, operator.moduli[0]))
        parts: dict[str, tuple[Callable[[], object], int]] = {
            "stencil": (lambda: operator.apply(p), 2 * vector + 2 * modulus),
            "forward FFT": (lambda: torch.fft.fftn(packed, dim=dims), 2 * vector),
            "product with the inverse reference": (
                lambda: kernels.packed_product(flat, green._matrices),
                2 * vector + _bytes(green._matrices),
            ),
            "inverse FFT": (lambda: torch.fft.ifftn(spectrum, dim=dims), 2 * vector),
            "vectors": (lambda: _vectors(rows, q.flatten(1), rz), 11 * vector),
        }
        lines = {name: {"seconds": _seconds(call), "bytes": size} for name, (call, size) in parts.items()}
        threads = torch.get_num_threads()
    source, target = torch.zeros(COPIED), torch.zeros(COPIED)
    torch.set_num_threads(threads)
    rate = 2 * _bytes(source) / _seconds(lambda: target.copy_(source))
    return {"grid": case.grid, "threads_used": threads, "copy_bytes_per_second": rate, "parts": lines}


def _vectors(rows: list[torch.Tensor], q: torch.Tensor, rz: torch.Tensor) -> None:
    x, r, p, z = rows
    kernels.descend(x, r, p, q, rz)
    kernels.redirect(p, r, z, rz.fill_(1.0))


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _seconds(call: Callable[[], object]) -> float:
    """Median of the repeats after one call that is not counted."""
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
