"""The library page when it is empty, and when it is not."""

from __future__ import annotations

from relaxdesign.request import DesignRequest
from relaxdesign.ui import server

LIBRARY = "relaxdesign/ui/pages/library.py"


def texts(elements) -> str:
    return "\n".join(element.value for element in elements)


def test_empty_library_invites_to_design(app):
    app.run()
    app.switch_page(LIBRARY).run()
    assert not app.exception and not app.error
    assert "No runs yet" in texts(app.markdown)


def test_runs_are_listed_and_not_deleted_without_a_question(app):
    app.run()
    for target in (50.0, 60.0):
        dropped = server.jobs().submit(DesignRequest(target_bulk=target, count=2, steps=2))
    assert server.jobs().wait(dropped, 30)
    app.switch_page(LIBRARY).run()
    shown = texts(app.markdown)
    assert shown.index("60 GPa") < shown.index("50 GPa"), "newest first"
    assert "0.20 %" in shown and "1 of 2" in shown
    app.button(key=f"delete-{dropped}").click().run()
    assert not app.exception and not app.error
    assert app.button(key="really-delete").label == "Delete"
    assert server.store().count_runs() == 2, "nothing goes without an answer (tests/e2e gives it)"


def test_long_library_is_shown_in_parts(app):
    app.run()
    for seed in range(23):
        server.store().create_run(DesignRequest(target_bulk=10.0, seed=seed), name="test")
    app.switch_page(LIBRARY).run()
    opened = [button for button in app.button if button.label == "Open"]
    assert len(opened) == 20
    next(button for button in app.button if button.label.startswith("Show")).click().run()
    assert len([button for button in app.button if button.label == "Open"]) == 23
