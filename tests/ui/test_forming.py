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
        self.seen: list[tuple] = []

    def submit(self, work):
        return self._pool.submit(work)

    def draw(self, scene, width, height, camera=None):
        self.turns.acquire()
        self.drawn += 1
        self.seen.append((width, camera))
        return np.full((height, width, 4), self.drawn, np.uint8)

    def wait(self) -> None:
        self._pool.submit(lambda: None).result()


def test_a_page_takes_what_is_drawn_and_never_waits():
    studio = PatientStudio()
    kept = Forming(studio)  # type: ignore[arg-type]
    assert kept.tiles("run", [solid_frame(1)], SCALE, View()) == {}
    assert kept.tiles("run", [solid_frame(2)], SCALE, View()) == {}, "it must not wait"
    studio.turns.release(3)
    studio.wait()
    seen = kept.tiles("run", [solid_frame(2)], SCALE, View())
    assert {index: picture["step"] for index, picture in seen.items()} == {0: 1, 1: 1, 2: 1}


@pytest.mark.parametrize(
    ("rest", "asked", "drawn"),
    [
        (1e9, [1, 2, 4, 5, 7, 7, 7], [1, 1, 3, 5, 7, 7, 7]),  # some pages skip a step
        (1e9, [1, 9], [1, 9]),  # far behind the run
        (0.0, [1, 2, 3, 3], [1, 2, 3, 3]),  # as for a run that is held, or slow
    ],
)
def test_tiles_show_at_least_every_second_step_and_rest_between(monkeypatch, rest, asked, drawn):
    monkeypatch.setattr(forming, "_REST_S", rest)
    studio = PatientStudio()
    studio.turns.release(100)
    kept = Forming(studio)  # type: ignore[arg-type]
    seen = []
    for step in asked:
        latest = [solid_frame(earlier) for earlier in range(max(1, step - 3), step + 1)]
        kept.tiles("run", latest, SCALE, View())
        studio.wait()
        seen.append(kept.tiles("run", latest, SCALE, View())[0]["step"])
        studio.wait()
    assert seen == drawn
    assert studio.drawn == sum(2 if step > 5 else 3 for step in set(drawn)), "a step was drawn twice"


def test_the_focus_is_drawn_at_every_step_from_where_the_reader_looks():
    studio = PatientStudio()
    studio.turns.release(10)
    kept = Forming(studio)  # type: ignore[arg-type]
    camera = ((3.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.0, 0.0, 1.0))
    for step in (1, 2, 3):
        kept.large("run", [solid_frame(step)], 0, SCALE, View(), camera)
        studio.wait()
    picture = kept.large("run", [solid_frame(3)], 0, SCALE, View(), camera) or pytest.fail("no picture")
    assert picture["step"] == 3 and picture["limit"] > 0
    assert studio.seen == [(forming.LARGE[0], camera)] * 3
    assert kept.large("run", [solid_frame(3)], 0, SCALE, View(), None) is None, "that is another picture"


def test_a_run_that_begins_anew_loses_its_old_pictures():
    studio = PatientStudio()
    studio.turns.release(12)
    kept = Forming(studio)  # type: ignore[arg-type]
    kept.tiles("run", [solid_frame(4)], SCALE, View())
    studio.wait()
    assert kept.tiles("run", [solid_frame(4)], SCALE, View())
    assert kept.tiles("run", [solid_frame(1)], SCALE, View()) == {}


@pytest.mark.parametrize(
    ("told", "camera"),
    [
        (None, None),
        ("nonsense", None),
        ({"position": [1, 2, 3]}, None),
        ({"position": [1, 2], "focus": [0, 0, 0], "up": [0, 0, 1]}, None),
        ({"position": [1, 2, float("nan")], "focus": [0, 0, 0], "up": [0, 0, 1]}, None),
        (
            {"position": [1, 2, 3], "focus": [0, 0, 0], "up": [0, 0, 1], "angle": 30},
            ((1.0, 2.0, 3.0), (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        ),
    ],
)
def test_cameras_are_read_from_what_the_browser_tells(told, camera):
    assert forming.camera_of(told) == camera


def test_dropped_candidates_have_no_picture_and_no_scene():
    studio = PatientStudio()
    kept = Forming(studio)  # type: ignore[arg-type]
    frame = solid_frame(8)
    assert np.isnan(frame.low[1])
    for _ in range(3):
        studio.turns.release()
    kept.tiles("run", [frame], SCALE, View())
    studio.wait()
    assert set(kept.tiles("run", [frame], SCALE, View())) == {0, 2}
    assert kept.large("run", [frame], 1, SCALE, View(), None) is None
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
    pictures = forming.all_pictures(solid_frame(8), forming.tiles(SCALE, View()))
    assert set(pictures) == {0, 2}
    content = base64.b64decode(pictures[0]["image"])
    picture = Image.open(io.BytesIO(content))
    assert picture.size == (forming.TILE, forming.TILE) and picture.mode == "RGBA" and len(content) < 40_000
