"""Every denoising step reaches the browser, whatever cuts a drawing off."""

from __future__ import annotations

from types import SimpleNamespace

import streamlit as st
from streamlit.testing.v1 import AppTest

from relaxdesign.jobs import Snapshot
from relaxdesign.replay import Frame
from relaxdesign.request import DesignRequest
from relaxdesign.store import Curves
from relaxdesign.ui import server
from relaxdesign.ui.components import denoising
from tests.scripted_study import scripted_step

REQUEST = DesignRequest(target_bulk=120.0, count=2, steps=20)
FRAMES = [Frame.of(scripted_step(REQUEST, step)) for step in range(1, 13)]


def held_after(state: str, step: int) -> Snapshot:
    return Snapshot("run", REQUEST, state, Curves(), recent=tuple(FRAMES[:step]))


def page() -> None:
    from relaxdesign.ui import server
    from relaxdesign.ui.components import live

    live.watch("run", server.jobs().head())


def test_no_step_is_lost_when_two_drawings_in_a_row_are_cut_off(monkeypatch):
    """The press of Pause cuts off one drawing, the redrawing of the page, as the run is held now, the next."""
    coming = [
        held_after("running", 4),
        held_after("running", 7),
        held_after("running", 9),
        held_after("paused", 12),  # while the page's head says "running"
        held_after("paused", 12),
    ]
    last = SimpleNamespace(snapshot=None)

    def snapshot(run_id):
        last.snapshot = coming.pop(0)
        return last.snapshot

    jobs = SimpleNamespace(
        snapshot=snapshot, head=lambda: last.snapshot.state if last.snapshot else "running", cancel=lambda run_id: None
    )
    drawings: list[list[int]] = []
    monkeypatch.setattr(server, "jobs", lambda: jobs)
    monkeypatch.setattr(denoising, "live", lambda key, frames, *rest: drawings.append([f.step for f in frames]))
    st.cache_data.clear()
    app = AppTest.from_function(page)
    for _ in range(4):
        app.run()
        assert not app.exception
    assert not coming and len(drawings) == 5
    delivered, last_drawing = drawings[1], drawings[-1]
    assert delivered == list(range(1, 8))
    assert last_drawing[-1] == 12 and last_drawing[0] <= delivered[-1] + 1, "steps are lost"
