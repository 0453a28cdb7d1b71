"""Numbers as they are written, colours as they are painted, fields as they are sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from relaxdesign.ui import text
from relaxdesign.ui.colours import ModulusScale, cividis
from relaxdesign.ui.components.microstructures import faces, picture


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (118.72, "118.7"),
        (0.0042131, "0.004213"),
        (1052.3, "1052"),
        (12345.6, "12350"),
        (0.00001234, "0.000012"),
        (0, "0"),
    ],
)
def test_significant_digits_without_exponents(value, shown):
    assert text.significant(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-0.011, "−1.1 %"), (0.0004, "+0.04 %"), (0.00001, "0.00 %"), (-0.00995, "−1.0 %"), (1.5, "+150 %"), (None, "–")],
)
def test_errors_are_signed_percentages(value, shown):
    assert text.percent(value) == shown


def test_durations():
    assert [text.duration(s) for s in (0.42, 12.3, 75, 3720, None)] == [
        "0.4 s",
        "12 s",
        "1 min 15 s",
        "1 h 02 min",
        "–",
    ]


def test_moments_are_in_the_readers_time_zone():
    now = datetime.now(UTC)
    assert text.moment(now, "UTC") == f"Today {now:%H:%M}"
    assert text.moment(now - timedelta(days=400), "not/a zone").endswith(str((now - timedelta(days=400)).year))


def test_names_cannot_format_the_page():
    shown = text.escape("<img src=x> **bold** $x$ [a](b) :red[c]")
    for character in "<>*$[](:":
        assert all(shown[i - 1] == "\\" for i, c in enumerate(shown) if c == character)


@pytest.mark.parametrize("target", [0.01, 5.0, 120.0, 400.0])
def test_modulus_scale_rises_and_its_ticks_fit(target):
    scale = ModulusScale.around(target)
    index = scale.index(np.geomspace(1e-3, 1e3, 50))
    assert index.dtype == np.uint8 and (np.diff(index.astype(int)) >= 0).all()
    assert scale.index(np.array([0.0, np.nan, 1e9])).tolist() == [0, 0, 255]
    ticks = scale.ticks()
    positions = [scale.position(tick) for tick in ticks]
    assert 4 <= len(ticks) <= 10 and min(np.diff(positions)) > 0.1 and positions[-1] <= 1


def test_brightness_of_the_map_rises():
    luminance = cividis().astype(float) @ [0.2126, 0.7152, 0.0722]
    assert cividis().shape == (256, 3) and (np.diff(luminance) > -0.8).all()


def test_picture_has_x_to_the_right_and_y_upwards():
    field = np.zeros((4, 3, 1))
    field[3, 0] = 1  # largest x, smallest y
    assert picture(field).shape == (3, 4)
    assert picture(field)[2, 3] == 1


def test_faces_of_a_cube_meet_at_their_edges():
    field = np.arange(27).reshape(3, 3, 3)
    top, right, left = faces(field)
    assert top[2, 2] == right[0, 2] == left[0, 2] == field[2, 2, 2]  # the corner nearest to the viewer
    assert right[2, 2] == left[2, 2] == field[2, 2, 0]  # below it
    assert np.array_equal(top[:, 2], right[0, :])  # the edge between top and x = 1
