"""The bin: discarded runs, to be taken back or removed for good."""

from __future__ import annotations

import contextlib

import streamlit as st

from relaxdesign.library import NotYours, RunRecord, RunSearch, UnknownRun
from relaxdesign.ui import server
from relaxdesign.ui.components import ownership, paging
from relaxdesign.ui.text import escape, moment, plural

PAGE_SIZE = 20
WIDTHS = [3, 1.5, 1.2, 1.2, 1.4]
_BIN = RunSearch(deleted=True)


def draw() -> None:
    """Rows and pages."""
    store = server.store()
    count = store.count_runs(_BIN)
    if count == 0:
        st.info("The bin is empty.", icon=":material/delete:")
        return
    text, button = st.columns([4, 1], vertical_alignment="center")
    text.caption(f"{plural(count, 'run')} in the bin. Designs of a removed run are gone for good.")
    if button.button("Empty the bin", icon=":material/delete_forever:", width="stretch", key="empty-bin"):
        _confirm(None)
    first = paging.position("bin_first", count, PAGE_SIZE, "bin")
    for run in store.list_runs(PAGE_SIZE, first, _BIN):
        _row(run)
    paging.buttons("bin_first", first, count, PAGE_SIZE)


def _row(run: RunRecord) -> None:
    with st.container(border=True, key=f"bin-{run.id}"):
        columns = st.columns(WIDTHS, vertical_alignment="center")
        about = f"{plural(run.design_count, 'design')}{ownership.told(run)}"
        columns[0].markdown(f"**{escape(run.name)}**  \n:gray[{about}]")
        if run.deleted is not None:
            columns[1].markdown(f":gray[discarded] {moment(run.deleted, st.context.timezone)}")
        columns[2].markdown(f":gray[from] {moment(run.created, st.context.timezone)}")
        columns[3].button(
            "Restore",
            key=f"restore-{run.id}",
            icon=":material/undo:",
            width="stretch",
            disabled=not ownership.may_change(run),
            on_click=_restore,
            args=(run.id,),
        )
        if columns[4].button(
            "Remove",
            key=f"remove-{run.id}",
            icon=":material/delete_forever:",
            type="tertiary",
            disabled=not ownership.may_change(run),
        ):
            _confirm(run)


def _restore(run_id: str) -> None:
    with contextlib.suppress(UnknownRun, NotYours):
        server.store().restore(run_id)
    if st.session_state.get("discarded", ("",))[0] == run_id:
        del st.session_state["discarded"]


@st.dialog("Remove for good?", icon=":material/delete_forever:")
def _confirm(run: RunRecord | None) -> None:
    """Asks before a run, or all runs in the bin, are gone. run None: all."""
    everything = "All runs in the bin" if not ownership.limited() else "All of your runs in the bin"
    what = everything if run is None else f"**{escape(run.name)}** with {plural(run.design_count, 'design')}"
    st.markdown(f"{what} will be removed. This cannot be undone.")
    if run is not None:
        ownership.warn(run)
    elif not ownership.limited():
        st.caption("Those of others, too.")
    keep, drop = st.columns(2)
    if keep.button("Keep", width="stretch", key="keep"):
        st.rerun()
    if drop.button("Remove", type="primary", width="stretch", key="really-remove"):
        st.session_state.pop("discarded", None)
        if run is None:
            server.store().empty_bin()
        else:
            with contextlib.suppress(UnknownRun, NotYours):  # somebody else was quicker
                server.store().delete(run.id)
        st.rerun()
