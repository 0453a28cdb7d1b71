"""A replay gives back what was denoised, within half a code, whatever happened to the server."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy.engine import make_url

from relaxdesign.library.replay import Frame, Recorder, Replay, Replays
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_step

REQUEST = DesignRequest(target_bulk=100.0, count=2, steps=10)


def frames() -> list[Frame]:
    return [Frame.of(scripted_step(REQUEST, step)) for step in range(1, REQUEST.steps + 1)]


def record(path, limit=2**20) -> None:
    recorder = Recorder(path, limit)
    for frame in frames():
        recorder.add(frame)
    recorder.close()


def test_moduli_are_kept_within_half_a_code():
    event = scripted_step(REQUEST, 3)
    frame = Frame.of(event)
    half_a_code = 0.5 * np.log(frame.high / frame.low).max() / 255
    assert np.abs(np.log(frame.young / event.young)).max() < 1.01 * half_a_code
    np.testing.assert_allclose(frame.low, event.young.min((1, 2, 3)))
    np.testing.assert_allclose(frame.young.max((1, 2, 3)), event.young.max((1, 2, 3)), rtol=1e-6)


def test_faint_structures_stay_visible():
    event = scripted_step(REQUEST, 1)
    event.young[:] = 100 + 0.01 * np.random.default_rng(0).random(event.young.shape)
    assert np.corrcoef(Frame.of(event).young.ravel(), event.young.ravel())[0, 1] > 0.9999


def test_dropped_candidates_and_voids():
    event = scripted_step(REQUEST, 8)
    event.young[0] = 0.0
    event.young[1] = np.nan
    frame = Frame.of(event)
    assert np.isnan(frame.low).tolist() == [False, True]
    assert frame.young[0].max() < 1e-3 and np.isnan(frame.young[1]).all() and np.isnan(frame.bulk[1])


def test_written_frames_are_read_back(tmp_path):
    record(tmp_path / "a.frames")
    replay = Replay(tmp_path / "a.frames")
    for written, read in zip(frames(), replay, strict=True):
        for name in ("step", "steps", "noise_level"):
            assert getattr(written, name) == getattr(read, name)
        for name in ("codes", "low", "high", "bulk"):
            np.testing.assert_array_equal(getattr(written, name), getattr(read, name))


def test_size_is_bounded_by_leaving_steps_out(tmp_path):
    one = frames()[0].codes.nbytes
    record(tmp_path / "a.frames", limit=4 * one)
    assert [frame.step for frame in Replay(tmp_path / "a.frames")] == [1, 3, 6, 9, 10]


@pytest.mark.parametrize("lost", [1, 3000])
def test_a_torn_last_frame_is_left_out(tmp_path, lost):
    path = tmp_path / "a.frames"
    record(path)
    path.write_bytes(path.read_bytes()[:-lost])
    steps = [frame.step for frame in Replay(path)]
    assert steps == list(range(1, len(steps) + 1)) and 0 < len(steps) < 10


def test_replays_lie_beside_the_database_and_go_with_their_runs(tmp_path, monkeypatch):
    monkeypatch.delenv("RELAXDESIGN_REPLAYS", raising=False)
    replays = Replays.beside(make_url(f"sqlite:///{tmp_path / 'library.db'}"))
    assert replays.folder.parent == tmp_path
    assert replays.open("abc") is None and replays.prune(lambda _: False) == 0
    for name in ("abc", "def"):
        recorder = replays.record(name)
        recorder.add(frames()[0])
        recorder.close()
    assert replays.prune(lambda name: name == "abc") == 1
    assert replays.open("def") is None and len(replays.open("abc")) == 1
    assert Replays.beside(make_url("postgresql://host/db")).folder.name == "replays"
