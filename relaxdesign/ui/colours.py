"""Colours that every eye and both themes can tell apart, and the scale that moduli are painted on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from relaxdesign.palette import DISTINCT, MATRIX, PARTICLE

__all__ = ["DISTINCT", "MATRIX", "PARTICLE", "ModulusScale", "cividis", "line_colours", "rgb"]


@lru_cache(maxsize=1)
def cividis() -> np.ndarray:
    """The cividis map (Nuñez, Anderton & Renslow 2018, doi:10.1371/journal.pone.0199239), uint8 (256, 3)."""
    from plotly.colors import sample_colorscale, unlabel_rgb

    colours = sample_colorscale("Cividis", list(np.linspace(0, 1, 256)))
    return np.round([unlabel_rgb(colour) for colour in colours]).astype(np.uint8)


def line_colours(count: int) -> list[str]:
    """One colour per candidate; beyond the distinct ones they lie along cividis."""
    if count <= len(DISTINCT):
        return list(DISTINCT[:count])
    picks = np.linspace(0, 235, count).round().astype(int)
    return [f"rgb({r},{g},{b})" for r, g, b in cividis()[picks]]


def rgb(colour: str) -> np.ndarray:
    """uint8 (r, g, b) of #RRGGBB."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.uint8)


@dataclass(frozen=True)
class ModulusScale:
    """A logarithmic colour scale in GPa that turns linear below ``softening``: index = asinh(E / softening).

    A plain logarithm would spend most colours on foams that a design near its target hardly holds.
    """

    softening: float
    top: float = 700.0

    @staticmethod
    def around(target_bulk: float) -> ModulusScale:
        """The scale for designs near this bulk modulus, GPa."""
        return ModulusScale(min(max(target_bulk / 20, 0.02), 5.0))

    def index(self, values: np.ndarray) -> np.ndarray:
        """Colour index 0 … 255 of moduli in GPa."""
        scaled = np.arcsinh(np.nan_to_num(values) / self.softening) / math.asinh(self.top / self.softening)
        return np.round(np.clip(scaled, 0, 1) * 255).astype(np.uint8)

    def position(self, value: float) -> float:
        """Where a modulus lies on the bar, 0 … 1."""
        return math.asinh(value / self.softening) / math.asinh(self.top / self.softening)

    def ticks(self) -> list[float]:
        """Round moduli for the bar, GPa."""
        ticks = [0.0]
        for exponent in range(-2, 3):
            for digit in (1, 2, 5):
                value = digit * 10.0**exponent
                if value <= self.top and self.position(value) - self.position(ticks[-1]) > 0.11:
                    ticks.append(value)
        return ticks
