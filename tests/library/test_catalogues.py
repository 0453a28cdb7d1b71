"""Named catalogues of own materials in the library."""

from __future__ import annotations

import pytest

from relaxdesign.library import Catalogues, Store, UnknownCatalogue
from relaxdesign.study.request import LONGEST_MATERIALS, DesignRequest

TEXT = "id,name,E_GPa,nu,rho_g_cm3\na,Época β,3,0.3,1.2\nb,Beta,300,0.2,3\n"


@pytest.fixture
def store(database_url) -> Store:
    return Store(database_url)


@pytest.fixture
def catalogues(store) -> Catalogues:
    return Catalogues(store)


def test_what_is_saved_is_found_by_name_and_text(store, catalogues):
    second, first = catalogues.save("  my   resins ", TEXT), catalogues.save("Alloys", TEXT + "c,C,70,0.3,2.7\n")
    listed = catalogues.list()
    assert [(record.id, record.name) for record in listed] == [(first, "Alloys"), (second, "my resins")]
    assert listed[0].changed.tzinfo is not None
    assert catalogues.read(second) == TEXT and catalogues.find(TEXT) == second and catalogues.find("id") is None
    assert Catalogues(Store(store.engine.url.render_as_string(hide_password=False))).read(second) == TEXT


def test_a_catalogue_is_rewritten_renamed_and_deleted(catalogues):
    kept = catalogues.save("Mine", TEXT)
    before = catalogues.list()[0].changed
    catalogues.write(kept, TEXT.replace("300", "310"))
    catalogues.rename(kept, "Yours")
    (record,) = catalogues.list()
    assert record.name == "Yours" and record.changed > before and "310" in catalogues.read(kept)
    catalogues.delete(kept)
    assert catalogues.list() == []
    for lost in (
        lambda: catalogues.read(kept),
        lambda: catalogues.write(kept, TEXT),
        lambda: catalogues.rename(kept, "x"),
        lambda: catalogues.delete(kept),
    ):
        with pytest.raises(UnknownCatalogue, match="may have been deleted"):
            lost()


def test_names_are_there_once_and_texts_fit_into_a_request(catalogues):
    kept, other = catalogues.save("Mine", TEXT), catalogues.save("Other", TEXT)
    for refused, said in (
        (lambda: catalogues.save("Mine ", TEXT), "'Mine' already"),
        (lambda: catalogues.rename(other, "Mine"), "'Mine' already"),
        (lambda: catalogues.save(" ", TEXT), "needs a name"),
        (lambda: catalogues.save("x" * 101, TEXT), "101 characters"),
        (lambda: catalogues.save("Large", "x" * (LONGEST_MATERIALS + 1)), "at most 1,000,000"),
        (lambda: catalogues.write(kept, "x" * (LONGEST_MATERIALS + 1)), "at most 1,000,000"),
    ):
        with pytest.raises(ValueError, match=said):
            refused()
    catalogues.rename(kept, "Mine")  # its own name is not taken
    assert [record.name for record in catalogues.list()] == ["Mine", "Other"] and catalogues.read(kept) == TEXT


def test_runs_keep_their_materials_whatever_becomes_of_the_catalogue(store, catalogues):
    kept = catalogues.save("Mine", TEXT)
    run = store.create_run(DesignRequest(target_bulk=9.0, materials_csv=catalogues.read(kept)))
    catalogues.delete(kept)
    assert store.run(run).request.materials_csv == TEXT
