"""Every page can be reached, from wherever the app's script lies."""

from __future__ import annotations

from pathlib import Path

from relaxdesign.ui import navigation

UI = Path(navigation.__file__).parent


def test_every_page_has_its_place():
    pages = ("DESIGN", "EVALUATE", "MATERIALS", "CAMPAIGNS", "LIBRARY", "METHOD", "SERVER")
    named = {getattr(navigation, page) for page in pages}
    assert named == {str(path) for path in UI.glob("pages/*.py")}


def test_pages_are_linked_by_the_names_of_the_navigation():
    """A path relative to app.py leads nowhere in an installed app, whose script lies in the user's cache."""
    assert not [path.name for path in UI.rglob("*.py") if "ui/pages/" in path.read_text(encoding="utf-8")]
