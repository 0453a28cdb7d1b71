"""The page "Method" shows the reports as they are, and does without those that are missing."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from relaxdesign.ui import documents
from relaxdesign.ui.documents import document, summary_table

PAGE = Path(documents.__file__).parent / "pages" / "method.py"


def test_method_page_shows_verification_priors_and_sources(app):
    page = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert not page.exception and not page.error
    captions = " ".join(element.value for element in page.caption)
    assert len(page.get("image")) >= 4 and "candidate 1 of the default design" in captions, "the stages in pictures"
    frames = [frame.value for frame in page.dataframe]
    assert any("verdict" in frame.columns and (frame["verdict"] == "pass").sum() >= 15 for frame in frames)
    assert any("source" in frame.columns and len(frame) >= 350 and frame["source"].all() for frame in frames)
    assert any("model" in frame.columns and "composite-2d-64" in set(frame["model"]) for frame in frames)


def test_missing_reports_are_said_to_be_missing(app, tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "DOCS", tmp_path)
    page = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert not page.exception and "not part of this installation" in "".join(info.value for info in page.info)


def test_the_summary_is_the_first_table():
    table = summary_table(document("verification.md"))
    assert list(table.columns) == ["study", "decisive check", "value", "tolerance", "verdict"] and len(table) == 21
    assert summary_table("no table") is None
