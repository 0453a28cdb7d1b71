"""From the shape that formed to the cell that is made: the steps of designs whose inclusions are placed anew."""

from __future__ import annotations

import numpy as np
import streamlit as st

from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Inclusions, inclusions_of
from relaxdesign.scene import best_limit
from relaxdesign.study.result import Design
from relaxdesign.ui.colours import ModulusScale, phases_of, rgb
from relaxdesign.ui.components.microstructures import picture

PIXELS = 192


def show(design: Design, scale: ModulusScale | None) -> None:
    """Three small pictures with one sentence; nothing of a design that keeps the shape that formed."""
    family = FAMILIES[design.family]
    if not isinstance(family, Inclusions) or design.relaxed is None or design.snapped is None or scale is None:
        return
    st.markdown("**From shape to product**")
    steps = {
        "Formed": scale.paint(picture(design.relaxed[0])),
        "Read": _read(design, scale),
        "Placed": _placed(design, scale),
    }
    for column, (title, image) in zip(st.columns(len(steps)), steps.items(), strict=True):
        column.image(_enlarged(image), width="stretch", caption=title, alt=f"{title}: plane through the middle")
    st.caption(_sentence(design, family))


def _sentence(design: Design, family: Inclusions) -> str:
    """What is taken over from the shape and what is not."""
    assert design.snapped is not None
    name = inclusions_of(family)
    round_ = "circles" if design.cell.dim == 2 else "spheres"
    read = 1.0 - design.snapped.shares[0]
    filled = 100 * (1.0 - design.shares[0])
    size = design.parameters.get(family.size.name)
    across = "" if size is None else f", {family.size.label} {size:.3g} of the edge"
    return (
        f"Not the shape is built but its statistics: two phases are read off the field that formed (the second fills "
        f"{100 * read:.0f} %), then {name} of real materials, {round_} that fill {filled:.0f} %{across}, are placed at "
        "random and adjusted until they meet the target. To keep the shape itself, choose the family free-form under "
        "Advanced."
    )


def _read(design: Design, scale: ModulusScale) -> np.ndarray:
    """The two phases of the relaxed field, in the colours of their mean moduli."""
    assert design.relaxed is not None
    young = design.relaxed[0]
    stiff = young >= best_limit(young) if np.ptp(young) > 0 else np.ones(young.shape, bool)
    means = [float(np.exp(np.log(young[part]).mean())) if part.any() else 1.0 for part in (~stiff, stiff)]
    return scale.paint(np.array(means))[picture(stiff.astype(np.uint8))]


def _placed(design: Design, scale: ModulusScale) -> np.ndarray:
    """The phases of the realised cell, in their colours on the cards."""
    colours = np.array([rgb(colour) for colour in phases_of(design.materials, scale)], np.uint8)
    return colours[picture(design.cell.labels)]


def _enlarged(image: np.ndarray) -> np.ndarray:
    """Every voxel as a square of pixels."""
    return np.kron(image, np.ones((max(1, PIXELS // len(image)),) * 2 + (1,), image.dtype))
