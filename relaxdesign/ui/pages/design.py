"""The page "Design": settings in the sidebar, the run of the address (``?run=ID``) beside them."""

import streamlit as st

from relaxdesign.ui import navigation, server

if "run" not in st.query_params and "from" not in st.query_params and (opened := st.session_state.get("opened_run")):
    # Back from another page: the run that was open still is, until a new design is begun.
    st.query_params["run"] = opened
if "run" not in st.query_params:
    st.markdown(
        "## Composites that meet your targets\n"
        "Set a target on the left and press **Design**. Microstructures are denoised before your eyes while a "
        "finite-element solver steers them; each is then rebuilt from two real materials, verified, and "
        "ready to download."
    )
server.wait()

from relaxdesign.library import LIVE_STATES, UnknownRun  # noqa: E402
from relaxdesign.server import Snapshot  # noqa: E402  (loads torch, see server.wait)
from relaxdesign.ui.components import controls, live, results, tour  # noqa: E402
from relaxdesign.ui.components.welcome import materials_chart  # noqa: E402
from relaxdesign.ui.errors import guard  # noqa: E402
from relaxdesign.ui.text import STATES, asked, duration, escape, plural  # noqa: E402


def draw() -> None:
    """The whole page."""
    controls.load_waiting()
    take_over()
    run_id = st.query_params.get("run")
    if not run_id:
        controls.render(alone=False)
        tour.offer()
        running()
        materials_chart()
        return
    try:
        snapshot = server.visit().snapshot(run_id)
    except UnknownRun:
        controls.render(alone=False)
        st.session_state.pop("opened_run", None)
        st.warning("There is no such run in this library; it may have been deleted.", icon=":material/search_off:")
        st.page_link(navigation.LIBRARY, label="Open the library", icon=":material/folder_open:")
        materials_chart()
        return
    st.session_state["opened_run"] = run_id
    if st.session_state.get("shown_run") != run_id:
        # A run that was opened brings its settings along, so that it can be repeated or changed.
        st.session_state["shown_run"] = run_id
        controls.load(snapshot.request)
    controls.render(alone=True)
    head(snapshot)
    if snapshot.live:
        live.watch(run_id, snapshot.state)
    else:
        results.render(run_id)


def take_over() -> None:
    """Fills the controls from the run of ``?from=ID``, to be changed and run again."""
    source = st.query_params.pop("from", None)
    if source is None:
        return
    st.session_state.pop("opened_run", None)
    try:
        controls.load(server.store().run(source).request)
    except UnknownRun:
        st.toast("The run to start from is no longer in this library.", icon=":material/search_off:")


def running() -> None:
    """Ways back to the runs that are being computed."""
    with guard("the running designs"):
        for run in server.store().list_runs(limit=5):
            if run.status in LIVE_STATES:
                # No link: one to the page itself would leave the address as it is, and the run with the next redrawing.
                st.button(
                    f"{escape(run.request.title)} is being designed: watch",
                    key=f"watch-{run.id}",
                    icon=":material/play_circle:",
                    type="tertiary",
                    on_click=_watch,
                    args=(run.id,),
                )


def _watch(run_id: str) -> None:
    st.query_params["run"] = run_id


def _begin_anew() -> None:
    """Leaves the run for the first page; the settings stay."""
    st.session_state.pop("opened_run", None)
    st.query_params.pop("run", None)


def head(snapshot: Snapshot) -> None:
    """What was asked for."""
    request = snapshot.request
    label, colour, icon = STATES[snapshot.state]
    cell = "2D (one voxel thick, periodic, 3D elasticity)" if request.dim == 2 else "3D (periodic)"
    method = "" if request.method == "guided" else f" · {request.method}"
    title, new = st.columns([5, 1], vertical_alignment="top")
    new.button("New design", icon=":material/add:", key="new-design", width="stretch", on_click=_begin_anew)
    took = "" if snapshot.live else f" · {duration(snapshot.seconds)}"
    title.markdown(
        f"## {escape(asked(request))} :{colour}-badge[{icon} {label}]\n"
        f":gray[{cell} · {plural(request.count, 'candidate')} · {request.steps} steps · seed {request.seed}"
        f"{method}{took}]"
    )


with guard("this page"):
    draw()
