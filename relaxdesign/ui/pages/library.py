"""The page "Library": every run, newest first, to be reopened or deleted."""

import contextlib

import streamlit as st

from relaxdesign.ui import server

server.wait()

from relaxdesign.store import LIVE_STATES, RunRecord, UnknownRun  # noqa: E402  (loads torch, see server.wait)
from relaxdesign.ui.errors import guard  # noqa: E402
from relaxdesign.ui.text import STATES, duration, gpa, moment, percent, plural  # noqa: E402

DESIGN_PAGE = "relaxdesign/ui/pages/design.py"
PAGE_SIZE = 20
WIDTHS = [1.7, 1.4, 1.3, 1.4, 1.0, 1.0, 1.0]


def draw() -> None:
    """The whole page."""
    count = server.store().count_runs()
    st.markdown(f"## Library :gray-badge[{plural(count, 'run')}]")
    if count == 0:
        with st.container(border=True, horizontal_alignment="center"):
            st.markdown("**No runs yet**  \nEvery run is kept here with its designs, from the moment you press Design.")
            st.page_link(DESIGN_PAGE, label="Start a design", icon=":material/play_arrow:")
        return
    shown = st.session_state.setdefault("library_shown", PAGE_SIZE)
    header()
    for run in server.store().list_runs(limit=shown):
        row(run)
    if count > shown and st.button(f"Show {min(PAGE_SIZE, count - shown)} more", icon=":material/expand_more:"):
        st.session_state["library_shown"] = shown + PAGE_SIZE
        st.rerun()


def header() -> None:
    titles = ("Target K", "Started", "State", "Designs", "Best error", "", "")
    for column, title in zip(st.columns(WIDTHS), titles, strict=True):
        column.caption(title)


def row(run: RunRecord) -> None:
    """One run."""
    label, colour, icon = STATES[run.status]
    request = run.request
    best = "–" if run.best_error is None else percent(run.best_error).lstrip("+")
    computed = "" if run.seconds is None else f" :gray[in {duration(run.seconds)}]"
    with st.container(border=True, key=f"run-{run.id}"):
        columns = st.columns(WIDTHS, vertical_alignment="center")
        columns[0].markdown(
            f"**{gpa(request.target_bulk)}**  \n:gray[{request.dim}D · {request.steps} steps · seed {request.seed}]"
        )
        columns[1].markdown(moment(run.created, st.context.timezone))
        columns[2].markdown(f":{colour}-badge[{icon} {label}]")
        columns[3].markdown(f"{run.design_count} of {request.count}{computed}")
        columns[4].markdown(best)
        if columns[5].button("Open", key=f"open-{run.id}", icon=":material/open_in_new:", width="stretch"):
            st.switch_page(DESIGN_PAGE, query_params={"run": run.id})
        live = run.status in LIVE_STATES
        if columns[6].button(
            "Delete",
            key=f"delete-{run.id}",
            icon=":material/delete:",
            type="tertiary",
            help="Stop the run before you delete it" if live else None,
            disabled=live,
        ):
            confirm(run)


@st.dialog("Delete this run?", icon=":material/delete:")
def confirm(run: RunRecord) -> None:
    """Asks before a run and its designs are gone."""
    st.markdown(
        f"The run for **K = {gpa(run.request.target_bulk)}** with {plural(run.design_count, 'verified design')} "
        "will be deleted. This cannot be undone."
    )
    keep, drop = st.columns(2)
    if keep.button("Keep", width="stretch", key="keep"):
        st.rerun()
    if drop.button("Delete", type="primary", width="stretch", key="really-delete"):
        with contextlib.suppress(UnknownRun):  # somebody else was quicker
            server.store().delete(run.id)
        st.rerun()


with guard("the library"):
    draw()
