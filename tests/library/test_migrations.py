"""Databases of every version open with nothing lost, and new ones are made by the same steps."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from relaxdesign.library import Store, StoreError
from relaxdesign.library.schema import Base
from tests.library import old_libraries
from tests.library.old_libraries import FIRST, SECOND, THIRD, contents
from tests.scripted_study import scripted_design


@pytest.fixture
def written(database_url):
    """``written(dump)``: the address of a library that an earlier version wrote."""

    def write(dump) -> str:
        old_libraries.write(dump, database_url)
        return database_url

    return write


@pytest.fixture
def old(written) -> str:
    return written(FIRST)


def change(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def differences(store: Store) -> list:
    with store.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)


def test_a_new_database_has_the_tables_of_the_code(database_url):
    assert differences(Store(database_url)) == []


def test_a_database_of_the_first_version_is_upgraded_in_place(old):
    store = Store(old)
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

    store = Store(old)
    assert [run.id for run in store.list_runs(search=RunSearch(target=(50, None)))] == ["00000000000a"]
    assert [run.id for run in store.list_runs(search=RunSearch(material="carbide"))] == ["00000000000a"]
    found = store.find_designs(DesignSearch(bulk=(100.5, 101), order="error"))
    assert [(design.index, design.family) for design in found] == [(2, "particles")]
    assert found[0].materials == ("Aluminium 6061", "Silicon carbide")
    assert found[0].parameters == {"volume_fraction": 0.26953125, "diameter": 0.3}
    assert store.count_designs(DesignSearch(text="carbide", parameters=(("diameter", (0.2, 0.3)),))) == 2


def test_what_version_0_2_wrote_can_be_searched(written):
    from relaxdesign.library import DesignSearch

    store = Store(written(SECOND))
    assert differences(store) == []
    found = {design.family: design for design in store.find_designs(DesignSearch(text="carbide aluminium"))}
    assert found.keys() == {"particles", "free-form"}
    assert found["particles"].parameters == {"volume_fraction": scripted_design(0).shares[1], "diameter": 0.3}
    assert found["free-form"].parameters == {"volume_fraction": scripted_design(0).shares[1]}
    assert found["free-form"].materials == ("Aluminium 6061", "Silicon carbide")
    assert [design.ok for design in store.designs("00000000000a")] == [True, False]


def test_a_library_without_catalogues_gets_them_and_keeps_its_runs(written):
    from relaxdesign.library import Catalogues

    store = Store(written(THIRD))
    assert differences(store) == []
    run = store.run("00000000000a")
    assert run.request.materials_csv is not None and run.request.materials_csv.startswith("id,name,E_GPa")
    assert [design.to_dict() for design in store.designs(run.id)] == [scripted_design(0, 50.0).to_dict()]
    catalogues = Catalogues(store)
    assert catalogues.list() == []
    kept = catalogues.save("Mine", run.request.materials_csv)
    assert catalogues.read(kept) == run.request.materials_csv


def test_campaigns_and_catalogues_without_owners_are_nobody_s(written):
    """A library between the steps that made catalogues and that gave them owners, as PostgreSQL and SQLite had it."""
    from relaxdesign.library import Campaigns, Catalogues, Viewer

    url = written(THIRD)
    change(
        url,
        "CREATE TABLE catalogues (id VARCHAR PRIMARY KEY, name VARCHAR NOT NULL UNIQUE, csv TEXT NOT NULL, "
        "changed TIMESTAMP NOT NULL)",
    )
    change(url, "INSERT INTO catalogues VALUES ('00000000000c', 'Mine', 'id,name', '2026-01-02 03:04:05.000000')")
    change(
        url,
        "INSERT INTO campaigns VALUES ('00000000000d', 'Map', '2026-01-02 03:04:05.000000', 'finished', "
        "'2026-01-02 03:04:05.000000', '{}', 'folder', 3, '', 1.5, '')",
    )
    change(url, "UPDATE alembic_version SET version_num = '0004'")
    store = Store(url)
    assert differences(store) == []
    ben = store.seen_by(Viewer("ben", known=True))
    (campaign,), (catalogue,) = Campaigns(ben).list(), Catalogues(ben).list()
    assert (campaign.name, campaign.total, campaign.author, campaign.private) == ("Map", 3, "", False)
    assert (catalogue.id, catalogue.name, catalogue.author) == ("00000000000c", "Mine", "")
    assert Catalogues(ben).read(catalogue.id) == "id,name"
    with pytest.raises(ValueError, match="already"):
        Catalogues(store).save("Mine", "id,name")


def test_a_run_that_an_earlier_version_computed_is_interrupted(written):
    url = written(THIRD)
    change(url, "UPDATE runs SET status = 'running', owner = 'host:1'")
    store = Store(url)
    assert store.run("00000000000a").status == "interrupted", "it gives no sign of life"
    assert store.interrupt_orphans() == 1


def test_opening_twice_changes_nothing(old):
    Store(old).engine.dispose()
    before = contents(create_engine(old))
    Store(old).engine.dispose()
    assert contents(create_engine(old)) == before


def test_an_upgrade_that_fails_leaves_the_old_database(old):
    change(old, 'UPDATE designs SET design = \'{"K": 1}\' WHERE "index" = 2')
    before = contents(create_engine(old))
    with pytest.raises((KeyError, TypeError)):
        Store(old)
    assert contents(create_engine(old)) == before


def test_a_database_of_a_newer_version_is_refused(database_url):
    url = database_url
    store = Store(url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version wrote it"):
        Store(url)
