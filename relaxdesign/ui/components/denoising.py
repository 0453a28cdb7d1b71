"""The candidates' fields with their curves, live or played again, as one component in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from relaxdesign.replay import Frame, Replay
from relaxdesign.request import DesignRequest
from relaxdesign.store import Curves
from relaxdesign.ui import server
from relaxdesign.ui.colours import ModulusScale, viridis
from relaxdesign.ui.components import curves as lines
from relaxdesign.ui.components import microstructures
from relaxdesign.ui.components.rendering import surface_image

_FRONTEND = Path(__file__).parent / "frontend"
# Bytes of fields that are sent for a replay; of longer ones every second, third, … frame.
REPLAY_BYTES = 6 * 2**20

_component = component(
    "relaxdesign_denoising",
    html='<div class="denoising"></div>',
    css=(_FRONTEND / "denoising.css").read_text(),
    js="\n".join((_FRONTEND / f"{name}.js").read_text() for name in ("tiles", "curves", "surface", "denoising")),
)


def live(key: str, frames: Sequence[Frame], curves: Curves, request: DesignRequest, dropped: dict[int, str]) -> None:
    """Draws the latest steps of a run, one after the other. dropped: per dropped candidate, why."""
    focus = _focus(key, frames[-1])
    described = [microstructures.describe(frame, request.target_bulk, focus=focus) for frame in frames]
    _mount(key, described, frames[-1], focus, curves, request, dropped, player=False)


def replay(key: str, frames: Replay, curves: Curves, request: DesignRequest) -> None:
    """Draws the steps that were kept of a run, with a slider to go through them."""
    first = frames[0]
    focus = _focus(key, first)
    described = _described(key, frames.written, frames, request.target_bulk, focus)
    _mount(key, described, first, focus, curves, request, {}, player=True)


@st.cache_data(show_spinner=False, max_entries=6)
def _described(key: str, written: int, _frames: Replay, target: float | None, focus: int | None) -> list[dict]:
    # Kept by the first two, which name the replay and its version.
    first = microstructures.describe(_frames[0], target, focus=focus)
    size = sum(len(tile["pixels"]) for tile in first["tiles"]) + len(first["volume"] or "")
    stride = max(1, -(-size * len(_frames) // REPLAY_BYTES))
    last = len(_frames) - 1
    return [microstructures.describe(_frames[i], target, focus=focus) for i in sorted({*range(0, last, stride), last})]


def _mount(
    key: str,
    described: Sequence[dict],
    frame: Frame,
    focus: int | None,
    curves: Curves,
    request: DesignRequest,
    dropped: dict[int, str],
    *,
    player: bool,
) -> None:
    scale = ModulusScale.of(request.target_bulk, frame)
    shape = frame.codes.shape[1:]
    vtk, pictured = None, False
    if focus is not None:
        vtk = server.vtk_address()
        pictured = vtk is None or not _state(key).get("webgl", True)
        if pictured:
            _picture(frame, focus, scale)
    data = {
        "key": key,
        "frames": list(described),
        "player": player,
        "columns": _columns(request.count, cube=focus is not None),
        "shape": shape[:2],
        "cube": focus is not None,
        "volumeShape": shape,
        "focus": focus,
        "image": pictured,
        "vtk": vtk,
        "palette": microstructures.encode(viridis()),
        "scale": {"low": scale.low, "high": scale.high},
        "tiles": [{"number": str(i + 1), "message": dropped.get(i, "")} for i in range(request.count)],
        "curves": lines.describe(curves, request),
    }
    _component(
        data=data, key=key, default={"focus": 0, "webgl": True},
        on_focus_change=lambda: None, on_webgl_change=lambda: None,
    )  # fmt: skip


def _picture(frame: Frame, focus: int, scale: ModulusScale) -> None:
    """In place of the browser's own view."""
    if np.isnan(frame.low[focus]) or not server.can_render():
        st.caption("Surfaces cannot be drawn here; the cubes show the fields.")
        return
    alt = f"Surface of the stiff phase of candidate {focus + 1}"
    st.image(surface_image(frame.young[focus], scale, dark=st.context.theme.type == "dark"), caption=alt, width=480)


def _focus(key: str, frame: Frame) -> int | None:
    """The candidate that is shown as a surface; None in 2D."""
    if frame.codes.shape[3] == 1:
        return None
    chosen = _state(key).get("focus") or 0
    return min(int(chosen), len(frame.codes) - 1)


def _state(key: str) -> dict:
    return dict(st.session_state.get(key) or {})


def _columns(count: int, *, cube: bool) -> int:
    """Wide tiles as long as all of them fit on a laptop's screen."""
    if cube:
        return min(max(4, count), 8)
    return max(2, count) if count <= 4 else 4 if count <= 12 else 6 if count <= 30 else 8
