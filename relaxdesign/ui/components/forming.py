"""Pictures and scenes of three-dimensional candidates while they form, kept for all who watch the same run.

A page never waits for a picture: it takes those that are there, and the drawing thread goes on with the latest step.
"""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st

from relaxdesign.library.replay import Frame
from relaxdesign.scene import Cut, Scene, best_limit, forming_scene
from relaxdesign.scene.browser import describe
from relaxdesign.scene.stills import Studio, studio, webp
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components.cell_scene import TIMES

TILE = 240  # pixels
LARGE = (640, 480)
_KEPT_RUNS = 8
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


@dataclass
class _Run:
    """The pictures of a run that is watched. pictures: by candidate, its step and the picture."""

    draw: Callable[[Frame, int], Scene | None]
    wanted: Frame
    drawn: int = 0  # step
    drawing: bool = False
    pictures: dict[int, dict[str, Any]] = field(default_factory=dict)


class Forming:
    """Draws the candidates of live runs, the latest step first, and keeps scenes that are asked for again."""

    def __init__(self, of: Studio) -> None:
        self._studio = of
        self._lock = threading.Lock()
        self._runs: OrderedDict[Hashable, _Run] = OrderedDict()
        self._scenes: OrderedDict[Hashable, Any] = OrderedDict()

    def pictures(self, key: Hashable, frame: Frame, scale: ModulusScale, view: View) -> dict[int, dict[str, Any]]:
        """The newest picture of every candidate that has one: ``step`` and ``image`` (WebP, base64).

        Those of this frame are drawn in the background. key: of the run; each view has pictures of its own.
        """
        with self._lock:
            name = (key, view.stretched, view.soft)
            run = self._runs.setdefault(name, _Run(lambda f, i: tile_scene(f, i, scale, view), frame))
            self._runs.move_to_end(name)
            while len(self._runs) > _KEPT_RUNS:
                self._runs.popitem(last=False)
            if frame.step < run.wanted.step:
                run.pictures.clear()  # the run has begun anew
                run.drawn = 0
            run.wanted = frame
            if not run.drawing and run.drawn != frame.step:
                run.drawing = True
                self._studio.submit(lambda: self._draw(run))
            return dict(run.pictures)

    def _draw(self, run: _Run) -> None:
        frame = run.wanted
        try:
            for index in range(len(frame.codes)):
                scene = run.draw(frame, index)
                if scene is not None:
                    image = encoded(self._studio, scene)
                    with self._lock:
                        run.pictures[index] = {"step": frame.step, "image": image}
        finally:
            with self._lock:
                run.drawn = frame.step
                run.drawing = run.wanted.step != frame.step
            if run.drawing:
                self._studio.submit(lambda: self._draw(run))

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


def encoded(of: Studio, scene: Scene) -> str:
    """A tile as WebP in base64; only in the drawing thread."""
    return base64.b64encode(webp(of.draw(scene, TILE, TILE))).decode()


def all_pictures(frame: Frame, scale: ModulusScale, view: View) -> Future[dict[int, dict[str, Any]]]:
    """The pictures of every candidate of one step, as `Forming.pictures` has them."""

    def draw() -> dict[int, dict[str, Any]]:
        scenes = {index: tile_scene(frame, index, scale, view) for index in range(len(frame.codes))}
        return {
            index: {"step": frame.step, "image": encoded(studio(), scene)}
            for index, scene in scenes.items()
            if scene is not None
        }

    return studio().submit(draw)


def meshes(frame: Frame, scale: ModulusScale, view: View) -> dict[int, dict[str, Any]]:
    """The scene of every candidate for the browser to draw, where this machine cannot."""
    scenes = {index: tile_scene(frame, index, scale, view) for index in range(len(frame.codes))}
    return {index: {"step": frame.step, "scene": describe(s)} for index, s in scenes.items() if s is not None}


@st.cache_resource(show_spinner=False)
def forming() -> Forming:
    """The one of this server."""
    return Forming(studio())
