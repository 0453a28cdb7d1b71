"""Matrix per frequency times a spectrum in which pairs of neighbours are one complex number.

See `relaxdesign.physics.fem.convolution.PackedConvolution` for the mathematics. i·conj(a + ib) = b + ia: the memory of
a line of complex numbers, read backwards, so everything here is real.
"""

from __future__ import annotations

import numpy as np

from relaxdesign.physics.fem.kernels.compiling import compiled
from relaxdesign.physics.fem.kernels.compiling import unsigned as _u

ROW_PADDING = 16
"""Numbers after every row of the matrices: rows a power of two apart would fall on one another in the cache."""


@compiled
def _mirror(spectrum, first, Y, Z, mirrored, start):
    """i·conj of the opposite frequencies of a plane of Y × Z numbers (Z / 2 frequencies) from ``first`` on."""
    for y in range(Y):
        line, target = _u(first + (Y - y) % Y * Z), _u(start + y * Z)
        mirrored[target], mirrored[target + _u(1)] = spectrum[line + _u(1)], spectrum[line]
        end = line + _u(Z + 1)
        for k in range(_u(2), _u(Z)):
            mirrored[target + k] = spectrum[end - k]


@compiled
def planes(spectrum, matrices, out, size, grid, field, sample, start, stop):
    """out = M · spectrum + M' · i conj(spectrum at the opposite frequency) in planes ``start`` … ``stop`` - 1.

    spectrum, out: fields × size × grid (X, Y, Z), flat. matrices: batch × X × entries × (Y·Z + `ROW_PADDING`), flat,
    entries the upper triangle of M, then that of M', row by row.
    """
    X, Y, Z = grid
    plane, entries = Y * Z, size * (size + 1) // 2
    row = plane + ROW_PADDING
    mirrored = np.empty(size * row, spectrum.dtype)
    for x in range(start, stop):
        for j in range(size):
            _mirror(spectrum, ((size * field + j) * X + (X - x) % X) * plane, Y, Z, mirrored, j * row)
        for i in range(size):
            o = _u(((size * field + i) * X + x) * plane)
            for j in range(size):
                low, high = min(i, j), max(i, j)
                entry = low * size - low * (low - 1) // 2 + high - low
                m = _u(((sample * X + x) * 2 * entries + entry) * row)
                n = m + _u(entries * row)
                s, r = _u(((size * field + j) * X + x) * plane), _u(j * row)
                if j == 0:
                    for k in range(_u(plane)):
                        out[o + k] = matrices[m + k] * spectrum[s + k] + matrices[n + k] * mirrored[r + k]
                else:
                    for k in range(_u(plane)):
                        out[o + k] += matrices[m + k] * spectrum[s + k] + matrices[n + k] * mirrored[r + k]
