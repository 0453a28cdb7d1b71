"""A run that has ended: its outcome in a sentence, the candidates, the inspected one, replay."""

from __future__ import annotations

import streamlit as st
from streamlit.components.v2 import component

from relaxdesign.library import NotYours, UnknownRun
from relaxdesign.server import JobLimit, Snapshot
from relaxdesign.study.pareto import conflict
from relaxdesign.ui import navigation, server, units
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components import copying, denoising, film, glossary, in_short, inspector, overview, tour
from relaxdesign.ui.components.downloads import Download
from relaxdesign.ui.components.downloads import buttons as download_buttons
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import escape, plural, what_is_shown

# Brings the inspector into view when another design was chosen and it does not stand beside the cards.
_scroll = component(
    "relaxdesign_scroll",
    js="""
    let last = null;
    export default function ({ data }) {
      if (data.token && data.token !== last) {
        const target = document.querySelector(`.st-key-${data.anchor}`);
        const top = target?.getBoundingClientRect().top;
        if (target && (top < 0 || top > 0.6 * innerHeight)) {
          const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
          target.style.scrollMarginTop = "4.5rem";
          target.scrollIntoView({ behavior: still ? "instant" : "smooth", block: "start" });
        }
      }
      last = data.token;
    }
    """,
)


def render(run_id: str) -> None:
    """Draws the outcome, as part of the page.

    Not as a fragment: parts in it redraw themselves, and the browser may clear away what two nested fragments draw at
    one time, the page with it (Streamlit's issue 16708).
    """
    with guard("the results"):
        try:
            snapshot = server.visit().snapshot(run_id)
        except UnknownRun:
            st.rerun()  # deleted meanwhile; the page says so
        if snapshot.live:
            st.rerun()  # resumed, here or elsewhere
        _notice(snapshot)
        tour.caption(snapshot)
        if snapshot.designs:
            _summary(snapshot)
            _designs(snapshot)
        _history(snapshot)


def _designs(snapshot: Snapshot) -> None:
    """All designs, and beside them the one that is inspected; below each other where all need the page's width."""
    selection = overview.Selection(snapshot.run_id)
    chosen = selection.shown(snapshot.designs)
    index = None if chosen is None else chosen.index
    beside = chosen is not None and st.session_state.get(overview.SHOWN_AS, "Cards") == "Cards"
    with st.container(key="results-beside" if beside else "results-below"):
        every, one = st.columns([1, 1.1], gap="medium") if beside else (st.container(), st.container())
        with every:
            overview.designs(snapshot, selection, index)
        if chosen is not None:
            with one, st.container(key="inspector"):
                marked = len(selection.marked)
                compared = inspector.Comparison(marked, lambda: overview.side_by_side(snapshot, selection))
                scale = ModulusScale.of(snapshot.request)
                inspector.render(snapshot.run_id, chosen, scale, compared if marked else None)
        _scroll(data={"token": selection.token, "anchor": "inspector"}, key="scroll")


def _notice(snapshot: Snapshot) -> None:
    steps = len(snapshot.curves.step)
    if snapshot.message and snapshot.state != "failed":
        st.warning(snapshot.message, icon=":material/save:")
    if snapshot.state == "failed":
        text = snapshot.message or "The computation failed."
        if snapshot.error_id:
            text += f"\n\nError id **{snapshot.error_id}**: it leads to the details in the server's log."
        st.error(text, icon=":material/error:")
    elif snapshot.state == "interrupted":
        st.warning(
            f"The server stopped while this run was computed, after {plural(steps, 'step')} and "
            f"{plural(len(snapshot.designs), 'design')}. What there was is kept.",
            icon=":material/power_off:",
        )
    elif snapshot.state == "cancelled":
        kept = plural(len(snapshot.designs), "design") if snapshot.designs else "no design yet"
        st.info(
            f"You stopped this run after {plural(steps, 'step')}, with {kept}.",
            icon=":material/stop_circle:",
        )
    elif not any(design.ok for design in snapshot.designs):
        st.warning(
            "None of the candidates became a design. More candidates, another seed or more materials usually help.",
            icon=":material/info:",
        )
    if remark := conflict(snapshot.designs):
        st.info(f"{escape(remark[:1].upper() + remark[1:])}. The charts draw the front.", icon=":material/balance:")
    if snapshot.state in ("interrupted", "cancelled", "failed"):
        _resume(snapshot)


def _resume(snapshot: Snapshot) -> None:
    pressed = st.button(
        "Resume",
        icon=":material/resume:",
        key=f"resume-{snapshot.run_id}",
        help="Computes the steps again with the same seed, so the same fields come out. Finished designs are kept.",
    )
    if pressed:
        try:
            server.visit().resume(snapshot.run_id)
        except (JobLimit, NotYours) as limit:
            st.warning(str(limit), icon=":material/front_hand:")
        else:
            st.rerun()


def _summary(snapshot: Snapshot) -> None:
    verified = [design for design in snapshot.designs if design.ok]
    st.markdown(in_short.sentence(snapshot.designs, snapshot.request))

    def archive() -> bytes:
        from relaxdesign.export import result_files, zip_bytes
        from relaxdesign.library.stored import stored_result

        result = stored_result(server.store(), snapshot.run_id)
        return zip_bytes(result_files(result, run_id=snapshot.run_id), f"relaxdesign-{snapshot.run_id}")

    def record() -> str:
        from relaxdesign.export import result_json
        from relaxdesign.library.stored import stored_result

        return result_json(stored_result(server.store(), snapshot.run_id))

    row = st.container(horizontal=True, gap="small", vertical_alignment="center", key="whole-run")
    row.download_button(
        "All files",
        archive,
        f"relaxdesign-{snapshot.run_id}.zip",
        "application/zip",
        key=f"download-all-{snapshot.run_id}",
        icon=":material/folder_zip:",
        on_click="ignore",
        disabled=not verified,
        help="Every design in every format, tables, figures and the report, as one ZIP: takes some seconds",
    )
    row.download_button(
        "Result",
        record,
        f"relaxdesign-{snapshot.run_id}.json",
        "application/json",
        key=f"download-result-{snapshot.run_id}",
        icon=":material/download:",
        on_click="ignore",
        help="All designs with request, seed and versions, as JSON",
    )
    row.page_link(
        navigation.CAMPAIGNS,
        label="Vary this in a campaign",
        icon=":material/grid_view:",
        query_params={"from": snapshot.run_id},
    )
    with row:
        with st.container(width="content"):
            copying.buttons({"Copy link": copying.LINK}, f"link-{snapshot.run_id}")
        units.choose()
        glossary.show()


def _history(snapshot: Snapshot) -> None:
    with st.expander("How it got there: replay of the denoising", icon=":material/timeline:", expanded=True):
        frames = server.visit().replay(snapshot.run_id)
        if frames is None:
            st.caption("No denoising step of this run was kept.")
            return
        st.caption(what_is_shown(snapshot.request.method, shapes=bool(snapshot.request.phases)))
        denoising.replay(f"replay-{snapshot.run_id}", frames, snapshot.curves, snapshot.request)

        def make(kind: str) -> bytes:
            from relaxdesign.export import animation

            write = animation.gif_bytes if kind == "gif" else animation.mp4_bytes
            return write(film.pictures(frames, snapshot.request))

        name = f"relaxdesign-{snapshot.run_id}"
        films = [
            Download("GIF", lambda: make("gif"), f"{name}.gif", "image/gif", "The denoising as a film for slides"),
            Download(
                "MP4", lambda: make("mp4"), f"{name}.mp4", "video/mp4", "The denoising as a film, small and sharp"
            ),
        ]
        download_buttons(films, f"film-{snapshot.run_id}")
