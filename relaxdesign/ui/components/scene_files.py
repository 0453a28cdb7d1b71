"""A 3D scene to take along: a picture, a turntable, and how the cell deforms."""

from __future__ import annotations

import io

from PIL import Image

from relaxdesign.scene import Scene
from relaxdesign.scene.stills import studio
from relaxdesign.ui import server
from relaxdesign.ui.components import downloads
from relaxdesign.ui.components.downloads import Download

PIXELS = (1200, 1000)


def buttons(scene: Scene, key: str, name: str, *, deforms: bool = False) -> None:
    """Downloads of a scene as it is cut and tiled; none where this machine cannot render. name: of the files."""
    if not scene.layers or not server.can_render():
        return

    def film(kind: str) -> bytes:
        from relaxdesign.export.animation import mp4_bytes
        from relaxdesign.scene import film as films

        make = films.turntable if kind == "turntable" else films.deformation
        return mp4_bytes(make(scene), films.PER_SECOND, last_seconds=0.0)

    files = [
        Download("Picture", lambda: _png(scene), f"{name}.png", "image/png", "PNG with a transparent background"),
        Download("Turntable", lambda: film("turntable"), f"{name}-turntable.mp4", "video/mp4",
                 "A film of one turn: takes some seconds"),
    ]  # fmt: skip
    if deforms:
        files.append(
            Download("Deformation", lambda: film("deformation"), f"{name}-deformation.mp4", "video/mp4",
                     "A film of the cell as it deforms and springs back: takes some seconds")
        )  # fmt: skip
    downloads.buttons(files, key)


def _png(scene: Scene) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(studio().picture(scene, *PIXELS)).save(buffer, "PNG")
    return buffer.getvalue()
