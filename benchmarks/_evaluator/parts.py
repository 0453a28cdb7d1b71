"""Where the time of an iteration goes, and how near it is to what the memory allows.

Each part of one conjugate gradient iteration is timed on its own, in float32 as the solver runs it in 3D, with the
bytes that it cannot avoid to read and write. Divided by the time they give a rate that is compared with that of
copying a large array.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from relaxdesign.physics.fem import kernels
from relaxdesign.physics.fem.moduli import lame_from_bulk_shear
from relaxdesign.physics.fem.multigrid import make_multigrid
from relaxdesign.physics.fem.operator import VoxelOperator
from relaxdesign.physics.fem.threads import threads_for

from .cases import Case
from .cells import moduli

COPIED = 2**26
"""Numbers in the array that is copied: far more than any cache holds."""
REPEATS = 15


def measure_parts(task: dict) -> dict:
    """Seconds and bytes per part of an iteration on a 3D cell of ``task["grid"]`` voxels per edge.

    A V-cycle applies the stiffness four times on the cell's own grid, the iteration a fifth time, and takes four steps
    of the smoother; what it does on coarser grids is one part.
    """
    case = Case("relaxdesign", "K+gradient", 3, task["grid"], threads=task["threads"])
    torch.set_num_threads(case.threads)
    K, G = (field.float() for field in moduli(case))
    operator = VoxelOperator(lame_from_bulk_shear(K, G))
    multigrid = make_multigrid(operator)
    assert multigrid is not None, f"a grid of {case.grid} voxels cannot be halved down to a few"
    level = multigrid.levels[0]
    x, r, p, z = (torch.randn(1, 3, *operator.grid) for _ in range(4))
    step, keep, gain = torch.zeros_like(x), np.full(1, 0.5), np.full(1, 1e-3)
    rows = [field.flatten(1) for field in (x, r, p, z)]
    rz = torch.ones(1)
    with threads_for(operator.voxels):
        q, rest = operator.apply(p), kernels.restrict(r)
        multigrid.apply(r)  # makes its work space
        vector, modulus = (_bytes(t) for t in (p, operator.moduli[0]))
        coarse = vector / 8
        parts: dict[str, tuple[Callable[[], object], int, float]] = {  # call, times, bytes of one call
            "stencil": (lambda: operator.residual(r, p, out=z), 5, 3 * vector + 2 * modulus),
            "smoother": (
                lambda: kernels.smooth(x, step, r, level.inverse, keep, gain),
                4,
                5 * vector + _bytes(level.inverse),
            ),
            "to the coarser grid and back": (
                lambda: kernels.prolong(kernels.restrict(r), x),
                1,
                3 * vector + 2 * coarse,
            ),
            "coarser grids": (lambda: multigrid.cycle(1, rest, torch.empty_like(rest)), 1, (5 * 3 + 4 * 5) * coarse),
            "vectors": (lambda: _vectors(rows, q.flatten(1), rz), 1, 11 * vector),
        }
        lines = {
            name: {"seconds": times * _seconds(call), "bytes": times * size}
            for name, (call, times, size) in parts.items()
        }
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
