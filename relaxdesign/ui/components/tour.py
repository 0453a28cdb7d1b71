"""One click shows what the app does: a small run whose stages are explained while they pass."""

from __future__ import annotations

import streamlit as st

from relaxdesign.server import JobLimit, Snapshot
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui import server

SMALL = DesignRequest.model_validate({"target_bulk": 120.0, "dim": 2, "count": 4, "steps": 12, "seed": 1})
"""Some seconds on two cores."""

_STAGES = {
    "waiting": "A small example: four microstructures in 2D that shall have a **bulk modulus of 120 GPa**.",
    "forming": "**1 of 3 · It forms.** Out of noise a structure forms in every picture, while a finite-element solver "
    "pulls it towards the target: the dashed line in the curves, the middle of the gauges.",
    "verifying": "**2 of 3 · It becomes real.** Each is now rebuilt from two materials that exist and can be processed "
    "together, and solved again until it is on target.",
    "finished": "**3 of 3 · Take it along.** Every card is a verified design. The chosen one stands beside them with "
    "its cell, stresses, error bars and files. Now set a target of your own on the left, and press **Design**.",
}


def offer() -> None:
    """The button that starts it, on the page before the first run."""
    st.button(
        "Show me", key="show-me", icon=":material/play_circle:", on_click=_begin,
        help="Runs a small 2D example, with a word to each of its stages",
    )  # fmt: skip
    if refused := st.session_state.pop("tour-refused", None):
        st.warning(refused, icon=":material/front_hand:")


def caption(snapshot: Snapshot) -> None:
    """What happens now, while the example is looked at; nothing for other runs."""
    if st.session_state.get("tour") != snapshot.run_id:
        return
    stage = _stage(snapshot)
    with st.container(border=True, key="tour"):
        text, skip = st.columns([6, 1], vertical_alignment="center")
        text.markdown(f":material/lightbulb: {_STAGES[stage]}")
        skip.button(
            "Done" if stage == "finished" else "Skip", key="end-tour", type="tertiary", width="stretch", on_click=_end,
            help="Closes these explanations; the run stays",
        )  # fmt: skip


def _stage(snapshot: Snapshot) -> str:
    if not snapshot.live:
        return "finished"
    if snapshot.frame is None:
        return "waiting"
    return "verifying" if snapshot.denoised else "forming"


def _begin() -> None:
    try:
        run_id = server.submit(SMALL)
    except JobLimit as limit:
        st.session_state["tour-refused"] = str(limit)
    else:
        st.session_state["tour"] = st.query_params["run"] = run_id


def _end() -> None:
    st.session_state.pop("tour", None)
