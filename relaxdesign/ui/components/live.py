"""A run while it is computed: progress, the candidates as they are denoised, curves, and a way to stop."""

from __future__ import annotations

import streamlit as st

from relaxdesign.jobs import Snapshot
from relaxdesign.store import UnknownRun
from relaxdesign.ui import server
from relaxdesign.ui.components import candidates, curves, microstructures
from relaxdesign.ui.errors import guard
from relaxdesign.ui.text import duration, escape, plain, plural

POLL_SECONDS = 0.7


@st.fragment(run_every=POLL_SECONDS)
def watch(run_id: str) -> None:
    """Redraws itself until the run has ended, then the page."""
    with guard("the running design"):
        try:
            snapshot = server.jobs().snapshot(run_id)
        except UnknownRun:
            st.rerun()  # deleted meanwhile; the page says so
        if not snapshot.live:
            st.rerun()
        _progress(snapshot)
        if snapshot.state == "queued":
            return
        if snapshot.step is None:
            st.info("Loading the prior and drawing the first noise …", icon=":material/hourglass_top:")
            return
        fields, lines = st.columns([1.75, 1], gap="medium")
        with fields:
            microstructures.render(
                microstructures.live_tiles(snapshot),
                snapshot.request.target_bulk,
                frame=snapshot.step.step,
                key=f"live-{run_id}",
            )
        with lines:
            figure = curves.chart(snapshot.curves, snapshot.request.target_bulk, snapshot.step.steps)
            st.plotly_chart(figure, key=f"live-curves-{run_id}", config={"displayModeBar": False})
        for index, message in sorted(snapshot.step.messages.items()):
            st.caption(f"Candidate {index + 1} was stopped. {escape(plain(index, message))}")
        if snapshot.designs:
            st.subheader("Verified so far")
            candidates.gallery(run_id, snapshot.designs)


def _progress(snapshot: Snapshot) -> None:
    bar, button = st.columns([5, 1], vertical_alignment="center")
    share, text = _describe(snapshot)
    bar.progress(share, text=text)
    pressed = button.button(
        "Stopping …" if snapshot.stopping else "Stop",
        icon=":material/stop:",
        key=f"stop-{snapshot.run_id}",
        disabled=snapshot.stopping,
        width="stretch",
        help="Ends the run after the current step. What is finished by then is kept.",
    )
    if pressed:
        server.jobs().cancel(snapshot.run_id)
        st.rerun(scope="fragment")


def _describe(snapshot: Snapshot) -> tuple[float, str]:
    """Share done, and in words. Denoising counts for 70 % of the bar, verification for the rest."""
    if snapshot.state == "queued":
        return 0.0, f"Waiting: {plural(snapshot.ahead, 'run')} first. It starts by itself; you may close this page."
    step = snapshot.step
    if step is None:
        return 0.0, "Starting …"
    if step.step < step.steps:
        left = snapshot.remaining
        rest = "" if left is None else f", about {duration(max(round(left), 1))} left, then verification"
        return 0.7 * step.step / step.steps, f"Denoising: step {step.step} of {step.steps}{rest}"
    done, count = len(snapshot.designs), snapshot.request.count
    text = f"Placing real materials and verifying with FEM: {done} of {count} designs ({duration(snapshot.seconds)})"
    return 0.7 + 0.3 * done / count, text
