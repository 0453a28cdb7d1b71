"""Films of a scene: a turntable, and a cell that deforms to and fro."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from relaxdesign.scene.scenes import Scene
from relaxdesign.scene.stills import on_background, studio

SIZE = (640, 520)
PER_SECOND = 24.0
_TURN, _CYCLE = 96, 48
"""Pictures of one turn, and of one deformation to and fro."""


def turntable(scene: Scene, *, dark: bool = False) -> Iterator[NDArray[np.uint8]]:
    """One turn about the vertical: uint8 (height, width, 3)."""
    for number in range(_TURN):
        camera = scene.camera_turned(2 * math.pi * number / _TURN)
        yield on_background(studio().picture(scene, *SIZE, camera), dark=dark)


def deformation(scene: Scene, *, dark: bool = False) -> Iterator[NDArray[np.uint8]]:
    """From the cell as it is to as far as its points move, and back: uint8 (height, width, 3)."""
    for number in range(_CYCLE):
        share = (1.0 - math.cos(2 * math.pi * number / _CYCLE)) / 2.0
        yield on_background(studio().picture(scene.deformed(share), *SIZE), dark=dark)
