"""How the kernels are compiled, and a loop they need.

Indices are unsigned on purpose: signed ones are checked for being negative, which keeps the compiler from using
vector instructions.
"""

from __future__ import annotations

import functools

import numba
import numpy as np

FAST_MATH = {"reassoc", "contract", "nsz"}  # not "nnan" and "ninf": the solver must see what is not finite

compiled = functools.partial(numba.njit, fastmath=FAST_MATH, nogil=True, error_model="numpy", cache=True)
unsigned = np.uintp


@compiled
def copy(source, first, target, start, count):
    for k in range(unsigned(count)):
        target[unsigned(start) + k] = source[unsigned(first) + k]
