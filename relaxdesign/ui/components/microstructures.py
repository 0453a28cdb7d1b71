"""Fields as they are sent to the browser: codes of a byte per voxel, not pictures.

A 64×64 field takes 4 kB, is drawn pixel for pixel, and tells the modulus under the pointer. Of three-dimensional
fields the three visible faces of the cube are sent, and of the chosen one the whole volume.
"""

from __future__ import annotations

import base64

import numpy as np

from relaxdesign.replay import Frame
from relaxdesign.ui.text import gpa, percent, significant


def describe(frame: Frame, target: float | None, *, focus: int | None = None) -> dict:
    """What the browser needs of one step. focus: the candidate whose volume comes along."""
    tiles = [
        {
            "pixels": encode(faces(codes)),
            "low": None if np.isnan(low) else float(low),
            "high": None if np.isnan(high) else float(high),
            "main": "" if np.isnan(bulk) else f"K = {gpa(float(bulk))}",
            "short": "" if np.isnan(bulk) else significant(float(bulk)),  # on narrow tiles; the curves name the unit
            "extra": "" if np.isnan(bulk) or target is None else f"({percent(float(bulk) / target - 1)})",
        }
        for codes, low, high, bulk in zip(frame.codes, frame.low, frame.high, frame.bulk, strict=True)
    ]
    volume = None if focus is None else encode(frame.codes[focus].ravel(order="F"))
    return {"step": frame.step, "tiles": tiles, "focus": focus, "volume": volume}


def faces(field: np.ndarray) -> np.ndarray:
    """What is drawn of a field: in 2D its `picture`; in 3D the faces z = 1, y = 1 and x = 1 one after the other.

    Image rows run along x (top face) or downwards along z, columns along y, x and y.
    """
    if field.shape[2] == 1:
        return picture(field)
    return np.ascontiguousarray(np.stack([field[:, :, -1], field[:, -1, ::-1].T, field[-1, :, ::-1].T]))


def picture(field: np.ndarray) -> np.ndarray:
    """The x-y plane through the middle of a field (nx, ny, nz) as image rows: x to the right, y upwards."""
    return np.ascontiguousarray(field[:, ::-1, field.shape[2] // 2].T)


def encode(values: np.ndarray) -> str:
    """The bytes of an array in base64."""
    return base64.b64encode(values.tobytes()).decode()
