"""A run that has ended: its outcome in a sentence, the candidates, the chosen one, and how it went."""

from __future__ import annotations

import streamlit as st
from streamlit.components.v2 import component

from relaxdesign.jobs import Snapshot
from relaxdesign.store import UnknownRun
from relaxdesign.ui import server
from relaxdesign.ui.components import candidates, denoising, inspector
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import duration, plural

# Brings the inspector into view when another design was chosen.
_scroll = component(
    "relaxdesign_scroll",
    js="""
    let last = null;
    export default function ({ data }) {
      if (data.token && data.token !== last) {
        const target = document.querySelector(`.st-key-${data.anchor}`);
        if (target) target.style.scrollMarginTop = "4.5rem";
        target?.scrollIntoView({ behavior: "smooth", block: "start" });
      }
      last = data.token;
    }
    """,
)


@st.fragment
def render(run_id: str) -> None:
    """Draws the outcome. A fragment: choosing a design redraws this part only."""
    with guard("the results"):
        try:
            snapshot = server.jobs().snapshot(run_id)
        except UnknownRun:
            st.rerun()  # deleted meanwhile; the page says so
        _notice(snapshot)
        chosen = _chosen(snapshot)
        if snapshot.designs:
            _summary(snapshot)
            candidates.gallery(
                run_id,
                snapshot.designs,
                selected=None if chosen is None else chosen.index,
                on_select=lambda index: _select(run_id, index),
            )
        if chosen is not None:
            with st.container(key="inspector"):
                inspector.render(run_id, chosen)
        _scroll(data={"token": st.session_state.get(f"chosen-{run_id}-token", 0), "anchor": "inspector"}, key="scroll")
        if snapshot.designs:
            _table(snapshot)
        if snapshot.curves.step:
            _history(snapshot)


def _select(run_id: str, index: int) -> None:
    st.session_state[f"chosen-{run_id}"] = index
    st.session_state[f"chosen-{run_id}-token"] = st.session_state.get(f"chosen-{run_id}-token", 0) + 1


def _chosen(snapshot: Snapshot):
    index = st.session_state.get(f"chosen-{snapshot.run_id}")
    verified = {design.index: design for design in snapshot.designs if design.ok}
    return verified.get(-1 if index is None else index) or candidates.best(snapshot.designs)


def _notice(snapshot: Snapshot) -> None:
    steps = len(snapshot.curves.step)
    if snapshot.state == "failed":
        text = snapshot.message or "The computation failed."
        if snapshot.error_id:
            text += f"\n\nError id **{snapshot.error_id}**: it leads to the details in the server's log."
        st.error(text, icon=":material/error:")
    elif snapshot.state == "interrupted":
        st.warning(
            f"The server stopped while this run was computed, after {plural(steps, 'step')} and "
            f"{plural(len(snapshot.designs), 'design')}. What there was is kept. Press **Design** to repeat the run "
            "with the same settings.",
            icon=":material/power_off:",
        )
    elif snapshot.state == "cancelled":
        kept = plural(len(snapshot.designs), "design") if snapshot.designs else "no design yet"
        st.info(
            f"You stopped this run after {plural(steps, 'step')}, with {kept}. Press **Design** to start it anew.",
            icon=":material/stop_circle:",
        )
    elif not any(design.ok for design in snapshot.designs):
        st.warning(
            "None of the candidates became a design. More candidates, another seed or more materials usually help.",
            icon=":material/info:",
        )


def _summary(snapshot: Snapshot) -> None:
    verified = [design for design in snapshot.designs if design.ok]
    close = sum(abs(design.error or 0.0) <= 0.01 for design in verified)
    pairs = len({(design.matrix, design.particle) for design in verified})
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.markdown(
        f"**{len(verified)} of {plural(snapshot.request.count, 'candidate')}** verified · **{close}** within 1 % of "
        f"the target · **{plural(pairs, 'material pair')}** · {duration(snapshot.seconds)}"
    )
    complete = snapshot.state in ("finished", "cancelled")

    def record() -> str:
        from relaxdesign.export import result_json

        result = server.store().result(snapshot.run_id)
        return "" if result is None else result_json(result)

    right.download_button(
        "Result",
        record,
        f"relaxdesign-{snapshot.run_id}.json",
        "application/json",
        key=f"download-result-{snapshot.run_id}",
        icon=":material/download:",
        on_click="ignore",
        disabled=not complete,
        width="stretch",
        help="All designs with request, seed and versions, as JSON"
        if complete
        else "Only runs that came to their end have one",
    )


def _table(snapshot: Snapshot) -> None:
    with st.expander("All numbers: K at every stage", icon=":material/table:"):
        st.dataframe(
            candidates.stage_table(snapshot.designs),
            hide_index=True,
            column_config=candidates.STAGE_COLUMNS,
            placeholder="–",
            key=f"numbers-{snapshot.run_id}",
        )
        st.caption(
            "K in GPa. Relaxed: any material per voxel, as sampled. Two phases and catalogue materials: mean over "
            "fresh random placements. Refined: after materials, fraction and diameter were adjusted. Realised: the one "
            "cell you download, solved in double precision."
        )


def _history(snapshot: Snapshot) -> None:
    with st.expander("How it got there: replay of the denoising", icon=":material/timeline:", expanded=True):
        frames = server.jobs().replay(snapshot.run_id)
        if frames is None:
            st.caption("No step of this run was kept.")
            return
        denoising.replay(f"replay-{snapshot.run_id}", frames, snapshot.curves, snapshot.request)
