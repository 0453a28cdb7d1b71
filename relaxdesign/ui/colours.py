"""Colours that every eye and both themes can tell apart, and the scale that moduli are painted on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from relaxdesign.palette import DISTINCT, MATRIX, PARTICLE
from relaxdesign.replay import Frame

__all__ = ["DISTINCT", "MATRIX", "PARTICLE", "ModulusScale", "cividis", "line_colours", "rgb", "viridis"]

# Ratio of the ends of a modulus scale to its middle.
SPAN = 4.0


def viridis() -> np.ndarray:
    """The viridis map of van der Walt & Smith, uint8 (256, 3): its lightness rises evenly, for every kind of eye."""
    return _colour_map("Viridis")


def cividis() -> np.ndarray:
    """The cividis map (Nuñez, Anderton & Renslow 2018, doi:10.1371/journal.pone.0199239), uint8 (256, 3)."""
    return _colour_map("Cividis")


@lru_cache(maxsize=2)
def _colour_map(name: str) -> np.ndarray:
    from plotly.colors import sample_colorscale, unlabel_rgb

    colours = sample_colorscale(name, list(np.linspace(0, 1, 256)))
    return np.round([unlabel_rgb(colour) for colour in colours]).astype(np.uint8)


def line_colours(count: int) -> list[str]:
    """One colour per candidate."""
    if count <= len(DISTINCT):
        return list(DISTINCT[:count])
    picks = np.linspace(0, 235, count).round().astype(int)
    return [f"rgb({r},{g},{b})" for r, g, b in viridis()[picks]]


def rgb(colour: str) -> np.ndarray:
    """uint8 (r, g, b) of #RRGGBB."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.uint8)


@dataclass(frozen=True)
class ModulusScale:
    """A logarithmic colour scale of moduli (GPa), fixed for a run; what lies beyond its ends has their colour.

    Both are a fixed ratio away from the target: a scale over all materials (six powers of ten) would show the
    structures of one design in two or three colours.
    """

    low: float
    high: float

    @staticmethod
    def of(target_bulk: float | None, frame: Frame) -> ModulusScale:
        """Around the target; without one around the middle of a frame."""
        middle = target_bulk or float(np.nanmedian(np.sqrt(frame.low * frame.high)))
        middle = middle if math.isfinite(middle) else 1.0
        return ModulusScale(middle / SPAN, middle * SPAN)

    def index(self, values: np.ndarray) -> np.ndarray:
        """Colour index 0 … 255 of moduli in GPa; 0 for NaN."""
        with np.errstate(divide="ignore"):
            position = np.log(values / self.low) / math.log(self.high / self.low)
        return np.round(np.clip(np.nan_to_num(position), 0, 1) * 255).astype(np.uint8)
