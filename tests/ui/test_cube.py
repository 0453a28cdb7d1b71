"""The cube shows the three faces that it says, and nothing around them."""

import numpy as np

from relaxdesign.ui.components.cube import cube_image

COLOURS = np.array([(0, 0, 0), (200, 0, 0), (0, 200, 0), (0, 0, 200)])
SIZE = 100


def test_each_face_shows_its_own_voxels():
    labels = np.zeros((4, 4, 4), dtype=np.uint8)
    labels[:, :, -1], labels[:, -1, :-1], labels[-1, :-1, :-1] = 1, 2, 3
    image = cube_image(labels, COLOURS, SIZE)
    top, right, left = image[20, 50], image[70, 75], image[70, 25]
    assert top[0] == 200 and right[1] == 144 and left[2] == 172  # shaded: light comes from above
    assert top[1] == top[2] == right[0] == right[2] == left[0] == left[1] == 0


def test_hidden_voxels_are_not_seen():
    labels = np.zeros((4, 4, 4), dtype=np.uint8)
    labels[:-1, :-1, :-1] = 1
    assert cube_image(labels, COLOURS, SIZE)[..., :3].max() == 0


def test_around_the_cube_it_is_transparent():
    image = cube_image(np.ones((4, 4, 4), dtype=np.uint8), COLOURS, SIZE)
    assert image[0, 0, 3] == image[-1, -1, 3] == image[50, 2, 3] == 0
    # A hexagon of this height covers 3√3/8 of its square.
    assert abs((image[..., 3] == 255).mean() - 3 * np.sqrt(3) / 8) < 0.01
