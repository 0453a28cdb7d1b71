"""Colours that every eye and both themes can tell apart, and the scale that moduli are painted on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from relaxdesign.library.replay import Frame
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import SOFTEST_WHILE_STEERING
from relaxdesign.materials.material import Material, void_of
from relaxdesign.physics.quantities import QUANTITIES
from relaxdesign.scene.palette import DISTINCT, SOLID, VOID, phase_colours
from relaxdesign.study.objective import Objective
from relaxdesign.study.request import DesignRequest

__all__ = ["DISTINCT", "ModulusScale", "cividis", "line_colours", "phase_colours", "phases_of", "rgb", "viridis"]

# Ratio of the ends of a modulus scale to its middle, or of an end to the limit that was asked for.
SPAN = 4.0

# Young's modulus over a modulus that is asked for, of an isotropic material with Poisson's ratio 1/4.
_YOUNG = {"K": 1.5, "G": 2.5}

# Power of the modulus, relative to the solid's, that is about the share of the solid in a blend of solid and void.
_SHARE_OF_SOLID = 2 / 3

# Opacity of a solid's surface: its rims, of which little is solid, would glow on a dark page.
_LEAST_OF_A_SURFACE = 0.5


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


def phases_of(materials: Sequence[Material], scale: ModulusScale | None) -> tuple[str, ...]:
    """A colour #RRGGBB for every phase: by Young's modulus on a scale; by its place where there is none, or a void."""
    void = void_of(materials)
    if scale is None or void is not None:
        return phase_colours(len(materials), void)
    painted = scale.paint(np.array([material.young for material in materials]))
    return tuple("#" + "".join(f"{channel:02X}" for channel in colour) for colour in painted)


def rgb(colour: str) -> np.ndarray:
    """uint8 (r, g, b) of #RRGGBB."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.uint8)


@dataclass(frozen=True)
class ModulusScale:
    """A logarithmic colour scale of moduli (GPa), fixed for a run; what lies beyond its ends has their colour.

    A scale over all materials (six powers of ten) would show the structures of one design in two or three colours.

    fading: from a solid to a void, through which the page is seen, instead of from colour to colour.
    """

    low: float
    high: float
    fading: bool = False

    @staticmethod
    def of(request: DesignRequest) -> ModulusScale:
        """The scale of a run, told by its request alone: the same at every step and for all of its designs.

        Of given phases from one to the other. Else around the Young's modulus of a cell with the first modulus that is
        to have a value, or from well below a lower limit to well above an upper one; where a limit is missing, as far
        as the materials on offer go.
        """
        if request.phases:
            return _between(request.phases, request.materials_csv)
        targets = tuple(target for target in request.targets if QUANTITIES[target.quantity].unit == "GPa")
        return _scale(targets, request.materials_csv, request.categories, request.exclude, request.flagged)

    @staticmethod
    def spanning(materials: Iterable[Material]) -> ModulusScale:
        """From the softest of these materials to the stiffest, voids left out: for designs of several runs."""
        young = [material.young for material in materials if not material.void] or [1.0]
        return ModulusScale(min(young) / 1.2, max(young) * 1.2)

    def over(self, frame: Frame) -> ModulusScale:
        """The same colours from the least to the largest modulus of a frame; of one without fields, from 1 to 2 GPa."""
        if np.isnan(frame.low).all():
            return replace(self, low=1.0, high=2.0)
        low, high = float(np.nanmin(frame.low)), float(np.nanmax(frame.high))
        return replace(self, low=low, high=max(high, 1.01 * low))

    @property
    def palette(self) -> np.ndarray:
        """Colours along the scale as they are laid on a page, uint8 (256, 4): the last is the opacity."""
        if not self.fading:
            return np.column_stack([viridis(), np.full(256, 255, np.uint8)])
        modulus = (self.low / self.high) ** np.linspace(1, 0, 256)  # of the solid's
        opacity = np.round(255 * modulus**_SHARE_OF_SOLID)
        return np.column_stack([np.tile(rgb(SOLID), (256, 1)), opacity]).astype(np.uint8)

    @property
    def colours(self) -> np.ndarray:
        """Colours along the scale where no page is seen through, uint8 (256, 3)."""
        return self._mixed(0.0)

    def _mixed(self, least: float) -> np.ndarray:
        opacity = np.maximum(self.palette[:, 3:] / 255, least)
        return np.round(self.palette[:, :3] * opacity + rgb(VOID) * (1 - opacity)).astype(np.uint8)

    def index(self, values: np.ndarray) -> np.ndarray:
        """Colour index 0 … 255 of moduli in GPa; 0 for NaN."""
        with np.errstate(divide="ignore"):
            position = np.log(values / self.low) / math.log(self.high / self.low)
        return np.round(np.clip(np.nan_to_num(position), 0, 1) * 255).astype(np.uint8)

    def paint(self, values: np.ndarray) -> np.ndarray:
        """Colours of surfaces with these moduli in GPa, uint8 (…, 3)."""
        return self._mixed(_LEAST_OF_A_SURFACE)[self.index(values)]


def _between(phases: tuple[str, ...], csv: str | None) -> ModulusScale:
    """From the softer of two given phases to the stiffer one, as steps of a run blend them."""
    young = [material.young for material in _catalogue(csv).of_phases(phases).materials]
    softest, stiffest = max(min(young), SOFTEST_WHILE_STEERING * max(young)), max(young)
    return ModulusScale(softest, max(stiffest, 1.01 * softest), fading=min(young) == 0.0)


@lru_cache(maxsize=8)
def _catalogue(csv: str | None) -> Catalogue:
    return Catalogue.default() if csv is None else Catalogue.from_csv(csv.encode())


@lru_cache(maxsize=64)
def _scale(
    targets: tuple[Objective, ...],
    csv: str | None,
    categories: tuple[str, ...] | None,
    exclude: tuple[str, ...],
    flagged: bool,
) -> ModulusScale:
    valued = [
        target.value * _YOUNG.get(target.quantity, 1.0)
        for target in targets
        if target.value is not None and target.value > 0
    ]
    if valued:
        return ModulusScale(valued[0] / SPAN, valued[0] * SPAN)
    young = _catalogue(csv).select(categories=categories, exclude=exclude, flagged=flagged).properties.young.numpy()
    softest, stiffest = (float(end) for end in np.quantile(young, (0.1, 0.9)))
    least = min((target.low for target in targets if target.low is not None and target.low > 0), default=None)
    most = max((target.high for target in targets if target.high is not None and target.high > 0), default=None)
    low = least / SPAN if least is not None else softest if most is None else min(softest, most / SPAN**2)
    high = most * SPAN if most is not None else max(stiffest, SPAN * (least or 0.0))
    return ModulusScale(low, max(high, 1.01 * low))
