"""A cell of voxels as a cube seen from above and the front, drawn with NumPy alone: small pictures need no renderer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SLOPE = np.sqrt(3.0) / 2.0  # isometric: edges run 30° below the horizontal
# Light from above: top face, face y = 1 (right), face x = 1 (left).
_SHADE = (1.0, 0.72, 0.86)


def cube_image(labels: NDArray, colours: NDArray, size: int) -> NDArray[np.uint8]:
    """RGBA picture (size, size, 4), transparent around the cube.

    labels: integers (n, n, n). colours: RGB of each label, (labels, 3).
    """
    edge = size / 2.0
    down, right = np.mgrid[0:size, 0:size] + 0.5 - edge
    # Of a point (x, y, z) of the unit cube the picture shows edge · (slope·(y - x), (x + y)/2 - z), seen right-handed.
    across, below = right / (_SLOPE * edge), down / edge
    faces = (
        ((2.0 * (below + 1.0) - across) / 2.0, (across + 2.0 * (below + 1.0)) / 2.0, np.ones_like(across)),
        (1.0 - across, np.ones_like(across), (2.0 - across) / 2.0 - below),
        (np.ones_like(across), 1.0 + across, (2.0 + across) / 2.0 - below),
    )
    image = np.zeros((size, size, 4), dtype=np.uint8)
    for point, shade in zip(faces, _SHADE, strict=True):
        inside = np.all([(value >= 0.0) & (value <= 1.0) for value in point], axis=0)
        index = [
            np.minimum((value[inside] * n).astype(int), n - 1) for value, n in zip(point, labels.shape, strict=True)
        ]
        image[inside, :3] = shade * np.asarray(colours)[labels[tuple(index)]]
        image[inside, 3] = 255
    return image
