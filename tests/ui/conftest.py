"""The app on an empty library, with a study that follows a script."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from relaxdesign.people import Login
from relaxdesign.prior import model
from relaxdesign.server import manager
from relaxdesign.study import run as study
from relaxdesign.ui import background, server, visitor
from tests.scripted_study import scripted_study

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60


@pytest.fixture(autouse=True)
def main_module():
    """The main module stays that of the tests: AppTest puts its script there, which new processes would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


class InThisProcess:
    """In place of `relaxdesign.server.worker.StudyProcess`, where a script could not reach the study."""

    def __call__(self, request, **arguments):
        return study.run(request, **arguments)

    def close(self) -> None:
        pass


@pytest.fixture
def script(monkeypatch):
    """Replaces ``study.run``; call it with the arguments of ``scripted_study``."""
    monkeypatch.setattr(manager, "StudyProcess", InThisProcess)

    def use(**arguments) -> None:
        monkeypatch.setattr(study, "run", scripted_study(**arguments))

    use()
    return use


@pytest.fixture
def app(tmp_path, monkeypatch, script):
    """The app's page "Design", not run yet."""
    monkeypatch.setenv("RELAXDESIGN_DB", f"sqlite:///{tmp_path / 'library.db'}")
    monkeypatch.setattr(model, "shipped_priors", lambda: list(study.DEFAULT_PRIORS.values())[:1])
    monkeypatch.setattr(server, "_probe_rendering", lambda: False)
    monkeypatch.setattr(server, "_calibrations", dict)
    monkeypatch.setattr("relaxdesign.server.close_with_process", lambda manager: None)
    for part in ("cookie", "address"):  # there is no browser
        monkeypatch.setattr(visitor, part, lambda: "")
    st.cache_data.clear()
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    server.jobs().close()
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def sign_in(monkeypatch):
    """``sign_in("anna")``: whom the proxy names from now on. carl is an administrator."""

    def use(name: str) -> None:
        login = Login(header="X-Forwarded-User", admins=frozenset({"carl"}))
        monkeypatch.setattr(visitor, "login", lambda: login)
        monkeypatch.setattr(visitor, "_from_header", lambda: name)

    return use


@pytest.fixture
def evaluate_page(monkeypatch):
    """The page "Evaluate" by itself, not run yet."""
    monkeypatch.setattr(background, "PATIENCE_S", 120.0)
    monkeypatch.setattr(server, "_probe_rendering", lambda: False)
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "relaxdesign" / "ui" / "pages" / "evaluate.py"), default_timeout=120)
    st.cache_resource.clear()
