"""Who signs in sees what is shared and changes what is his own; without a login all is everybody's."""

from __future__ import annotations

import pytest

from relaxdesign.library import DesignSearch, NotYours, RunSearch, Store, UnknownRun, Viewer
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_design

REQUEST = DesignRequest(target_bulk=100.0, count=1, steps=4)
ANNA, BEN = Viewer("anna", known=True), Viewer("ben", known=True)
CARL = Viewer("carl", admin=True, known=True)


@pytest.fixture
def store(database_url) -> Store:
    return Store(database_url)


@pytest.fixture
def runs(store) -> dict[str, str]:
    """Ended runs with a design each: Anna's private and shared one, Ben's, and one of the command line."""
    made = {}
    for name, author, private in (
        ("secret", "anna", True),
        ("shared", "anna", False),
        ("ben's", "ben", False),
        ("nobody's", "", False),
    ):
        made[name] = store.create_run(REQUEST, name, author=author, private=private)
        store.save_design(made[name], scripted_design(0))
        store.describe(made[name], tags=[name])
        store.stop(made[name], "cancelled")
    return made


def names(store: Store) -> set[str]:
    return {run.name for run in store.list_runs()}


@pytest.mark.parametrize("viewer", [ANNA, CARL, Viewer(), Viewer("~12345678")])
def test_own_private_runs_are_seen_and_all_without_a_login(store, runs, viewer):
    assert names(store.seen_by(viewer)) == set(runs)


def test_private_runs_of_others_are_nowhere(store, runs):
    seen = store.seen_by(BEN)
    assert names(seen) == {"shared", "ben's", "nobody's"} and seen.count_runs() == 3
    assert seen.count_runs(RunSearch(text="secret")) == 0
    assert seen.count_designs(DesignSearch()) == 3
    assert runs["secret"] not in {design.run_id for design in seen.find_designs(DesignSearch())}
    assert set(seen.tags()) == {"shared", "ben's", "nobody's"}
    hidden = runs["secret"]
    for look in (seen.run, seen.curves, seen.designs, seen.result, lambda run_id: seen.design(run_id, 0)):
        with pytest.raises(UnknownRun):
            look(hidden)
    with pytest.raises(UnknownRun):
        seen.discard(hidden)


@pytest.mark.parametrize("name", ["shared", "nobody's"])
def test_only_owners_and_administrators_change_a_run(store, runs, name):
    seen = store.seen_by(BEN)
    for change in (
        lambda run_id: seen.describe(run_id, name="mine now"),
        lambda run_id: seen.describe(run_id, private=True),
        seen.discard,
        seen.restore,
        seen.delete,
    ):
        with pytest.raises(NotYours, match="only its owner and administrators"):
            change(runs[name])
    assert store.run(runs[name]).name == name
    store.seen_by(CARL).describe(runs[name], name="put in order")
    assert store.run(runs[name]).name == "put in order"


def test_owners_change_who_sees_a_run(store, runs):
    store.seen_by(ANNA).describe(runs["secret"], private=False)
    assert "secret" in names(store.seen_by(BEN))
    store.seen_by(ANNA).describe(runs["secret"], private=True)
    assert "secret" not in names(store.seen_by(BEN))


def test_everybody_empties_his_own_part_of_the_bin(store, runs):
    for run_id in runs.values():
        store.discard(run_id)
    assert store.seen_by(BEN).empty_bin() == 1
    assert store.count_runs(RunSearch(deleted=True)) == 3
    assert store.seen_by(CARL).empty_bin() == 3


def test_who_is_asked_before_a_run_is_changed():
    visitor = Viewer("~12345678")
    assert visitor.is_asked_before("~87654321") and visitor.may_change("~87654321")
    assert not visitor.is_asked_before("~12345678")
    assert not visitor.is_asked_before(""), "of the command line, or of an earlier version"
    assert CARL.is_asked_before("anna") and not ANNA.is_asked_before("anna")
