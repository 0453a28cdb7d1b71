"""Who signs in sees what is shared and changes what is his own; without a login all is everybody's."""

from __future__ import annotations

import pytest

from relaxdesign.library import (
    Campaigns,
    Catalogues,
    DesignSearch,
    NotYours,
    RunSearch,
    Store,
    UnknownCampaign,
    UnknownCatalogue,
    UnknownRun,
    Viewer,
)
from relaxdesign.study.request import DesignRequest
from tests.scripted_study import scripted_design, scripted_study

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


def test_a_campaign_and_its_runs_are_of_who_started_it(store):
    anna, ben = (Campaigns(store.seen_by(viewer)) for viewer in (ANNA, BEN))
    secret = anna.create("Secret", {}, "folder", 2, private=True)
    led = Campaigns(store)  # as the process that leads it
    led.add_result(secret, "1", "first", list(scripted_study()(REQUEST))[-1].result)
    led.update(secret, status="running")
    assert [record.name for record in anna.list()] == ["Secret"] and ben.list() == []
    found = DesignSearch(campaign=secret)
    assert store.seen_by(ANNA).count_designs(found) == 1 and store.seen_by(BEN).count_designs(found) == 0
    for look in (ben.get, ben.check, ben.delete, lambda hidden: ben.show(hidden, private=False)):
        with pytest.raises(UnknownCampaign):
            look(secret)
    anna.show(secret, private=False)
    led.add_failure(secret, "2", "second", REQUEST, "out of reach")
    (run,) = store.seen_by(BEN).list_runs(search=RunSearch(campaign=secret, status=("failed",)))
    assert (run.author, run.private) == ("anna", False)
    assert ben.get(secret).author == "anna" and store.seen_by(BEN).count_designs(found) == 1
    for change in (ben.check, ben.delete, lambda shared: ben.update(shared, status="cancelled")):
        with pytest.raises(NotYours, match="anna's"):
            change(secret)
    assert led.get(secret).status == "running"
    Campaigns(store.seen_by(CARL)).delete(secret)
    assert led.list() == []


def test_only_the_owner_stops_and_resumes_a_campaign(store, tmp_path):
    from relaxdesign.campaign import resume, stop
    from relaxdesign.campaign.folder import Folder

    folder = Folder(tmp_path / "map")
    campaign = Campaigns(store.seen_by(ANNA)).create("Map", {}, str(folder.path), 2, id=folder.prepare())
    for change in (stop, resume):
        with pytest.raises(NotYours, match="anna's"):
            change(campaign, store.seen_by(BEN))
    assert not folder.is_cancelled()
    stop(campaign, store.seen_by(ANNA))
    assert folder.is_cancelled()


def test_own_materials_are_of_who_made_them(store):
    anna, ben = (Catalogues(store.seen_by(viewer)) for viewer in (ANNA, BEN))
    secret = anna.save("Alloys", "id,name", private=True)
    shared = anna.save("Resins", "id,other")
    assert [record.name for record in ben.list()] == ["Resins"]
    assert ben.find("id,name") is None and anna.find("id,name") == secret
    for look in (ben.read, ben.delete, lambda hidden: ben.write(hidden, "id"), lambda hidden: ben.rename(hidden, "x")):
        with pytest.raises(UnknownCatalogue):
            look(secret)
    assert ben.read(shared) == "id,other"
    for change in (
        ben.delete,
        lambda other: ben.write(other, "id"),
        lambda other: ben.rename(other, "x"),
        lambda other: ben.show(other, private=True),
    ):
        with pytest.raises(NotYours, match="anna's"):
            change(shared)
    own = ben.save("Alloys", "id,third")  # a hidden one does not take its name, and does not show by it
    with pytest.raises(ValueError, match="'Resins' already"):
        ben.rename(own, "Resins")
    anna.show(secret, private=False)
    assert sorted((record.name, record.author) for record in ben.list()) == [
        ("Alloys", "anna"),
        ("Alloys", "ben"),
        ("Resins", "anna"),
    ]
    Catalogues(store.seen_by(CARL)).delete(shared)


def test_without_a_login_campaigns_and_catalogues_are_shared(store):
    here, there = store.seen_by(Viewer("~1")), store.seen_by(Viewer("~2"))
    kept = Catalogues(here).save("Mine", "id", private=True)
    campaign = Campaigns(here).create("Map", {}, "folder", 1, private=True)
    assert not Catalogues(there).list()[0].private and not Campaigns(there).get(campaign).private
    with pytest.raises(ValueError, match="already"):
        Catalogues(there).save("Mine", "id")
    Catalogues(there).delete(kept)
    Campaigns(there).delete(campaign)
