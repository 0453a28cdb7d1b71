"""The cell that designs begin from, in the sidebar: how far they may go from it, and the way back to noise."""

from __future__ import annotations

import zlib

import streamlit as st

from relaxdesign.study.cell_text import read_cell
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui.components.microstructures import picture


def draw() -> None:
    """Nothing, unless the request that was loaded begins from a cell."""
    request: DesignRequest = st.session_state["kept"]
    if request.start_cell is None:
        return
    with st.container(border=True, key="begun"):
        cell = read_cell(request.start_cell)
        st.caption(f"Designs begin from a cell of {' × '.join(map(str, cell.shape[: request.dim]))} voxels.")
        if request.dim == 2:
            st.image(255 - picture(cell) * (255 // max(1, int(cell.max()))), width=96)
        key = f"begun-noise-{zlib.crc32(request.start_cell.encode())}"
        st.slider(
            "How far they may go from it",
            0.05,
            1.0,
            request.start_noise,
            0.05,
            key=key,
            on_change=_take_noise,
            args=(key,),
            help="The noise level to which it is taken: at 0.3 nearly all voxels stay, at 1 nothing is left of it.",
        )
        st.button("Begin from noise instead", icon=":material/grain:", key="begin-from-noise", on_click=_forget)


def _take_noise(key: str) -> None:
    state = st.session_state
    state["kept"] = state["kept"].model_copy(update={"start_noise": state[key]})


def _forget() -> None:
    state = st.session_state
    state["kept"] = state["kept"].model_copy(update={"start_cell": None})
