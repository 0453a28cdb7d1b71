"""A run while it is computed: progress, the candidates as they are denoised, and ways to hold and to end it."""

from __future__ import annotations

import contextlib

import streamlit as st

from relaxdesign.library import NotYours, UnknownRun
from relaxdesign.server import JobLimit, Snapshot
from relaxdesign.study.methods import METHODS
from relaxdesign.ui import server
from relaxdesign.ui.components import candidates, denoising, ownership, tour
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import duration, escape, plain, plural, what_is_shown

POLL_SECONDS = 0.4
SENT_AGAIN = 2
"""Drawings whose steps are sent once more."""


@st.fragment(run_every=POLL_SECONDS)
def watch(run_id: str, state: str) -> None:
    """Redraws itself until the run is in another state than the page's head says, then the page."""
    with guard("the running design"):
        try:
            snapshot = server.visit().snapshot(run_id)
        except UnknownRun:
            st.rerun()  # deleted meanwhile; the page says so
        if not snapshot.live:
            st.rerun()
        with st.container(key="live"):
            _progress(snapshot)
            tour.caption(snapshot)
            _view(snapshot, lasting=snapshot.state == state)
        if snapshot.state != state:
            st.rerun()  # only now: what is not drawn before it would leave the page until it has run


def _view(snapshot: Snapshot, *, lasting: bool) -> None:
    """lasting: whether nothing overtakes this drawing on its way to the browser."""
    if snapshot.frame is None:
        _waiting(snapshot)
        return
    dropped = snapshot.dropped or {}
    # Every step is shown, also those that were made while the page was drawn. Those of the last lasting drawings are
    # sent once more: a busy browser shows the last of several that have arrived. It knows what it has.
    sent = f"sent-{snapshot.run_id}"
    ends = st.session_state.get(sent, (0,) * (1 + SENT_AGAIN))
    frames = snapshot.since(ends[0])
    if lasting:
        st.session_state[sent] = (*ends[1:], frames[-1].step)
    told = what_is_shown(snapshot.request.method, shapes=bool(snapshot.request.phases))
    st.caption(f":orange-badge[:material/blur_on: not yet designs] {told}")
    denoising.live(f"live-{snapshot.run_id}", frames, snapshot.curves, snapshot.request, dropped)
    for index, message in sorted(dropped.items()):
        st.caption(f"Candidate {index + 1} was stopped. {escape(plain(index, message))}")
    if snapshot.designs:
        st.subheader("Verified so far")
        candidates.gallery(snapshot.run_id, snapshot.designs)


def _waiting(snapshot: Snapshot) -> None:
    if snapshot.state == "queued":
        st.info(
            f"{plural(snapshot.ahead, 'run')} first; users take turns. It starts by itself: you may close this "
            "page and come back by its address or through the library.",
            icon=":material/hourglass_empty:",
        )
    else:
        st.info("Loading the prior and drawing the first noise …", icon=":material/hourglass_top:")
    if snapshot.designs:
        st.subheader("Kept from before")
        candidates.gallery(snapshot.run_id, snapshot.designs)


def _progress(snapshot: Snapshot) -> None:
    bar, hold, end = st.columns([4, 1.1, 1.1], vertical_alignment="center")
    share, text = _describe(snapshot)
    bar.progress(share, text=text)
    paused = snapshot.state == "paused"
    # Callbacks, as what follows in a script may be cut off by the next redrawing, and the press with it. Streamlit
    # delivers some presses twice: each way has its own button, so that the second does nothing.
    hold.button(
        "Resume" if paused else "Pause",
        icon=":material/play_arrow:" if paused else ":material/pause:",
        key=f"hold-{'resume' if paused else 'pause'}-{snapshot.run_id}",
        disabled=snapshot.stopping or snapshot.state == "queued" or snapshot.elsewhere,
        width="stretch",
        help=_about_holding(snapshot),
        on_click=_toggle,
        args=(snapshot.run_id, paused),
    )
    end.button(
        "Stopping …" if snapshot.stopping else "Stop",
        icon=":material/stop:",
        key=f"stop-{snapshot.run_id}",
        disabled=snapshot.stopping,
        width="stretch",
        help="Ends the run after the current step. What is finished by then is kept.",
        on_click=_stop,
        args=(snapshot.run_id,),
    )
    ownership.ask_before_stopping(snapshot.run_id)
    if refused := st.session_state.get(_refusal(snapshot.run_id)):
        st.warning(refused, icon=":material/front_hand:")


def _about_holding(snapshot: Snapshot) -> str:
    if snapshot.elsewhere:
        return "Another process computes this run; from here it can be stopped"
    if snapshot.state == "paused":
        return "Goes on where it was held"
    return "Holds the run after its current step; others go on meanwhile"


def _toggle(run_id: str, paused: bool) -> None:
    """Holds the run or lets it go on; a limit that forbids it is kept to be shown."""
    st.session_state.pop(_refusal(run_id), None)
    try:
        with contextlib.suppress(UnknownRun):  # deleted meanwhile; the page says so
            (server.visit().resume if paused else server.visit().pause)(run_id)
    except (JobLimit, NotYours) as limit:
        st.session_state[_refusal(run_id)] = str(limit)


def _stop(run_id: str) -> None:
    """Stops a run, or asks before it does if the run is somebody else's."""
    try:
        with contextlib.suppress(UnknownRun):
            ownership.stop(run_id)
    except NotYours as refusal:
        st.session_state[_refusal(run_id)] = str(refusal)


def _refusal(run_id: str) -> str:
    return f"refused-{run_id}"


def _describe(snapshot: Snapshot) -> tuple[float, str]:
    """Share done, and in words. Denoising counts for 70 % of the bar, verification for the rest."""
    frame, steps = snapshot.frame, snapshot.request.steps
    if frame is None:
        return 0.0, "Waiting for its turn" if snapshot.state == "queued" else "Starting …"
    if not snapshot.denoised:
        return 0.7 * frame.step / steps, f"{_verb(snapshot)}: step {frame.step} of {steps}{_rest(snapshot)}"
    done, count = len(snapshot.designs), snapshot.request.count
    text = f"Placing real materials and verifying with FEM: {done} of {count} designs{_rest(snapshot)}"
    return 0.7 + 0.3 * min(1.0, done / count), f"Paused. {text}" if snapshot.state == "paused" else text


def _verb(snapshot: Snapshot) -> str:
    if snapshot.state == "queued":
        return f"Waiting to go on, {plural(snapshot.ahead, 'run')} first"
    searching = "Denoising" if METHODS[snapshot.request.method].denoises else "Searching"
    return "Paused" if snapshot.state == "paused" else searching


def _rest(snapshot: Snapshot) -> str:
    """How much time is left, by the pace of this run; without an estimate until its last step."""
    if snapshot.state != "running":
        return ""
    estimate = server.estimated(snapshot.request)
    left = None if estimate is None else estimate.left(snapshot)
    if left is not None:
        return f", about {duration(max(round(left), 1))} left"
    if snapshot.remaining is None or snapshot.denoised:
        return f" ({duration(snapshot.seconds)})"
    return f", about {duration(max(round(snapshot.remaining), 1))} left, then verification"
