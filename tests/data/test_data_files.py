"""Where the files lie that come with RelaxDesign; tests/test_wheel.py tells the same of a real installation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relaxdesign import data
from relaxdesign.version import __version__

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(monkeypatch, tmp_path) -> Path:
    """The data folder of a package that is installed somewhere else."""
    package = tmp_path / "site-packages" / "relaxdesign" / "data"
    for name in ("assets/materials.csv", ".streamlit/config.toml", "app.py", "server.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(f"packaged {name}")
    monkeypatch.setattr(data, "_PACKAGED", package)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return package


def test_in_a_checkout_they_lie_at_its_top_level():
    assert data.data_file("assets/materials.csv") == ROOT / "assets" / "materials.csv"
    assert data.app_folder() == ROOT and data.prepare_app() == ROOT / "app.py"


def test_children_of_a_checkout_find_it(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert data.child_environment()["PYTHONPATH"].split(os.pathsep) == [str(ROOT), "elsewhere"]
    monkeypatch.delenv("PYTHONPATH")
    assert data.child_environment()["PYTHONPATH"] == str(ROOT)


def test_in_an_installation_they_lie_in_the_package(installed, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert "PYTHONPATH" not in data.child_environment()
    assert data.data_file("assets/materials.csv") == installed / "assets" / "materials.csv"


def test_an_installed_app_runs_from_a_folder_that_can_be_written(installed, tmp_path):
    folder = tmp_path / "cache" / "relaxdesign" / f"app-{__version__}"
    for _ in range(2):
        assert data.prepare_app() == folder / "app.py"
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert files == {name: f"packaged {name}" for name in ("app.py", "server.py", ".streamlit/config.toml")}
