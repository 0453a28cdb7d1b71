"""The candidates' fields with their curves, live or played again, as one component in the browser.

Of three-dimensional candidates PyVista draws the tiles and builds the scene of the one in focus, see `forming`. While a
run is computed, a browser that draws in software gets pictures of that scene, and the scene itself to turn it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from relaxdesign.library import Curves
from relaxdesign.library.replay import Frame, Replay
from relaxdesign.scene.browser import describe
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui import background, server, units
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components import curves as lines
from relaxdesign.ui.components import forming, microstructures, readings
from relaxdesign.ui.components.cell_scene import TILING, TIMES
from relaxdesign.ui.components.directions import Directions
from relaxdesign.ui.components.forming import View

_FRONTEND = Path(__file__).parent / "frontend"
# Bytes of fields that are sent for a replay; of longer ones every second, third, … frame.
REPLAY_BYTES = 6 * 2**20
REPLAY_SCENES = 20  # steps of a three-dimensional replay
REPLAY_MESHES = 6  # where the browser draws the tiles, from meshes that are ten times as large as pictures
STARTING = {"draws": True, "camera": None}
# Of several steps that are new, the last ones come with the scene in focus.
NEW_SCENES = 2

_component = component(
    "relaxdesign_denoising",
    html='<div class="denoising"></div>',
    css=(_FRONTEND / "denoising.css").read_text(),
    js="\n".join((_FRONTEND / f"{name}.js").read_text() for name in ("tiles", "curves", "polar", "scene", "denoising")),
)


def live(key: str, frames: Sequence[Frame], curves: Curves, request: DesignRequest, dropped: dict[int, str]) -> None:
    """Draws the latest steps of a run, one after the other. dropped: per dropped candidate, why."""
    described = [microstructures.describe(frame) for frame in frames]
    if not _flat(frames[-1]):
        _show_forming(key, described, frames, ModulusScale.of(request))
    _mount(key, described, frames[-1], curves, request, dropped, player=False)


def _show_forming(key: str, described: list[dict], frames: Sequence[Frame], scale: ModulusScale) -> None:
    """Adds the candidate in focus and the tiles of three-dimensional steps, as far as they are drawn."""
    focus, view, last = _focus(key, frames[-1]), _view(key), described[-1]
    camera = forming.camera_of(_shown(key).get("camera"))
    if _browser_draws(key):
        for frame, told in list(zip(frames, described, strict=True))[-NEW_SCENES:]:
            told |= _scene_of(key, frame, focus, scale, view)
    elif server.can_render():
        last["still"] = forming.forming().large(key, frames, focus, scale, view, camera)
    if server.can_render():
        last["pictures"] = forming.forming().tiles(key, frames, scale, view)
    elif _browser_draws(key):
        last["meshes"] = forming.forming().kept(
            (key, "tiles", frames[-1].step, view), lambda: forming.meshes(frames[-1], scale, view)
        )
    steps = {index: drawn["step"] for index, drawn in (last.get("pictures") or last.get("meshes") or {}).items()}
    still = last.get("still") or {}
    last["token"] = f"{view} {steps} {_browser_draws(key)} {camera} {still.get('step')}"


@st.fragment
def replay(key: str, frames: Replay, curves: Curves, request: DesignRequest) -> None:
    """Draws the steps that were kept of a run, with a slider to go through them."""
    first = frames[0]
    if _flat(first):
        described = _described(key, frames.written, frames)
    else:
        described = _described_scenes(key, frames, request)
        if described is None:
            return
    _mount(key, described, first, curves, request, {}, player=True)


@st.cache_data(show_spinner=False, max_entries=6)
def _described(key: str, written: int, _frames: Replay) -> list[dict]:
    # Kept by the first two, which name the replay and its version.
    first = microstructures.describe(_frames[0])
    size = sum(len(tile["pixels"]) for tile in first["tiles"])
    stride = max(1, -(-size * len(_frames) // REPLAY_BYTES))
    last = len(_frames) - 1
    return [microstructures.describe(_frames[i]) for i in sorted({*range(0, last, stride), last})]


def _described_scenes(key: str, frames: Replay, request: DesignRequest) -> list[dict] | None:
    """Steps spread over a three-dimensional replay, with pictures and scenes; None while these are drawn."""
    focus, view, scale = _focus(key, frames[0]), _view(key), ModulusScale.of(request)
    count = REPLAY_SCENES if server.can_render() else REPLAY_MESHES
    chosen = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    name = (key, frames.written)

    def pictures() -> list[dict]:
        if not server.can_render():
            return [{"meshes": forming.meshes(frames[int(i)], scale, view)} for i in chosen]
        draw = forming.tiles(scale, view)
        return [{"pictures": forming.all_pictures(frames[int(i)], draw)} for i in chosen]

    drawn = background.result(("replay", name, view.stretched, view.soft), pictures, "Drawing the replay")
    if drawn is None:
        return None
    described = []
    for i, tiles in zip(chosen, drawn, strict=True):
        frame = frames[int(i)]
        told = microstructures.describe(frame) | tiles
        focused = _scene_of if _browser_draws(key) else _still_of
        described.append(told | focused(str(name), frame, focus, scale, view))
    return described


def _scene_of(key: str, frame: Frame, focus: int, scale: ModulusScale, view: View) -> dict[str, Any]:
    """The scene in focus and the modulus that bounds it, for the browser."""

    def make() -> dict[str, Any]:
        found = forming.focus_scene(frame, focus, scale, view)
        return {} if found is None else {"scene": describe(found[0]), "limit": found[1]}

    return forming.forming().kept((key, "scene", frame.step, focus, view), make)


def _still_of(key: str, frame: Frame, focus: int, scale: ModulusScale, view: View) -> dict[str, Any]:
    """The scene in focus as a picture, in place of the browser's own view; nothing if this machine cannot render."""
    if not server.can_render():
        return {}

    def make() -> dict[str, Any]:
        return {"still": forming.all_pictures(frame, forming.large(focus, scale, view)).get(focus)}

    return forming.forming().kept((key, "still", frame.step, focus, view), make)


def _mount(
    key: str,
    described: Sequence[dict],
    frame: Frame,
    curves: Curves,
    request: DesignRequest,
    dropped: dict[int, str],
    *,
    player: bool,
) -> None:
    scale = ModulusScale.of(request)
    cube = not _flat(frame)
    unit, times = units.shown("GPa")
    described = [{**told, "readings": readings.at_step(curves, request, told["step"])} for told in described]
    directions = Directions.of(request.objectives, request.dim)
    if directions is not None:
        described = [told | {"polar": directions.present(curves, told["step"], request.count)} for told in described]
    data = {
        "key": key,
        "frames": list(described),
        "player": player,
        "columns": _columns(request.count, cube=cube),
        "shape": frame.codes.shape[1:3],
        "cube": cube,
        "tiling": {"times": TIMES, "words": TILING[not cube]},
        "palette": microstructures.encode(scale.palette),
        "scale": {"low": scale.low, "high": scale.high},
        "modulus": {"unit": unit, "times": times},
        "tiles": [{"number": str(i + 1), "message": dropped.get(i, "")} for i in range(request.count)],
        "curves": lines.describe(curves, request),
        "polar": None if directions is None else directions.describe(),
    }
    if cube:
        data |= {"focus": _focus(key, frame), "vtk": server.vtk_address(), "stills": server.can_render()}
        data |= {"view": vars(_view(key)), "shown": _shown(key)}
    _component(
        data=data, key=key, default={"focus": 0, "shown": STARTING, "view": None},
        on_focus_change=lambda: None, on_shown_change=lambda: None, on_view_change=lambda: None,
    )  # fmt: skip


def _flat(frame: Frame) -> bool:
    return frame.codes.shape[3] == 1


def _browser_draws(key: str) -> bool:
    """Whether the browser shows scenes, as far as it has told: it may lack WebGL, or draw it too slowly for a run."""
    return server.vtk_address() is not None and bool(_shown(key).get("draws", True))


def _shown(key: str) -> dict[str, Any]:
    """Whether the browser ``draws`` the scene in focus, and the ``camera`` of the pictures it is sent otherwise."""
    return dict(_state(key).get("shown") or STARTING)


def _view(key: str) -> View:
    return View.of(_state(key).get("view"))


def _focus(key: str, frame: Frame) -> int:
    """The candidate that is shown as a scene."""
    return min(int(_state(key).get("focus") or 0), len(frame.codes) - 1)


def _state(key: str) -> dict:
    return dict(st.session_state.get(key) or {})


def _columns(count: int, *, cube: bool) -> int:
    """Wide tiles as long as all of them fit on a laptop's screen."""
    if cube:
        return min(max(4, count), 8)
    return max(2, count) if count <= 4 else 4 if count <= 12 else 6 if count <= 30 else 8
