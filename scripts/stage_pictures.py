"""Makes the pictures of the page "Method" from a real run: ``python scripts/stage_pictures.py``.

Young's modulus of a candidate of the default design (K = 120 GPa, 2D, seed 0) while it forms, and of its realised cell,
on one scale. Writes ``docs/figures/stage-*.png``, a few kB each.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from relaxdesign.study import run as study
from relaxdesign.study.events import DesignEvent, StepEvent
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui.colours import ModulusScale, viridis
from relaxdesign.ui.components.microstructures import picture

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "figures"
REQUEST = DesignRequest(target_bulk=120.0, count=8, seed=0)
CANDIDATE = 0  # its materials differ enough to be told apart
SHOWN = {"first": 1, "halfway": REQUEST.steps // 2, "last": REQUEST.steps}  # steps by name of the picture
ENLARGED = 4  # pixels per voxel


def fields() -> dict[str, np.ndarray]:
    """Young's modulus (nx, ny, 1) in GPa by name of the picture."""
    found: dict[str, np.ndarray] = {}
    for event in study.run(REQUEST):
        if isinstance(event, StepEvent):
            found |= {name: event.young[CANDIDATE].copy() for name, step in SHOWN.items() if step == event.step}
        elif isinstance(event, DesignEvent) and event.design.index == CANDIDATE:
            design = event.design
            if not design.ok:
                raise SystemExit(f"the candidate became no design: {design.message}")
            found["realised"] = design.cell.field("young")
    return found


def main() -> None:
    """Write the pictures."""
    found = fields()
    scale = ModulusScale(min(float(young.min()) for young in found.values()), float(found["realised"].max()))
    for name, young in found.items():
        pixels = np.kron(picture(scale.index(young)), np.ones((ENLARGED, ENLARGED), np.uint8))
        image = Image.fromarray(pixels, "P")
        image.putpalette(viridis().tobytes())
        path = FOLDER / f"stage-{name}.png"
        image.save(path, optimize=True)
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
