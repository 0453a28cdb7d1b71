"""The grid of the candidates' modulus maps, live and afterwards, as one component in the browser.

Colour indices are sent, not pictures: 4 kB for a 64×64 field, drawn pixel for pixel, with the modulus
under the pointer. Of three-dimensional fields the three visible faces of the cube are sent.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from streamlit.components.v2 import component

from relaxdesign.jobs import Snapshot
from relaxdesign.ui.colours import ModulusScale, cividis
from relaxdesign.ui.text import gpa, percent, significant

_FRONTEND = Path(__file__).parent / "frontend"

_component = component(
    "relaxdesign_microstructures",
    html='<div class="microstructures"></div>',
    css=(_FRONTEND / "microstructures.css").read_text(),
    js=(_FRONTEND / "microstructures.js").read_text(),
)


@dataclass(frozen=True)
class Tile:
    """One candidate: young (nx, ny, nz) in GPa and its effective bulk modulus, None where it was not evaluated.

    A dropped candidate has no field any more: NaN.
    """

    index: int
    young: np.ndarray
    bulk: float | None
    message: str = ""

    @property
    def dropped(self) -> bool:
        return bool(np.isnan(self.young).any())


def render(tiles: Sequence[Tile], target_bulk: float, *, frame: int, key: str) -> None:
    """Draws the tiles. frame: number of the state shown, e.g. the denoising step."""
    scale = ModulusScale.around(target_bulk)
    payload = {
        "frame": frame,
        "columns": _columns(len(tiles)),
        "shape": tiles[0].young.shape[:2],
        "cube": tiles[0].young.shape[2] > 1,
        "palette": _encode(cividis()),
        "tiles": [_describe(tile, scale, target_bulk) for tile in tiles],
        "scale": {
            "title": "Young’s modulus, GPa",
            "unit": "GPa",
            "softening": scale.softening,
            "top": scale.top,
            "ticks": [(scale.position(value), significant(value, 3)) for value in scale.ticks()],
        },
    }
    _component(data=payload, key=key)


def live_tiles(snapshot: Snapshot) -> list[Tile]:
    """The clean estimates of the latest step."""
    step = snapshot.step
    if step is None:
        return []
    return [
        Tile(i, field, float(bulk) if bulk > 0 else None, step.messages.get(i, ""))
        for i, (field, bulk) in enumerate(zip(step.young, step.bulk, strict=True))
    ]


def sampled_tiles(snapshot: Snapshot) -> list[Tile]:
    """The relaxed fields at the end of denoising, of the designs that have one."""
    return [
        Tile(design.index, design.relaxed[0], design.K.relaxed, design.message)
        for design in snapshot.designs
        if design.relaxed is not None
    ]


def _columns(count: int) -> int:
    """Wide tiles as long as all of them fit on a laptop's screen."""
    return max(2, count) if count <= 4 else 4 if count <= 12 else 6 if count <= 30 else 8


def _describe(tile: Tile, scale: ModulusScale, target_bulk: float) -> dict:
    return {
        "number": str(tile.index + 1),
        "pixels": _encode(faces(scale.index(tile.young))),
        "main": "stopped" if tile.dropped else f"K = {gpa(tile.bulk)}",
        "extra": "" if tile.dropped or tile.bulk is None else f"({percent(tile.bulk / target_bulk - 1)})",
        "state": "dropped" if tile.dropped else "ok",
        "message": tile.message,
    }


def faces(field: np.ndarray) -> np.ndarray:
    """What is drawn of a field: in 2D its `picture`; in 3D the faces z = 1, x = 1 and y = 1 one after the other.

    Image rows run along y (top face) or downwards along z, columns along x, y and x.
    """
    if field.shape[2] == 1:
        return picture(field)
    return np.ascontiguousarray(np.stack([field[:, :, -1].T, field[-1, :, ::-1].T, field[:, -1, ::-1].T]))


def picture(field: np.ndarray) -> np.ndarray:
    """The x-y plane through the middle of a field (nx, ny, nz) as image rows: x to the right, y upwards."""
    return np.ascontiguousarray(field[:, ::-1, field.shape[2] // 2].T)


def _encode(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
