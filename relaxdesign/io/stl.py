"""Triangles of STL files, binary and ASCII. A file that is cut short or damaged is refused, never read as less."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from relaxdesign.io.fields import FieldError

RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])  # of a binary file
HEADER_BYTES = 84  # 80 of text and the number of triangles

_FACET = re.compile(
    rb"facet\s+normal\s+\S+\s+\S+\s+\S+\s+outer\s+loop"
    + rb"\s+vertex\s+(\S+)\s+(\S+)\s+(\S+)" * 3
    + rb"\s+endloop\s+endfacet",
    re.IGNORECASE,
)
_AGAIN = "export it again"


def read_stl(path: str | Path) -> np.ndarray:
    """Reads the corners of all triangles, float64 (n, 3, 3), in the order of the file; its normals are not used.

    Raises:
        FieldError: the file is no STL, has no triangles, is damaged or cut short, or has corners that are not finite.
    """
    content = Path(path).read_bytes()
    count = int.from_bytes(content[HEADER_BYTES - 4 : HEADER_BYTES], "little")
    whole = len(content) == HEADER_BYTES + RECORD.itemsize * count
    if not whole and content.lstrip()[:5].lower() == b"solid" and b"\0" not in content:
        corners = _ascii_corners(path, content)
    elif len(content) < HEADER_BYTES:
        raise FieldError(f"{path}: not an STL file, or one that is cut short")
    elif not whole:
        raise FieldError(
            f"{path}: not an STL file, or a damaged one: its header announces {count} triangles, which take "
            f"{HEADER_BYTES + RECORD.itemsize * count} bytes, and it has {len(content)}; {_AGAIN}"
        )
    else:
        corners = np.frombuffer(content, RECORD, offset=HEADER_BYTES)["corners"].astype(np.float64)
    if not len(corners):
        raise FieldError(f"{path}: not an STL file, or one without triangles")
    if not np.isfinite(corners).all():
        raise FieldError(f"{path}: the surface has corners that are not finite; {_AGAIN}")
    return corners


def _ascii_corners(path: str | Path, content: bytes) -> np.ndarray:
    """Corners (n, 3, 3) of an ASCII file, which may hold several solids; all of its text must be understood."""
    facets = _FACET.findall(content)
    inside = False
    for line in filter(None, (line.strip() for line in _FACET.sub(b"\n", content).splitlines())):
        word = line.split(maxsplit=1)[0].lower()
        if word != (b"endsolid" if inside else b"solid"):
            start = line[:40].decode("latin-1")
            raise FieldError(
                f"{path}: the STL file is damaged: {start!r} belongs to none of its {len(facets)} whole triangles; "
                f"{_AGAIN}"
            )
        inside = not inside
    if inside:
        raise FieldError(f"{path}: the STL file is cut short: its last solid has no line endsolid; {_AGAIN}")
    try:
        return np.array(facets, dtype=bytes).astype(np.float64).reshape(-1, 3, 3)
    except ValueError as error:
        raise FieldError(f"{path}: the STL file has a corner that is no number ({error}); {_AGAIN}") from None
