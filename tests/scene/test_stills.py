"""Stills show the scene whole, in its colours, transparent around it."""

import io

import numpy as np
import pytest
from PIL import Image

from relaxdesign.scene import forming_scene, painted_scene, phase_scene
from relaxdesign.scene.stills import can_render, on_background, studio, webp

N = 8
SIZE = 160

pytestmark = pytest.mark.skipif(not can_render(), reason="no GL libraries: PyVista cannot render here")


def shown(scene) -> np.ndarray:
    return studio().picture(scene, SIZE, SIZE)


def cube(colour) -> np.ndarray:
    paint = lambda values: np.broadcast_to(np.array(colour, np.uint8), (len(values), 3)).copy()  # noqa: E731
    return shown(painted_scene(np.zeros((N, N, N)), paint))


def test_the_whole_cell_is_in_the_picture_and_nothing_around_it():
    picture = cube((200, 40, 40))
    assert picture.shape == (SIZE, SIZE, 4)
    seen = picture[..., 3] > 0
    rim = np.ones((SIZE, SIZE), bool)
    rim[2:-2, 2:-2] = False
    assert not seen[rim].any(), "the cell reaches beyond the picture"
    assert 0.35 < seen.mean() < 0.8


def test_colours_are_those_of_the_scene():
    middle = cube((200, 40, 40))[SIZE // 2 - 20 : SIZE // 2 + 20, SIZE // 2 - 20 : SIZE // 2 + 20, :3].astype(float)
    red, green, blue = middle.mean((0, 1))
    assert red > 3 * green and red > 3 * blue


def test_a_scene_takes_the_place_of_the_one_before():
    labels = np.zeros((N, N, N), int)
    labels[2:6, 2:6, 2:6] = 1
    first = shown(phase_scene(labels, ("#3B4D72", "#E6CF5B")))
    cube((0, 200, 0))
    again = shown(phase_scene(labels, ("#3B4D72", "#E6CF5B")))
    np.testing.assert_array_equal(first, again)


def test_a_camera_is_of_one_picture_only():
    scene = phase_scene(np.pad(np.ones((2, 2, 2), int), ((0, 6), (3, 3), (0, 6))), ("#3B4D72", "#E6CF5B"), void=0)
    above = ((0.5, 0.5, 3.5), (0.5, 0.5, 0.5), (0.0, 1.0, 0.0))
    seen = studio().submit(lambda: studio().draw(scene, SIZE, SIZE, above)).result()[..., 3] > 0
    left, right = seen[:, : SIZE // 2].sum(), seen[:, SIZE // 2 :].sum()
    assert left > right, "it is not seen from above, x to the right"
    assert (seen != (shown(scene)[..., 3] > 0)).any()
    np.testing.assert_array_equal(shown(scene), shown(scene))


def test_copies_are_drawn_in_the_same_outline():
    young = np.ones((N, N, N))
    young[2:6, 2:6, 2:6] = 100.0
    paint = lambda values: np.tile(np.array([200, 40, 40], np.uint8), (len(values), 1))  # noqa: E731
    red = lambda picture: picture[..., 0] > picture[..., 2].astype(int) + 50  # noqa: E731
    one, eight = (red(shown(forming_scene(young, paint, times=times))) for times in (1, 2))
    widths = [np.ptp(np.flatnonzero(seen.any(0))) for seen in (one, eight)]
    assert widths[1] > 1.3 * widths[0], "the copies reach further than the one body"
    gone = shown(phase_scene(np.zeros((N, N, N), int), ("#000000", "#ffffff"), void=0))
    assert not red(gone).any(), "all copies make way for the next scene"


def test_pictures_go_on_any_background_and_into_files():
    picture = cube((0, 0, 200))
    assert (on_background(picture, dark=True)[0, 0] == (0x12, 0x17, 0x1F)).all()
    assert (on_background(picture)[0, 0] == 255).all()
    opened = Image.open(io.BytesIO(webp(picture)))
    assert opened.size == (SIZE, SIZE) and opened.mode == "RGBA"
