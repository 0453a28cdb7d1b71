"""Images as text: numbers row by row, as tables of spreadsheets and ImageJ's *Text Image* have them."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from relaxdesign.io.fields import FieldError
from relaxdesign.io.images.base import Image, ImageReading, along_axes, check_size, reading

TEXTS = (".txt",)


def read_text(path: Path, how: ImageReading, most_voxels: int | None) -> Image:
    """Numbers with blanks, tabs, commas or semicolons between them: columns along x, rows along y, blocks along z.

    Empty lines part the blocks; ``#`` begins a comment.
    """
    check_size((max(1, path.stat().st_size // 2),), None if most_voxels is None else 16 * most_voxels, "the text")
    with reading("text of numbers"):
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8-sig"))
        blocks = [block for block in re.split(r"\n(?:[ \t\r]*\n)+", text.strip("\r\n")) if block.strip()]
        if not blocks:
            raise FieldError("there are no numbers in it")
        pages = [np.loadtxt(io.StringIO(re.sub(r"[,;\t]", " ", block)), ndmin=2) for block in blocks]
        if len(shapes := {page.shape for page in pages}) > 1:
            raise FieldError(f"its blocks of numbers have different sizes, rows and columns {sorted(shapes)}")
        stored = np.stack(pages) if len(pages) > 1 else pages[0]
        check_size(stored.shape, most_voxels)
    return Image(along_axes(stored, how.axes or "zyx"), None, f"text of {len(pages)} block(s) of numbers")
