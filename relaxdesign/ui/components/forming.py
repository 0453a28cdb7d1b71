"""Pictures and scenes of three-dimensional candidates while they form, kept for all who watch the same run.

A page never waits for a picture: it takes those that are there, and others are drawn meanwhile.
"""

from __future__ import annotations

import base64
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from relaxdesign.library.replay import Frame
from relaxdesign.scene import Camera, Cut, Scene, best_limit, forming_scene
from relaxdesign.scene.browser import describe
from relaxdesign.scene.stills import Studio, studio, webp
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components.cell_scene import TIMES

TILE = 240  # pixels
LARGE = (720, 360)
_KEPT_DRAWINGS = 16
_REST_S = 0.3  # for so long the tiles need not show the next step
_KEPT_SCENES = 96
_AXES = "xyz"


@dataclass(frozen=True)
class View:
    """How the forming phase is looked at, as the reader chose.

    stretched: colours from the least to the largest modulus of the step. soft: the soft phase. axis, share: the cut.
    limit: modulus between the phases, GPa; None: the best. tiled: repeated along each axis.
    """

    stretched: bool = False
    soft: bool = False
    axis: int = 0
    share: float = 1.0
    limit: float | None = None
    tiled: bool = False

    @staticmethod
    def of(state: Mapping[str, Any] | None) -> View:
        """From what the browser tells; anything else is the standard view."""
        try:
            told = dict(state or {})
            limit = None if told.get("limit") is None else float(told["limit"])
            share = min(1.0, max(0.05, float(told.get("share", 1.0))))
            axis = min(2, max(0, int(told.get("axis", 0))))
            stretched, soft, tiled = (bool(told.get(name)) for name in ("stretched", "soft", "tiled"))
            return View(stretched, soft, axis, share, limit, tiled)
        except (TypeError, ValueError):
            return View()

    @property
    def cut(self) -> Cut:
        return Cut(**{_AXES[self.axis]: self.share})


def focus_scene(frame: Frame, index: int, scale: ModulusScale, view: View) -> tuple[Scene, float] | None:
    """The forming phase of one candidate as the reader looks at it, and the modulus that bounds it (GPa); None
    without a field."""
    if np.isnan(frame.low[index]):
        return None
    young = frame.young_of(index)
    limit = best_limit(young) if view.limit is None else view.limit
    paint = (scale.over(frame) if view.stretched else scale).paint
    times = TIMES if view.tiled else 1
    return forming_scene(young, paint, limit=limit, soft=view.soft, cut=view.cut, times=times), limit


def tile_scene(frame: Frame, index: int, scale: ModulusScale, view: View) -> Scene | None:
    """The forming phase of one candidate, whole; None without a field."""
    whole = View(stretched=view.stretched, soft=view.soft)
    found = focus_scene(frame, index, scale, whole)
    return None if found is None else found[0]


def camera_of(told: Mapping[str, Any] | None) -> Camera | None:
    """From where the browser tells that it is looked; None for the scene's own place, and for anything else."""
    try:
        place = [tuple(float(x) for x in dict(told or {})[name]) for name in ("position", "focus", "up")]
    except (KeyError, TypeError, ValueError):
        return None
    if any(len(point) != 3 or not np.isfinite(point).all() for point in place):
        return None
    return place[0], place[1], place[2]


Drawing = Callable[[Studio, Frame], Iterator[tuple[int, dict[str, Any]]]]
"""Draws candidates of a step, in the drawing thread: their indices and, for the browser, ``step`` and ``image`` (WebP,
base64)."""


def tiles(scale: ModulusScale, view: View) -> Drawing:
    """Draws all candidates, small."""

    def draw(of: Studio, frame: Frame) -> Iterator[tuple[int, dict[str, Any]]]:
        for index in range(len(frame.codes)):
            scene = tile_scene(frame, index, scale, view)
            if scene is not None:
                yield index, {"step": frame.step, "image": encoded(of.draw(scene, TILE, TILE))}

    return draw


def large(index: int, scale: ModulusScale, view: View, camera: Camera | None = None) -> Drawing:
    """Draws one candidate as the scene in focus, with the ``limit`` of `focus_scene`."""

    def draw(of: Studio, frame: Frame) -> Iterator[tuple[int, dict[str, Any]]]:
        found = focus_scene(frame, index, scale, view)
        if found is not None:
            image = encoded(of.draw(found[0], *LARGE, camera))
            yield index, {"step": frame.step, "image": image, "limit": found[1]}

    return draw


@dataclass
class _Drawn:
    """What was drawn of a run. step: the last that was drawn. rested: when the next may be, though it need not."""

    step: int = 0
    drawing: bool = False
    rested: float = 0.0
    pictures: dict[int, dict[str, Any]] = field(default_factory=dict)

    def due(self, frames: Sequence[Frame], every: int) -> Frame | None:
        """The frame to be drawn now; none while one is drawn, and a moment later, so that drawing stays cheap.

        The step that makes ``every`` since the last drawing is drawn at once, though one later may be there.
        """
        latest = frames[-1]
        behind = latest.step - self.step
        if self.drawing or behind <= 0 or (behind < every and time.monotonic() < self.rested):
            return None
        if behind > every + 1:
            return latest
        return next((frame for frame in frames if frame.step == self.step + every), latest)


class Forming:
    """Draws the candidates of live runs, and keeps scenes that are asked for again."""

    def __init__(self, of: Studio) -> None:
        self._studio = of
        self._lock = threading.Lock()
        self._drawn: OrderedDict[Hashable, _Drawn] = OrderedDict()
        self._scenes: OrderedDict[Hashable, Any] = OrderedDict()

    def tiles(self, key: Hashable, frames: Sequence[Frame], scale: ModulusScale, view: View) -> dict[int, dict]:
        """The newest picture of every candidate that has one; at least every second step is drawn in the background.

        key: of the run. frames: its latest steps.
        """
        name = (key, view.stretched, view.soft)
        return self._pictures(name, frames, tiles(scale, view), every=2)

    def large(
        self, key: Hashable, frames: Sequence[Frame], index: int, scale: ModulusScale, view: View, camera: Camera | None
    ) -> dict[str, Any] | None:
        """The newest picture of one candidate in focus, if there is one; every step is drawn, in the background."""
        name = (key, index, view, camera)
        return self._pictures(name, frames, large(index, scale, view, camera), every=1).get(index)

    def _pictures(self, name: Hashable, frames: Sequence[Frame], draw: Drawing, *, every: int) -> dict[int, dict]:
        with self._lock:
            drawn = self._drawn.setdefault(name, _Drawn())
            self._drawn.move_to_end(name)
            while len(self._drawn) > _KEPT_DRAWINGS:
                self._drawn.popitem(last=False)
            if frames[-1].step < drawn.step:
                drawn.step = 0  # the run has begun anew
                drawn.pictures.clear()
            frame = drawn.due(frames, every)
            if frame is not None:
                drawn.drawing = True
                self._studio.submit(lambda: self._draw(drawn, frame, draw))
            return dict(drawn.pictures)

    def _draw(self, drawn: _Drawn, frame: Frame, draw: Drawing) -> None:
        try:
            for index, picture in draw(self._studio, frame):
                with self._lock:
                    drawn.pictures[index] = picture
        finally:
            with self._lock:
                drawn.step, drawn.drawing = frame.step, False
                drawn.rested = time.monotonic() + _REST_S

    def kept(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is made once per key; the last of them are kept."""
        with self._lock:
            if key in self._scenes:
                self._scenes.move_to_end(key)
                return self._scenes[key]
        made = make()
        with self._lock:
            self._scenes[key] = made
            while len(self._scenes) > _KEPT_SCENES:
                self._scenes.popitem(last=False)
        return made


def encoded(picture: NDArray[np.uint8]) -> str:
    """A picture as WebP in base64."""
    return base64.b64encode(webp(picture)).decode()


def all_pictures(frame: Frame, draw: Drawing) -> dict[int, dict[str, Any]]:
    """All pictures of one step; waits for them."""
    return studio().submit(lambda: dict(draw(studio(), frame))).result()


def meshes(frame: Frame, scale: ModulusScale, view: View) -> dict[int, dict[str, Any]]:
    """The scene of every candidate for the browser to draw, where this machine cannot."""
    scenes = {index: tile_scene(frame, index, scale, view) for index in range(len(frame.codes))}
    return {index: {"step": frame.step, "scene": describe(s)} for index, s in scenes.items() if s is not None}


@st.cache_resource(show_spinner=False)
def forming() -> Forming:
    """The one of this server."""
    return Forming(studio())
