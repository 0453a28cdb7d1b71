"""Databases of every version open with nothing lost, and new ones are made by the same steps."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from relaxdesign.library import Store, StoreError
from relaxdesign.library.schema import Base
from tests.scripted_study import scripted_design

# Written by the first version: run …0a with three designs (one failed) and curves, run …0b failed.
FIRST_SCHEMA = Path(__file__).parent / "first_schema.sql"
# Written by version 0.2: run …0a with a design of particles and one that failed, run …0b with a free-form one.
SECOND_SCHEMA = Path(__file__).parent / "second_schema.sql"
# Written before there were catalogues: run …0a with own materials and a design.
THIRD_SCHEMA = Path(__file__).parent / "third_schema.sql"


def written(schema: Path, path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(schema.read_text())
    connection.close()
    return path


@pytest.fixture
def old(tmp_path) -> Path:
    return written(FIRST_SCHEMA, tmp_path / "old.db")


def differences(store: Store) -> list:
    with store.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)


def test_a_new_database_has_the_tables_of_the_code(database_url):
    assert differences(Store(database_url)) == []


def test_a_database_of_the_first_version_is_upgraded_in_place(old):
    store = Store(f"sqlite:///{old}")
    assert differences(store) == []
    failed, finished = store.list_runs()
    assert (failed.id, failed.name, failed.status, failed.error_id) == ("00000000000b", "by hand", "failed", "ABC123")
    assert (finished.request.target_bulk, finished.design_count) == (100.0, 2)
    assert finished.best_error == pytest.approx(0.002)
    designs = store.designs(finished.id)
    assert [design.to_dict() for design in designs] == [scripted_design(i, failed=i == 1).to_dict() for i in range(3)]
    assert (designs[0].labels == scripted_design(0).labels).all()
    assert store.curves(finished.id).step == [1, 2, 3, 4] and store.curves(failed.id).step == []
    result = store.result(finished.id)
    assert result is not None and result.solver_iterations == 321


def test_what_an_old_database_holds_can_be_searched(old):
    from relaxdesign.library import DesignSearch, RunSearch

    store = Store(f"sqlite:///{old}")
    assert [run.id for run in store.list_runs(search=RunSearch(target=(50, None)))] == ["00000000000a"]
    assert [run.id for run in store.list_runs(search=RunSearch(material="carbide"))] == ["00000000000a"]
    found = store.find_designs(DesignSearch(bulk=(100.5, 101), order="error"))
    assert [(design.index, design.family) for design in found] == [(2, "particles")]
    assert found[0].materials == ("Aluminium 6061", "Silicon carbide")
    assert found[0].parameters == {"volume_fraction": 0.26953125, "diameter": 0.3}
    assert store.count_designs(DesignSearch(text="carbide", parameters=(("diameter", (0.2, 0.3)),))) == 2


def test_what_version_0_2_wrote_can_be_searched(tmp_path):
    from relaxdesign.library import DesignSearch

    store = Store(f"sqlite:///{written(SECOND_SCHEMA, tmp_path / 'second.db')}")
    assert differences(store) == []
    found = {design.family: design for design in store.find_designs(DesignSearch(text="carbide aluminium"))}
    assert found.keys() == {"particles", "free-form"}
    assert found["particles"].parameters == {"volume_fraction": scripted_design(0).shares[1], "diameter": 0.3}
    assert found["free-form"].parameters == {"volume_fraction": scripted_design(0).shares[1]}
    assert found["free-form"].materials == ("Aluminium 6061", "Silicon carbide")
    assert [design.ok for design in store.designs("00000000000a")] == [True, False]


def test_a_library_without_catalogues_gets_them_and_keeps_its_runs(tmp_path):
    from relaxdesign.library import Catalogues

    store = Store(f"sqlite:///{written(THIRD_SCHEMA, tmp_path / 'third.db')}")
    assert differences(store) == []
    run = store.run("00000000000a")
    assert run.request.materials_csv is not None and run.request.materials_csv.startswith("id,name,E_GPa")
    assert [design.to_dict() for design in store.designs(run.id)] == [scripted_design(0, 50.0).to_dict()]
    catalogues = Catalogues(store)
    assert catalogues.list() == []
    kept = catalogues.save("Mine", run.request.materials_csv)
    assert catalogues.read(kept) == run.request.materials_csv


def test_a_run_that_an_earlier_version_computed_is_interrupted(tmp_path):
    path = written(THIRD_SCHEMA, tmp_path / "third.db")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET status = 'running', owner = 'host:1'")
    connection.commit()
    connection.close()
    store = Store(f"sqlite:///{path}")
    assert store.run("00000000000a").status == "interrupted", "it gives no sign of life"
    assert store.interrupt_orphans() == 1


def test_opening_twice_changes_nothing(old):
    Store(f"sqlite:///{old}").engine.dispose()
    before = list(sqlite3.connect(old).iterdump())
    Store(f"sqlite:///{old}").engine.dispose()
    assert list(sqlite3.connect(old).iterdump()) == before


def test_an_upgrade_that_fails_leaves_the_old_database(old):
    connection = sqlite3.connect(old)
    connection.execute("UPDATE designs SET design = 'not JSON' WHERE \"index\" = 2")
    connection.commit()
    before = list(connection.iterdump())
    with pytest.raises(ValueError):
        Store(f"sqlite:///{old}")
    assert list(connection.iterdump()) == before


def test_a_database_of_a_newer_version_is_refused(database_url):
    url = database_url
    store = Store(url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version wrote it"):
        Store(url)
