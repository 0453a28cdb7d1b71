"""Every denoising step reaches the browser, though it may skip drawings."""

from __future__ import annotations

from types import SimpleNamespace

import streamlit as st
from streamlit.testing.v1 import AppTest

from relaxdesign.library import Curves
from relaxdesign.library.replay import Frame
from relaxdesign.server import Snapshot
from relaxdesign.study.request import DesignRequest
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


def test_no_step_is_lost_when_a_busy_browser_skips_drawings(monkeypatch):
    """Two while the run goes on, and the one that the page's redrawing overtakes, as the run is held now."""
    coming = [
        held_after("running", 3),
        held_after("running", 6),
        held_after("running", 8),
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
    monkeypatch.setattr(server, "visit", lambda: jobs)
    monkeypatch.setattr(denoising, "live", lambda key, frames, *rest: drawings.append([f.step for f in frames]))
    st.cache_data.clear()
    app = AppTest.from_function(page)
    for _ in range(5):
        app.run()
        assert not app.exception
    assert not coming and len(drawings) == 6
    delivered, last_drawing = drawings[1], drawings[-1]
    assert delivered == list(range(1, 7))
    assert last_drawing[-1] == 12 and last_drawing[0] <= delivered[-1] + 1, "steps are lost"
