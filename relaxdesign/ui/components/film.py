"""The denoising as pictures for a film: all candidates, their K, the step and the colour bar."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from relaxdesign.library.replay import Frame, Replay
from relaxdesign.scene import forming_scene
from relaxdesign.scene.stills import studio
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui import server
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components.microstructures import picture
from relaxdesign.ui.text import gpa, significant

WIDTH = 1000
MARGIN, CAPTION, HEADER, FOOTER = 16, 24, 44, 56
INK, FAINT, PAPER = "#1B2430", "#8894A6", "#FFFFFF"
MOST_FRAMES = 120


def pictures(frames: Replay, request: DesignRequest) -> Iterator[np.ndarray]:
    """uint8 (height, width, 3) of up to MOST_FRAMES steps, the first and the last among them."""
    scale = ModulusScale.of(request)
    for index in np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES)).round().astype(int)):
        yield draw(frames[int(index)], request.title, scale)


def draw(frame: Frame, title: str, scale: ModulusScale) -> np.ndarray:
    """One step as a picture."""
    count = len(frame.codes)
    columns = min(count, 4 if count <= 12 else 8)
    rows = math.ceil(count / columns)
    edge = (WIDTH - MARGIN * (columns + 1)) // columns
    height = HEADER + rows * (edge + CAPTION) + FOOTER
    sheet = Image.new("RGB", (WIDTH, height + height % 2), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 12), title, INK, _font(20))
    pen.text((WIDTH - MARGIN, 14), f"step {frame.step} of {frame.steps}", INK, _font(18), anchor="ra")
    for index in range(count):
        left = MARGIN + (index % columns) * (edge + MARGIN)
        top = HEADER + (index // columns) * (edge + CAPTION)
        bulk = frame.bulk[index]
        if np.isnan(frame.low[index]):
            pen.rectangle((left, top, left + edge, top + edge), outline=FAINT)
            pen.text((left, top + edge + 3), f"{index + 1}   stopped", FAINT, _font(15))
            continue
        tile = Image.fromarray(_field(frame.young_of(index), scale, edge))
        sheet.paste(tile, (left, top), tile if tile.mode == "RGBA" else None)
        caption = f"{index + 1}" if np.isnan(bulk) else f"{index + 1}   K = {gpa(float(bulk))}"
        pen.text((left, top + edge + 3), caption, INK, _font(15))
    _bar(sheet, pen, scale, height - FOOTER + 10)
    return np.asarray(sheet)


def _field(young: np.ndarray, scale: ModulusScale, edge: int) -> np.ndarray:
    """A field as a square; in 3D the surface of its forming phase, or the plane through its middle if none is drawn."""
    if young.shape[2] > 1 and server.can_render():
        return studio().picture(forming_scene(young, scale.paint), edge, edge, fine=False)
    labels = picture(scale.index(young))
    rows, columns = ((np.arange(edge) * n) // edge for n in labels.shape)
    return scale.colours[labels[np.ix_(rows, columns)]]


def _bar(sheet: Image.Image, pen: ImageDraw.ImageDraw, scale: ModulusScale, top: int) -> None:
    text = "Young’s modulus, GPa"
    left, width = MARGIN + 190, 420
    pen.text((MARGIN, top - 2), text, INK, _font(15))
    ramp = scale.colours[np.linspace(0, 255, width).round().astype(int)]
    sheet.paste(Image.fromarray(np.broadcast_to(ramp, (12, width, 3)).copy()), (left, top))
    middle = math.sqrt(scale.low * scale.high)
    ends = ((scale.low, "up to ", "la", 0), (middle, "", "ma", width // 2), (scale.high, "from ", "ra", width))
    for value, sign, anchor, x in ends:
        pen.text((left + x, top + 17), f"{sign}{significant(value, 3)}", INK, _font(14), anchor=anchor)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
