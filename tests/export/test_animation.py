"""Films can be opened, have all their pictures, and show them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from relaxdesign.export.animation import AnimationError, gif_bytes, mp4_bytes

SIZE = (48, 64)


def pictures(count: int = 6) -> list[np.ndarray]:
    shown = []
    for index in range(count):
        picture = np.full((*SIZE, 3), 255, dtype=np.uint8)
        picture[:, : 10 * (index + 1)] = (20, 60, 160)
        shown.append(picture)
    return shown


def test_gif_has_every_picture_and_rests_on_the_last():
    film = Image.open(io.BytesIO(gif_bytes(pictures(), 10)))
    assert film.n_frames == 6 and film.info["loop"] == 0
    durations = []
    for index, wanted in enumerate(pictures()):
        film.seek(index)
        durations.append(film.info["duration"])
        assert np.abs(np.asarray(film.convert("RGB")).astype(int) - wanted).max() < 8
    assert durations == [100] * 5 + [2000]


def test_mp4_is_played_back(tmp_path):
    imageio = pytest.importorskip("imageio.v2")
    pytest.importorskip("imageio_ffmpeg")
    (tmp_path / "film.mp4").write_bytes(mp4_bytes(pictures(), 8))
    played = [np.asarray(frame) for frame in imageio.get_reader(tmp_path / "film.mp4", format="FFMPEG")]
    assert len(played) == 6 + 16 and played[0].shape == (*SIZE, 3)
    assert np.abs(played[-1].astype(int) - pictures()[-1]).mean() < 12


def test_what_is_no_film_is_refused():
    with pytest.raises(AnimationError, match="no picture"):
        gif_bytes([])
    with pytest.raises(AnimationError, match="one size"):
        gif_bytes([*pictures(), np.zeros((3, 3, 3), np.uint8)])
