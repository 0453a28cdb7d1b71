"""``relaxdesign runs`` and ``relaxdesign export`` on a library of their own."""

from __future__ import annotations

import json
import zipfile

import pytest

from relaxdesign.store import Curves, Store
from tests.command_line import assert_one_clear_error


@pytest.fixture
def library(tmp_path, monkeypatch, make_design, make_result):
    """An empty database, and a function that puts a run into it and returns its id."""
    url = f"sqlite:///{tmp_path / 'library.db'}"
    monkeypatch.setenv("RELAXDESIGN_DB", url)
    store = Store(url)

    def put(*, ended=True):
        result = make_result((make_design(2, 16, 0.3, 0.3), make_result().designs[1]))
        run_id = store.create_run(result.request)
        store.mark_running(run_id)
        for design in result.designs:
            store.save_design(run_id, design)
        if ended:
            store.finish(run_id, result, Curves())
        return run_id

    return store, put


def test_runs_are_listed(cli, library):
    _, put = library
    assert "no runs yet" in cli("runs").stdout
    run_id = put()
    assert run_id in cli("runs").stdout
    (row,) = json.loads(cli("runs", "--json").stdout)
    assert row["id"] == run_id and row["designs"] == 1 and row["status"] == "finished"
    assert row["best_error"] == pytest.approx(0.001)
    assert json.loads(cli("runs", "--status", "failed", "--json").stdout) == []
    assert "No run matches" in cli("runs", "--search", "nothing-like-it").stdout
    assert_one_clear_error(cli("runs", "--status", "lost"), "finished")


def test_a_run_becomes_files(cli, library, tmp_path):
    _, put = library
    run_id = put()
    done = cli("export", run_id[:8], "--format", "json", "--format", "abaqus", "--edge-mm", 4, "--out", "files")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "files"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "SHA256SUMS",
        "design-00/abaqus.inp",
        "design-00/design.json",
        "result.json",
    ]
    record = json.loads((folder / "design-00" / "design.json").read_text())
    assert record["origin"]["run"] == run_id and record["export"]["cell_size_mm"] == 4


def test_a_run_becomes_one_zip(cli, library, tmp_path):
    _, put = library
    run_id = put()
    assert cli("export", run_id, "--design", 1, "--format", "stl", "--tile", 2, "--zip", "run.zip").exit_code == 0
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert f"relaxdesign-{run_id}/design-00/matrix.stl" in archive.namelist()


def test_a_run_that_was_interrupted_gives_what_it_had(cli, library, tmp_path):
    store, put = library
    run_id = put(ended=False)
    assert_one_clear_error(cli("export", run_id, "--out", "x"), "running", "when it has ended")
    store.stop(run_id, "interrupted")
    assert cli("export", run_id, "--format", "json", "--out", "x").exit_code == 0
    assert json.loads((tmp_path / "x" / "result.json").read_text())["status"] == "interrupted"


def test_errors_say_what_to_do(cli, library, monkeypatch):
    _, put = library
    run_id = put()
    assert_one_clear_error(cli("export", "zzz", "--out", "x"), "no run", "relaxdesign runs")
    assert_one_clear_error(cli("export", run_id), "--out", "--zip")
    assert_one_clear_error(cli("export", run_id, "--zip", "run.tar"), ".zip")
    assert_one_clear_error(cli("export", run_id, "--format", "step", "--out", "x"), "unknown format step")
    assert_one_clear_error(cli("export", run_id, "--design", 9, "--out", "x"), "there is no design 9")
    assert_one_clear_error(cli("export", run_id, "--edge-mm", -1, "--out", "x"), "cell size")
    monkeypatch.setenv("RELAXDESIGN_DB", "no database")
    assert_one_clear_error(cli("runs"), "RELAXDESIGN_DB")
