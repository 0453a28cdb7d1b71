"""The ways to a cell that is evaluated: drawn, from a file of voxels or a surface, from an image."""

from __future__ import annotations

import streamlit as st

from relaxdesign.ui.components import cell_source, image_source
from relaxdesign.ui.components.cell_source import Source

_WAYS = {
    "Draw a cell": cell_source.drawn,
    "Upload a file": cell_source.uploaded,
    "Upload an image": image_source.imaged,
}


def choose() -> Source | None:
    """The settings of the cell, and the cell itself; None while there is none, with the reason on the page."""
    with st.container(border=True):
        way = st.segmented_control(
            "Source", list(_WAYS), default=next(iter(_WAYS)), required=True, key="evaluate-source",
            persist_state="session", label_visibility="collapsed",
        )  # fmt: skip
        return _WAYS[way]()
