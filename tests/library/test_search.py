"""Runs and designs are found by what is known of them; the bin gives back what it took."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from relaxdesign.library import DesignSearch, RunSearch, Store, UnknownRun
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_design


@pytest.fixture
def store(database_url) -> Store:
    return Store(database_url)


@pytest.fixture
def runs(store) -> dict[float, str]:
    """Runs for 10, 100 and 200 GPa with two designs each; that for 200 failed before it had any."""
    ids = {}
    for target in (10.0, 100.0, 200.0):
        ids[target] = store.create_run(DesignRequest(target_bulk=target, count=2, steps=2))
        if target < 200:
            store.save_designs(ids[target], [scripted_design(index, target) for index in range(2)])
    store.stop(ids[200.0], "failed", error="out of reach")
    return ids


def found(store: Store, **search) -> list[float]:
    targets = [run.request.target_bulk for run in store.list_runs(search=RunSearch(**search))]
    assert store.count_runs(RunSearch(**search)) == len(targets)
    return targets


def test_search_by_status_target_and_material(store, runs):
    assert found(store) == [200.0, 100.0, 10.0]
    assert found(store, status=("failed",)) == [200.0]
    assert found(store, target=(50, 150)) == [100.0]
    assert found(store, target=(None, 50)) == [10.0]
    assert found(store, material="silicon CARB") == [100.0, 10.0]
    assert found(store, material="%") == [], "a wildcard is a character like others"


def test_search_by_words_in_names_notes_tags_and_materials(store, runs):
    store.describe(runs[10.0], name="Bumper, soft", notes="ask Kim", tags=("car", " car ", "", "low  cost"))
    store.describe(runs[100.0], tags=("car",))
    assert store.run(runs[10.0]).tags == ("car", "low cost")
    assert store.tags() == {"car": 2, "low cost": 1}
    assert found(store, text="bumper") == [10.0]
    assert found(store, text="kim CAR") == [10.0], "all words must be found, wherever they stand"
    assert found(store, text="aluminium") == [100.0, 10.0]
    assert found(store, tags=("car", "low cost")) == [10.0]
    store.describe(runs[10.0], name=" ")
    assert store.run(runs[10.0]).name == "K = 10 GPa, 2D" and store.run(runs[10.0]).notes == "ask Kim"


def test_orders(store, runs):
    assert found(store, order="oldest") == [10.0, 100.0, 200.0]
    assert found(store, order="error")[-1] == 200.0, "runs without a design come last"


def test_the_bin_gives_back_what_it_took(store, runs):
    store.discard(runs[100.0])
    assert found(store) == [200.0, 10.0]
    assert found(store, deleted=True) == [100.0]
    assert store.run(runs[100.0]).deleted is not None
    assert store.count_designs(DesignSearch()) == 2, "designs of discarded runs are not found"
    store.restore(runs[100.0])
    assert found(store) == [200.0, 100.0, 10.0] and len(store.designs(runs[100.0])) == 2


def test_emptying_the_bin_is_final(store, runs):
    store.describe(runs[100.0], tags=("gone",))
    store.discard(runs[100.0])
    assert store.empty_bin() == 1
    with pytest.raises(UnknownRun):
        store.run(runs[100.0])
    with store.engine.connect() as connection:
        for table in ("design_data", "phases", "designs", "tags", "curves"):
            count = connection.scalar(text(f"SELECT count(*) FROM {table} WHERE run_id = '{runs[100.0]}'"))
            assert count == 0, table


def test_designs_are_found_over_all_runs(store, runs):
    def designs(**search) -> list[tuple[float, int]]:
        records = store.find_designs(DesignSearch(**search))
        assert store.count_designs(DesignSearch(**search)) == len(records)
        return [(record.target_bulk, record.index) for record in records]

    assert designs() == [(100.0, 0), (100.0, 1), (10.0, 0), (10.0, 1)]
    assert designs(bulk=(50, None), largest_error=0.003) == [(100.0, 0)]
    assert designs(order="bulk") == [(100.0, 1), (100.0, 0), (10.0, 1), (10.0, 0)]
    assert designs(text="carbide K") == designs()
    assert designs(text="steel") == []
    one = store.design(runs[100.0], 1)
    assert one.labels is not None and one.index == 1
    with pytest.raises(UnknownRun):
        store.design(runs[100.0], 7)


def test_a_design_of_unknown_error_is_not_the_best(store, runs):
    unknown = replace(scripted_design(0, 100.0), stages={"realised": {"density": 2.8}})
    store.save_design(runs[100.0], unknown)
    records = store.find_designs(DesignSearch(order="error"))
    assert [record.error is None for record in records] == [False, False, False, True]
    assert store.count_designs(DesignSearch(largest_error=1.0)) == 3
    assert store.run(runs[100.0]).best_error == pytest.approx(0.004), "that of the other design"


def test_pages_of_designs_do_not_overlap(store, runs):
    search = DesignSearch(order="density")
    pages = [store.find_designs(search, limit=2, offset=offset) for offset in (0, 2)]
    assert len({(d.run_id, d.index) for page in pages for d in page}) == 4


THREE = tuple(
    replace(scripted_design(0).materials[0], id=name, name=name) for name in ("Matrix of 50 %", "Shell", "Core")
)


def test_designs_are_found_by_the_material_of_any_phase_and_by_parameters_of_their_family(store, runs):
    shelled = replace(
        scripted_design(5, 100.0), materials=THREE, shares=(0.5, 0.2, 0.3), parameters={"diameter": 0.2, "shell": 0.05}
    )
    store.save_design(runs[100.0], shelled)

    def found(**search) -> list[int]:
        records = store.find_designs(DesignSearch(**search))
        assert store.count_designs(DesignSearch(**search)) == len(records)
        return sorted({record.index for record in records})

    assert found(text="core") == found(text="SHELL") == found(text="50 %") == [5]
    assert store.count_runs(RunSearch(material="core")) == 1
    assert found(parameters=(("shell", (None, 0.1)),)) == [5]
    assert found(parameters=(("shell", (0.1, None)),)) == found(parameters=(("edge", (0, None)),)) == []
    assert found(parameters=(("diameter", (0.25, 0.3)), ("volume_fraction", (0.1, None)))) == [0, 1]
    (record,) = store.find_designs(DesignSearch(text="core"))
    assert record.materials == ("Matrix of 50 %", "Shell", "Core")
    assert record.parameters == {"volume_fraction": 0.5, "diameter": 0.2, "shell": 0.05}


def test_a_design_that_is_replaced_leaves_no_phase_behind(store, runs):
    store.save_design(runs[100.0], replace(scripted_design(0, 100.0), materials=THREE, shares=(0.5, 0.2, 0.3)))
    store.save_design(runs[100.0], scripted_design(0, 100.0))
    assert store.count_designs(DesignSearch(text="core")) == 0
    assert {record.materials for record in store.find_designs(DesignSearch())} == {
        ("Aluminium 6061", "Silicon carbide")
    }
