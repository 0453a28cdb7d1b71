"""Pictures in a row as a film: GIF for pages and slides, MP4 (H.264) for everything else."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

# The last picture stays for this long, s.
LAST_SECONDS = 2.0


class AnimationError(RuntimeError):
    """A film cannot be written; the text says what is missing."""


def gif_bytes(pictures: Iterable[np.ndarray], frames_per_second: float = 8.0) -> bytes:
    """A GIF that plays again and again. pictures: uint8 (height, width, 3), all of one size. Raises AnimationError."""
    images = [Image.fromarray(picture) for picture in _checked(pictures)]
    # One table of colours for all: taken from the last picture, whose structures are the clearest.
    table = images[-1].quantize(256)
    indexed = [image.quantize(palette=table, dither=Image.Dither.NONE) for image in images]
    durations = [round(1000 / frames_per_second)] * (len(images) - 1) + [round(1000 * LAST_SECONDS)]
    buffer = io.BytesIO()
    indexed[0].save(buffer, "GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0)
    return buffer.getvalue()


def mp4_bytes(
    pictures: Iterable[np.ndarray], frames_per_second: float = 8.0, last_seconds: float = LAST_SECONDS
) -> bytes:
    """An MP4 that players and browsers show. pictures: as for ``gif_bytes``. Raises AnimationError.

    last_seconds: for how long the last picture stays.
    """
    if find_spec("imageio_ffmpeg") is None:
        raise AnimationError("MP4 needs ffmpeg, which comes with: pip install 'imageio[ffmpeg]'")
    import imageio.v2 as imageio

    shown = _checked(pictures)
    height, width = (size - size % 2 for size in shown[0].shape[:2])  # H.264 wants even sizes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        options = {"fps": frames_per_second, "codec": "libx264", "quality": 8, "macro_block_size": 2}
        rest = [shown[-1]] * round(last_seconds * frames_per_second)
        imageio.mimwrite(path, [picture[:height, :width] for picture in shown + rest], format="FFMPEG", **options)  # pyright: ignore[reportArgumentType]
        return path.read_bytes()


def _checked(pictures: Iterable[np.ndarray]) -> list[np.ndarray]:
    shown = list(pictures)
    if not shown:
        raise AnimationError("there is no picture to make a film of")
    if len({picture.shape for picture in shown}) > 1:
        raise AnimationError("the pictures of a film must have one size")
    return shown
