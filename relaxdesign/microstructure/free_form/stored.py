"""Level sets as JSON, so that a cell can be built again on any grid or as a surface."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 4096
"""Per voxel: far finer than interfaces are known."""


def packed(levels: NDArray[np.float64]) -> dict[str, Any]:
    """Level sets (n, *grid), 1 per voxel; beyond 8 voxels from an interface they are cut off.

    ``level``: the values times ``steps`` as little-endian int16 in C order, compressed by zlib, in base64. ``shape``:
    of the array.
    """
    whole = np.clip(np.rint(levels * STEPS), -(2**15) + 1, 2**15 - 1).astype("<i2")
    whole[(whole == 0) & (levels > 0)] = 1  # a centre stays in its phase
    return {
        "level": base64.b64encode(zlib.compress(whole.tobytes(), 9)).decode(),
        "shape": list(levels.shape),
        "steps": STEPS,
    }


def unpacked(geometry: Mapping[str, Any]) -> NDArray[np.float64]:
    """The inverse of ``packed``."""
    whole = np.frombuffer(zlib.decompress(base64.b64decode(geometry["level"])), "<i2")
    return whole.reshape(geometry["shape"]) / float(geometry["steps"])
