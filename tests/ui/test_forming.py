"""Candidates in 3D are drawn in the background, the latest step first, and looked at as the reader chose."""

from __future__ import annotations

import base64
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from relaxdesign.library.replay import Frame
from relaxdesign.scene import Cut
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components import forming
from relaxdesign.ui.components.forming import Forming, View
from tests.scripted_study import scripted_step

REQUEST = DesignRequest(target_bulk=120.0, count=3, steps=10)
SCALE = ModulusScale.of(REQUEST)


def solid_frame(step: int) -> Frame:
    """Candidates 1 and 3 as blocks of 16³ voxels; candidate 2 is dropped at step 5."""
    event = scripted_step(REQUEST, step)
    return Frame.of(replace(event, young=np.repeat(event.young, 16, axis=3)))


class PatientStudio:
    """In place of the studio: draws when it is told to, one after the other, pictures of one grey each."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self.turns = threading.Semaphore(0)
        self.drawn = 0

    def submit(self, work):
        return self._pool.submit(work)

    def draw(self, scene, width, height):
        self.turns.acquire()
        self.drawn += 1
        return np.full((height, width, 4), self.drawn, np.uint8)

    def wait(self) -> None:
        self._pool.submit(lambda: None).result()


def test_a_page_takes_what_is_drawn_and_the_latest_step_is_drawn_next():
    studio = PatientStudio()
    kept = Forming(studio)  # type: ignore[arg-type]
    first, latest = solid_frame(1), solid_frame(4)
    assert kept.pictures("run", first, SCALE, View()) == {}, "it must not wait"
    assert kept.pictures("run", solid_frame(2), SCALE, View()) == {}
    kept.pictures("run", latest, SCALE, View())
    for _ in range(6):
        studio.turns.release()
    studio.wait()
    studio.wait()
    seen = kept.pictures("run", latest, SCALE, View())
    assert {index: picture["step"] for index, picture in seen.items()} == {0: 4, 1: 4, 2: 4}
    assert studio.drawn == 6, "the step between was drawn although a later one was there"
    kept.pictures("run", latest, SCALE, View())
    studio.wait()
    assert studio.drawn == 6, "the same step was drawn again"


def test_a_run_that_begins_anew_loses_its_old_pictures():
    studio = PatientStudio()
    kept = Forming(studio)  # type: ignore[arg-type]
    for _ in range(12):
        studio.turns.release()
    kept.pictures("run", solid_frame(4), SCALE, View())
    studio.wait()
    assert kept.pictures("run", solid_frame(4), SCALE, View())
    assert kept.pictures("run", solid_frame(1), SCALE, View()) == {}


def test_dropped_candidates_have_no_picture_and_no_scene():
    studio = PatientStudio()
    kept = Forming(studio)  # type: ignore[arg-type]
    frame = solid_frame(8)
    assert np.isnan(frame.low[1])
    for _ in range(3):
        studio.turns.release()
    kept.pictures("run", frame, SCALE, View())
    studio.wait()
    assert set(kept.pictures("run", frame, SCALE, View())) == {0, 2}
    assert forming.focus_scene(frame, 1, SCALE, View()) is None
    assert set(forming.meshes(frame, SCALE, View())) == {0, 2}


@pytest.mark.parametrize(
    ("told", "view"),
    [
        (None, View()),
        ({"soft": True, "axis": 2, "share": 0.5}, View(soft=True, axis=2, share=0.5)),
        ({"limit": 12.5, "stretched": True}, View(stretched=True, limit=12.5)),
        ({"tiled": True}, View(tiled=True)),
        ({"axis": 99, "share": -4}, View(axis=2, share=0.05)),
        ({"share": "half"}, View()),
        ("nonsense", View()),
    ],
)
def test_views_are_read_from_what_the_browser_tells(told, view):
    assert View.of(told) == view


def test_the_cut_runs_along_the_chosen_axis():
    assert View(axis=1, share=0.25).cut == Cut(y=0.25)


def test_the_scene_in_focus_is_bounded_by_the_chosen_modulus_and_cut():
    frame = solid_frame(8)
    best, limit = forming.focus_scene(frame, 0, SCALE, View()) or pytest.fail("no scene")
    assert frame.low[0] < limit < frame.high[0]
    young = frame.young_of(0)
    higher, told = forming.focus_scene(frame, 0, SCALE, View(limit=float(young.max()) * 2)) or pytest.fail("no scene")
    assert told == pytest.approx(2 * young.max()) and not higher.layers and best.layers


def test_the_scene_in_focus_is_repeated_on_request_and_tiles_are_not():
    frame, view = solid_frame(8), View(tiled=True)
    repeated, _ = forming.focus_scene(frame, 0, SCALE, view) or pytest.fail("no scene")
    tile = forming.tile_scene(frame, 0, SCALE, view) or pytest.fail("no scene")
    assert repeated.copies == 2 and tile.copies == 1


def test_real_pictures_are_small_and_transparent():
    from relaxdesign.scene.stills import can_render

    if not can_render():
        pytest.skip("no GL libraries: PyVista cannot render here")
    pictures = forming.all_pictures(solid_frame(8), SCALE, View()).result()
    assert set(pictures) == {0, 2}
    content = base64.b64decode(pictures[0]["image"])
    picture = Image.open(io.BytesIO(content))
    assert picture.size == (forming.TILE, forming.TILE) and picture.mode == "RGBA" and len(content) < 40_000
