"""How the voxels of one grid lie in those of another along the same edge."""

from __future__ import annotations

import numpy as np


def overlaps(count: int, new: int) -> np.ndarray:
    """Which part of every one of ``new`` voxels lies in which of ``count`` along the same edge, (new, count)."""
    ends, old = np.linspace(0.0, count, new + 1), np.arange(count)
    lengths = np.minimum(ends[1:, None], old + 1) - np.maximum(ends[:-1, None], old)
    return np.clip(lengths, 0.0, None) * (new / count)
