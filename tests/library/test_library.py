"""The library keeps what was computed, bit for bit, and tells the truth about runs that died."""

from __future__ import annotations

import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import text

from relaxdesign.library import Curves, Store, StoreError, UnknownRun, default_url
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import DesignResult
from tests.scripted_study import scripted_design, scripted_step

REQUEST = DesignRequest(target_bulk=100.0, count=3, steps=4, seed=7, categories=("metal", "ceramic"))


@pytest.fixture
def store(database_url) -> Store:
    return Store(database_url)


def recorded_curves() -> Curves:
    curves = Curves()
    for step in range(1, 5):
        curves.append(scripted_step(REQUEST, step))
    return curves


def test_run_round_trip(store):
    run_id = store.create_run(REQUEST)
    for index in range(3):
        store.save_design(run_id, scripted_design(index, failed=index == 1))
    result = DesignResult(REQUEST, (), "finished", 2.5, "composite-2d-64", 321, datetime.now(UTC), "0.1.0")
    store.finish(run_id, result, recorded_curves())

    record = store.run(run_id)
    assert record.request == REQUEST
    assert (record.status, record.seconds, record.design_count) == ("finished", 2.5, 2)
    assert record.best_error == pytest.approx(0.002)
    assert record.created.tzinfo is not None

    original, loaded = scripted_design(0), store.designs(run_id)
    assert [design.index for design in loaded] == [0, 1, 2]
    assert loaded[0].to_dict() == original.to_dict()
    assert loaded[0].labels.dtype == np.uint8 and loaded[0].relaxed.dtype == np.float32
    np.testing.assert_array_equal(loaded[0].labels, original.labels)
    np.testing.assert_array_equal(loaded[0].relaxed, original.relaxed)
    assert loaded[1].labels is None and loaded[1].message

    rebuilt = store.result(run_id)
    assert rebuilt.prior == "composite-2d-64" and len(rebuilt.designs) == 3
    assert asdict(store.curves(run_id)) == asdict(recorded_curves())


def test_dropped_candidates_have_gaps_in_their_curves():
    curves = recorded_curves()
    assert curves.bulk[0][1] is not None
    assert curves.bulk[-1][1] is None and curves.losses["bulk"][-1][1] is None


def test_design_is_on_disk_before_the_run_ends(store, database_url):
    run_id = store.create_run(REQUEST)
    store.mark_running(run_id)
    store.save_design(run_id, scripted_design(2))
    assert [design.index for design in Store(database_url).designs(run_id)] == [2]
    assert store.result(run_id) is None


def test_newest_run_comes_first_and_pages_do_not_overlap(store):
    ids = [store.create_run(REQUEST.model_copy(update={"seed": seed})) for seed in range(5)]
    assert [run.id for run in store.list_runs()] == ids[::-1]
    assert [run.id for run in store.list_runs(limit=2, offset=2)] == ids[::-1][2:4]
    assert store.count_runs() == 5


def test_delete_takes_the_designs_along(store):
    run_id = store.create_run(REQUEST)
    store.save_design(run_id, scripted_design(0))
    store.delete(run_id)
    with store.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM designs")) == 0
    for call in (store.run, store.designs, store.curves, store.result, store.delete):
        with pytest.raises(UnknownRun, match="deleted"):
            call(run_id)


def test_threads_write_at_once(store):
    run_id = store.create_run(REQUEST)
    errors = []

    def write(index: int) -> None:
        try:
            store.save_design(run_id, scripted_design(index))
            store.save_curves(run_id, recorded_curves(), 1.0)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(store.designs(run_id)) == 8


def test_default_location(monkeypatch, tmp_path):
    monkeypatch.delenv("RELAXDESIGN_DB", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_url() == f"sqlite:///{tmp_path}/relaxdesign/relaxdesign.db"
    Store()
    assert (tmp_path / "relaxdesign" / "relaxdesign.db").exists()
    monkeypatch.setenv("RELAXDESIGN_DB", "postgresql://elsewhere/db")
    assert default_url() == "postgresql://elsewhere/db"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/srv/library.db", "must look like sqlite:////folder/library.db"),
        ("cobol://host/db", "no kind 'cobol' is known"),
        ("postgresql+pg8000://user:secret@host/db", r"pip install .relaxdesign\[postgresql\]"),
    ],
)
def test_an_address_that_cannot_be_used_says_what_to_do(address, told):
    with pytest.raises(StoreError, match=told) as refused:
        Store(address)
    assert "secret" not in str(refused.value)


def test_a_missing_driver_is_told_as_such(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as if it were not installed
    with pytest.raises(StoreError, match=r"driver is not installed .*psycopg.*pip install"):
        Store("postgresql://user:secret@host/db")
