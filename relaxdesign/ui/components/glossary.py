"""What K, G, E, ν, α and k are: each in one line with a picture."""

from __future__ import annotations

import base64

import streamlit as st

_BODY, _MOVED = "#8894A6", "#2E7EBF"
_ARROW = '<path d="M{0} L{1}" stroke="{2}" stroke-width="2" marker-end="url(#head)"/>'


def _arrows(*ends: tuple[str, str]) -> str:
    return "".join(_ARROW.format(start, end, _MOVED) for start, end in ends)


def _square(x: float, y: float, width: float, height: float, *, dashed: bool = False) -> str:
    style = f'fill="none" stroke="{_BODY}" stroke-dasharray="3 2"' if dashed else f'fill="none" stroke="{_MOVED}"'
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" {style} stroke-width="1.6"/>'


_SQUEEZED = _square(14, 14, 32, 32, dashed=True) + _square(18, 18, 24, 24)
_TERMS = {
    "K": (
        "Bulk modulus",
        "how hard it is to squeeze from all sides",
        _SQUEEZED + _arrows(("30 2", "30 11"), ("30 58", "30 49"), ("2 30", "11 30"), ("58 30", "49 30")),
    ),
    "G": (
        "Shear modulus",
        "how hard it is to skew",
        _square(14, 16, 30, 30, dashed=True)
        + f'<path d="M14 46 L24 16 L54 16 L44 46 Z" fill="none" stroke="{_MOVED}" stroke-width="1.6"/>'
        + _arrows(("18 9", "40 9")),
    ),
    "E": (
        "Young’s modulus",
        "how hard it is to stretch along one direction; what is usually called stiffness",
        _square(16, 18, 28, 24, dashed=True) + _square(11, 20, 38, 20) + _arrows(("50 30", "58 30"), ("10 30", "2 30")),
    ),
    "ν": (
        "Poisson’s ratio",
        "how much thinner it gets as it is stretched: 0 not at all, 0.5 as rubber, below 0 it gets thicker",
        _square(14, 14, 32, 32, dashed=True) + _square(8, 18, 44, 24) + _arrows(("30 6", "30 16"), ("30 54", "30 44")),
    ),
    "α": (
        "Thermal expansion",
        "by how many millionths of its length it grows per kelvin",
        _square(19, 19, 22, 22, dashed=True)
        + _square(12, 12, 36, 36)
        + _arrows(("30 10", "30 3"), ("50 30", "57 30"), ("30 50", "30 57"), ("10 30", "3 30")),
    ),
    "k": (
        "Thermal conductivity",
        "how well it passes on heat",
        _square(20, 14, 20, 32, dashed=True) + _arrows(("3 22", "56 22"), ("3 30", "56 30"), ("3 38", "56 38")),
    ),
}
_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="4" markerHeight="4" orient="auto">'
    f'<path d="M0 0 L8 4 L0 8 Z" fill="{_MOVED}"/></marker></defs>'
)


def show() -> None:
    """A button that explains the symbols."""
    with st.popover("Symbols", icon=":material/help:", help="What K, G, E, ν, α and k mean", key="symbols"):
        rows = "".join(
            f'<div><img src="{_address(picture)}" alt=""><p><b>{symbol}</b> {name}: {meaning}</p></div>'
            for symbol, (name, meaning, picture) in _TERMS.items()
        )
        st.html(f'<div class="glossary" tabindex="0">{rows}</div>')
        st.caption("Dashed: as it was; blue: what is done to it. Of a composite they are averages over the whole cell.")


def _address(picture: str) -> str:
    """A picture as the address of an image; pages drop drawings that stand in their text."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60">{_HEAD}{picture}</svg>'
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
