"""Pages of a long list: which one is shown, and the buttons to the others."""

from __future__ import annotations

from collections.abc import Hashable

import streamlit as st


def position(key: str, count: int, size: int, what: Hashable) -> int:
    """Number of the first entry to show. what: the search; another one begins at its first page."""
    state = st.session_state
    if state.get(f"{key}_of") != what:
        state[f"{key}_of"], state[key] = what, 0
    return min(state[key], max(0, (count - 1) // size * size))


def buttons(key: str, first: int, count: int, size: int) -> None:
    """Where we are and the way to the neighbouring pages; nothing if there is one page."""
    if count <= size:
        return

    def show(number: int) -> None:
        st.session_state[key] = number

    back, label, on = st.columns([1, 2, 1], vertical_alignment="center")
    back.button(
        "Previous",
        icon=":material/chevron_left:",
        disabled=first == 0,
        key=f"{key}_back",
        width="stretch",
        on_click=show,
        args=(first - size,),
    )
    with label.container(horizontal_alignment="center"):
        st.markdown(f":gray[{first + 1}–{min(first + size, count)} of {count}]", width="content")
    on.button(
        "Next",
        icon=":material/chevron_right:",
        disabled=first + size >= count,
        key=f"{key}_on",
        width="stretch",
        on_click=show,
        args=(first + size,),
    )
