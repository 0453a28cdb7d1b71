"""A voxel cell in 3D, drawn by the browser: turned, cut open, phases made transparent, fields painted on it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from streamlit.components.v2 import component

from relaxdesign.ui.colours import MATRIX, PARTICLE, cividis
from relaxdesign.ui.text import significant

_FRONTEND = Path(__file__).parent / "frontend"
HEIGHT = 380
SLAB = 0.22  # 2D cells are shown as a slab of this share of the cell edge

_component = component(
    "relaxdesign_voxels",
    html='<div class="voxels"></div>',
    css=(_FRONTEND / "voxels.css").read_text(),
    js=(_FRONTEND / "voxels.js").read_text(),
)


@dataclass(frozen=True, eq=False)
class Scalar:
    """A field to paint on the cell: values (nx, ny, nz), finite; title with its unit."""

    values: np.ndarray
    title: str

    @property
    def limits(self) -> tuple[float, float]:
        """Where the colours begin and end: the 0.5 and 99.5 % quantiles, so that single voxels do not take all."""
        low, high = np.quantile(self.values, (0.005, 0.995))
        return float(low), float(high) if high > low else float(low) + max(abs(float(low)), 1.0) * 1e-6

    def indices(self) -> np.ndarray:
        """Colour indices 0 … 255, uint8."""
        low, high = self.limits
        return np.round(np.clip((self.values - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def render(
    labels: np.ndarray,
    *,
    key: str,
    scalar: Scalar | None = None,
    names: tuple[str, str] = ("Matrix", "Particles"),
    label: str = "Cell in 3D",
) -> None:
    """Draws a cell. labels: (nx, ny, nz), 1 in the particles. scalar: what colours the surfaces; None: the phases.

    key: cells of the same key share camera, cuts and opacities. label: for screen readers.
    """
    low, high = scalar.limits if scalar is not None else (0.0, 1.0)
    ticks = [(t, significant(low + t * (high - low), 3)) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    payload = {
        "key": f"{key}-{'field' if scalar is not None else 'phases'}",
        "shape": labels.shape,
        "labels": _encode(labels),
        "values": None if scalar is None else _encode(scalar.indices()),
        "palette": base64.b64encode(cividis().tobytes()).decode(),
        "phases": [{"name": names[0], "colour": MATRIX}, {"name": names[1], "colour": PARTICLE}][
            : 1 + int(labels.max(initial=0))
        ],
        "opacity": (1.0, 1.0) if scalar is not None or labels.max(initial=0) == 0 else (0.12, 1.0),
        "scale": None if scalar is None else {"title": scalar.title, "ticks": ticks},
        "slab": SLAB,
        "height": HEIGHT,
        "label": label,
    }
    payload["token"] = hashlib.sha1(repr(sorted(payload.items())).encode(), usedforsecurity=False).hexdigest()
    _component(data=payload, key=key)


def _encode(values: np.ndarray) -> str:
    """Bytes with x running fastest, as textures take them."""
    return base64.b64encode(values.astype(np.uint8).ravel(order="F").tobytes()).decode()
