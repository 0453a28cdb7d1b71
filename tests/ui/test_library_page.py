"""The library page when it is empty, and when it is not."""

from __future__ import annotations

from dataclasses import replace

from relaxdesign.library import RunSearch
from relaxdesign.people import Login, pseudonym
from relaxdesign.study.objective import parse_objective
from relaxdesign.study.request import DesignRequest
from relaxdesign.ui import server, visitor
from relaxdesign.ui.components import comparison, design_search
from tests.scripted_study import scripted_design

LIBRARY = "relaxdesign/ui/pages/library.py"


def texts(elements) -> str:
    return "\n".join(element.value for element in elements)


def stored_run(target: float, seed: int = 0, designs: int = 2) -> str:
    run_id = server.store().create_run(DesignRequest(target_bulk=target, count=2, steps=2, seed=seed))
    server.store().save_designs(run_id, [scripted_design(index, target) for index in range(designs)])
    server.store().stop(run_id, "cancelled")
    return run_id


def open_library(app):
    app.run()
    app.switch_page(LIBRARY).run()
    assert not app.exception and not app.error
    return app


def show(app, view: str):
    app.segmented_control(key="library_view").set_value(view).run()
    assert not app.exception and not app.error
    return app


def test_empty_library_invites_to_design(app):
    open_library(app)
    assert "No runs yet" in texts(app.markdown)


def test_runs_are_listed_newest_first(app):
    app.run()
    for target in (50.0, 60.0):
        last = server.jobs().submit(DesignRequest(target_bulk=target, count=2, steps=2))
    assert server.jobs().wait(last, 30)
    open_library(app)
    shown = texts(app.markdown)
    assert shown.index("60 GPa") < shown.index("50 GPa")
    assert "0.20 %" in shown and "1 of 2" in shown


def test_long_library_is_shown_in_pages(app):
    app.run()
    for seed in range(23):
        server.store().create_run(DesignRequest(target_bulk=10.0, seed=seed), name="test")
    open_library(app)
    assert len([button for button in app.button if button.label == "Open"]) == 20
    app.button(key="runs_first_on").click().run()
    assert len([button for button in app.button if button.label == "Open"]) == 3
    app.text_input(key="runs_text").set_value("test").run()
    assert len([button for button in app.button if button.label == "Open"]) == 20, "a search begins at its first page"


def test_search_finds_tagged_runs(app):
    app.run()
    tagged, _ = stored_run(50), stored_run(60)
    server.store().describe(tagged, name="Bumper <b>", tags=["car"], notes="for *Kim*")
    open_library(app)
    app.text_input(key="runs_text").set_value("car kim").run()
    assert [button.key for button in app.button if button.label == "Open"] == [f"open-{tagged}"]
    shown = texts(app.markdown)
    assert "Bumper \\<b\\>" in shown and "\\*Kim\\*" in shown and ":blue-badge[car]" in shown
    app.text_input(key="runs_text").set_value("nobody").run()
    assert "No run matches" in texts(app.info)


def test_a_discarded_run_comes_back(app):
    app.run()
    run_id = stored_run(50)
    open_library(app)
    app.button(key=f"discard-{run_id}").click().run()
    assert server.store().count_runs() == 0
    app.button(key="undo-discard").click().run()
    assert server.store().count_runs() == 1
    app.button(key=f"discard-{run_id}").click().run()
    show(app, "Bin")
    app.button(key=f"restore-{run_id}").click().run()
    assert server.store().count_runs() == 1
    assert "The bin is empty" in texts(app.info)


def test_nothing_is_removed_for_good_without_a_question(app):
    app.run()
    run_id = stored_run(50)
    server.store().discard(run_id)
    open_library(app)
    show(app, "Bin")
    app.button(key="empty-bin").click().run()
    assert app.button(key="really-remove").label == "Remove"
    assert server.store().count_runs(RunSearch(deleted=True)) == 1


def test_designs_of_several_runs_stand_side_by_side(app):
    app.run()
    first, second = stored_run(50), stored_run(60)
    open_library(app)
    app.session_state["compared"] = [(first, 0), (second, 1)]
    show(app, "Designs")
    found, compared = app.dataframe[0].value, app.table[0].value
    assert list(found["K, GPa"]) == [60 * 1.002, 60 * 1.004, 50 * 1.002, 50 * 1.004]
    assert list(found["Link"]) == [f"./?run={run}" for run in (second, second, first, first)]
    assert [title.replace("\\", "") for title in compared.columns] == ["K = 50 GPa, 2D, no. 1", "K = 60 GPa, 2D, no. 2"]
    assert list(compared.loc["K, realised cell"]) == ["50.1 GPa", "60.24 GPa"]
    server.store().delete(second)
    app.button(key=f"uncompare-{first}-0").click().run()
    assert not app.exception and not app.error
    assert app.session_state["compared"] == []


def test_comparison_names_quantities_and_shows_entries_of_C_only_if_asked_for(app):
    app.run()
    run = server.store().run(stored_run(50))
    design = replace(scripted_design(0), properties={"K": 50.0, "G": 20.5, "C11": 90.0, "C12": 30.0})
    asked = replace(design, objectives=(parse_objective("C11 = 90"),))
    table = comparison.table([(run, design), (run, replace(asked, index=1))])
    assert list(table.loc["Shear modulus"]) == ["20.5 GPa", "20.5 GPa"]
    assert list(table.loc["Stiffness C11"]) == ["–", "90 GPa"] and "Stiffness C12" not in table.index


def test_sources_are_links_to_the_web_alone_and_cannot_break_out(app):
    app.run()
    run, design = server.store().run(stored_run(50)), scripted_design(0)
    matrix = replace(design.materials[0], source="a [paper] <b>", url="https://example.org/x_(y)")
    particle = replace(design.materials[1], source="a book", url="javascript:alert(1)")
    table = comparison.table([(run, replace(design, materials=(matrix, particle)))])
    assert table.loc["Matrix, source"].iloc[0] == r"[a \[paper\] \<b\>](https://example.org/x_%28y%29)"
    assert table.loc["Particles, source"].iloc[0] == "a book"


def test_errors_that_are_shown_as_zero_have_no_minus(app):
    app.run()
    run_id = server.store().create_run(DesignRequest(target_bulk=50.0, count=1, steps=2))
    below = replace(scripted_design(0, 50), stages={"realised": {"K": 49.9999}})
    server.store().save_designs(run_id, [below])
    show(open_library(app), "Designs")
    assert str(app.dataframe[0].value["Error, %"][0]) == "0.0"


def test_chosen_rows_are_added_to_the_comparison(app):
    app.run()
    runs = [stored_run(50 + seed, seed) for seed in range(3)]
    app.session_state["compared"] = [(runs[0], 0), (runs[1], 0), (runs[2], 0)]
    open_library(app)
    show(app, "Designs")
    assert app.button(key="compare").disabled
    assert "6 designs" in texts(app.caption)
    assert design_search.MOST_COMPARED == 4


def test_comparison_of_unlike_designs_has_every_row_once(app):
    app.run()
    run = server.store().run(stored_run(50))
    table = comparison.table([(run, scripted_design(0, 50)), (run, scripted_design(1, 50))])
    assert table.index.is_unique and table.loc["Matrix"].iloc[0] == r"Aluminium 6061 \(metal\)"


def test_a_library_without_login_says_that_it_is_shared(app):
    open_library(app)
    assert "everybody who can open this app" in texts(app.caption)


def test_another_browser_s_run_is_discarded_after_a_question(app, monkeypatch):
    app.run()
    mine, other = pseudonym("my cookie"), pseudonym("another cookie")
    monkeypatch.setattr(visitor, "cookie", lambda: "my cookie")
    runs = {}
    for author in (mine, other):
        runs[author] = server.store().create_run(DesignRequest(target_bulk=10.0), author=author)
        server.store().stop(runs[author], "cancelled")
    open_library(app)
    shown = texts(app.markdown)
    assert "yours" in shown and "another visitor" in shown and other[1:] in shown
    app.button(key=f"discard-{runs[mine]}").click().run()
    assert server.store().run(runs[mine]).deleted is not None
    app.button(key=f"discard-{runs[other]}").click().run()
    assert server.store().run(runs[other]).deleted is None and other[1:] in texts(app.warning)
    assert app.button(key="discard-another-s").label == "Discard"


def test_who_has_signed_in_sees_and_changes_by_right(app, monkeypatch):
    app.run()
    for name, author, private in (("secret", "anna", True), ("open", "anna", False), ("own", "ben", True)):
        run_id = server.store().create_run(DesignRequest(target_bulk=10.0), name, author=author, private=private)
        server.store().stop(run_id, "cancelled")
        runs = {run.name: run.id for run in server.store().list_runs()}
    login = Login(header="X-User", admins=frozenset({"carl"}))
    monkeypatch.setattr(visitor, "login", lambda: login)
    monkeypatch.setattr(visitor, "_from_header", lambda: "ben")
    open_library(app)
    assert "secret" not in texts(app.markdown)
    assert app.button(key=f"discard-{runs['open']}").disabled and not app.button(key=f"discard-{runs['own']}").disabled
    monkeypatch.setattr(visitor, "_from_header", lambda: "carl")
    app.run()
    assert "secret" in texts(app.markdown) and not app.button(key=f"discard-{runs['open']}").disabled
    monkeypatch.setattr(visitor, "_from_header", lambda: "")
    app.run()
    assert "named no user" in texts(app.error) and "own" not in texts(app.markdown)
