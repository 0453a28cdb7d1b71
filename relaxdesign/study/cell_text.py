"""The cell that designs of given phases begin from, as text that a request carries: its voxels' phases, packed."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence

import numpy as np

LONGEST_CELL = 500_000
"""Characters; 64³ voxels of noise have a third of it."""
_MOST_VOXELS = 2**24


def write_cell(phases: np.ndarray) -> str:
    """``64x64x1:…``. phases: whole numbers from 0, (nx, ny, nz)."""
    packed = zlib.compress(np.ascontiguousarray(phases, dtype=np.uint8).tobytes(), 9)
    return "x".join(map(str, phases.shape)) + ":" + base64.b64encode(packed).decode()


def read_cell(text: str) -> np.ndarray:
    """The phases, (nx, ny, nz). Raises ValueError for any other text; it is unpacked to no more than it tells."""
    size, _, packed = text.partition(":")
    try:
        shape = tuple(int(n) for n in size.split("x"))
        voxels = int(np.prod(shape))
        if len(shape) != 3 or min(shape) < 1 or not 0 < voxels <= _MOST_VOXELS:
            raise ValueError
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(base64.b64decode(packed, validate=True), voxels)
        if len(content) != voxels or unpacking.unconsumed_tail:
            raise ValueError
    except (ValueError, OverflowError, binascii.Error, zlib.error):
        raise ValueError("start_cell: no cell, as `relaxdesign.study.cell_text.write_cell` makes it") from None
    return np.frombuffer(content, np.uint8).reshape(shape)


def check_cell(text: str, phases: Sequence[str], dim: int) -> None:
    """Raises ValueError for text that holds no cell of these phases in this dimension."""
    if not phases:
        raise ValueError("a start_cell takes given phases, e.g. void and a material")
    cell = read_cell(text)
    if (cell.shape[2] == 1) != (dim == 2):
        size = " x ".join(map(str, cell.shape))
        raise ValueError(f"the cell to begin from has {size} voxels, the request asks for {dim}D")
    if int(cell.max()) >= len(phases):
        raise ValueError(f"the cell to begin from has {int(cell.max()) + 1} phases, given are {', '.join(phases)}")
