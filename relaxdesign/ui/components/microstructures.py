"""Fields as they are sent to the browser: in 2D as codes of a byte per voxel, not pictures.

A 64×64 field takes 4 kB, is drawn pixel for pixel, and tells the modulus under the pointer.
"""

from __future__ import annotations

import base64

import numpy as np

from relaxdesign.library.replay import Frame


def describe(frame: Frame) -> dict:
    """What the browser draws of one step of all candidates; of three-dimensional ones without their fields."""
    flat = frame.codes.shape[3] == 1
    tiles = [
        {
            "pixels": encode(picture(codes)) if flat else None,
            "low": None if np.isnan(low) else float(low),
            "high": None if np.isnan(high) else float(high),
        }
        for codes, low, high in zip(frame.codes, frame.low, frame.high, strict=True)
    ]
    return {"step": frame.step, "tiles": tiles}


def picture(field: np.ndarray) -> np.ndarray:
    """The x-y plane through the middle of a field (nx, ny, nz) as image rows: x to the right, y upwards."""
    return np.ascontiguousarray(field[:, ::-1, field.shape[2] // 2].T)


def encode(values: np.ndarray) -> str:
    """The bytes of an array in base64."""
    return base64.b64encode(values.tobytes()).decode()
