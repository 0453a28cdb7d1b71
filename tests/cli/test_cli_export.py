"""``relaxdesign runs`` and ``relaxdesign export`` on a library of their own."""

from __future__ import annotations

import json
import zipfile

import pytest
from sqlalchemy import text

from relaxdesign.library import Curves, Store
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


def test_runs_are_described(cli, library):
    store, put = library
    run_id = put()
    words = ("--name", "Bracket", "--notes", "for the report", "--tag", "paper", "--tag", "stiff")
    assert cli("runs", "describe", run_id[:6], *words).exit_code == 0
    assert cli("runs", "describe", run_id, "--untag", "stiff", "--tag", "light").exit_code == 0
    record = store.run(run_id)
    assert (record.name, record.notes, record.tags) == ("Bracket", "for the report", ("light", "paper"))
    (row,) = json.loads(cli("runs", "--tag", "paper", "--json").stdout)
    assert row["id"] == run_id and row["notes"] == "for the report"
    assert "light, paper" in " ".join(cli("runs", "--search", "report").stdout.split())
    assert_one_clear_error(cli("runs", "describe", run_id), "--name", "--untag")
    assert_one_clear_error(cli("runs", "describe", "zzz", "--tag", "x"), "no run")


def test_runs_go_into_the_bin_and_back_and_for_good(cli, library):
    store, put = library
    first, second = put(), put()
    assert "bin is empty" in cli("runs", "--bin").stdout
    assert cli("runs", "discard", first, second[:8]).exit_code == 0
    assert store.count_runs() == 0
    assert {row["id"] for row in json.loads(cli("runs", "--bin", "--json").stdout)} == {first, second}
    assert_one_clear_error(cli("export", first, "--out", "x"), "no run")
    assert cli("runs", "restore", first[:8]).exit_code == 0
    assert_one_clear_error(cli("runs", "restore", first), "no run in the bin", "runs --bin")
    assert_one_clear_error(cli("runs", "remove", "--yes", first), "no run in the bin")
    assert cli("runs", "remove", second).exit_code == 1, "nobody said yes"
    assert cli("runs", "remove", "--yes", second).exit_code == 0
    assert [record.id for record in store.list_runs()] == [first]
    assert json.loads(cli("runs", "--bin", "--json").stdout) == []


def test_a_run_becomes_files(cli, library, tmp_path):
    _, put = library
    run_id = put()
    done = cli("export", run_id[:8], "--format", "json", "--format", "abaqus", "--edge-mm", 4, "--out", "files")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "files"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "SHA256SUMS",
        "design-01/abaqus.inp",
        "design-01/design.json",
        "result.json",
    ]
    record = json.loads((folder / "design-01" / "design.json").read_text())
    assert record["origin"]["run"] == run_id and record["export"]["cell_size_mm"] == 4


def test_a_run_becomes_one_zip(cli, library, tmp_path):
    _, put = library
    run_id = put()
    assert cli("export", run_id, "--design", 1, "--format", "stl", "--tile", 2, "--zip", "run.zip").exit_code == 0
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert f"relaxdesign-{run_id}/design-01/matrix.stl" in archive.namelist()


def test_a_run_that_was_interrupted_gives_what_it_had(cli, library, tmp_path):
    store, put = library
    run_id = put(ended=False)
    assert_one_clear_error(cli("export", run_id, "--out", "x"), "running", "when it has ended")
    assert_one_clear_error(cli("resume", run_id), "running", "nothing to resume")
    assert_one_clear_error(cli("runs", "discard", run_id), "running", "stop it")
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET heartbeat = '2026-01-01 00:00:00'"))
    (row,) = json.loads(cli("runs", "--status", "interrupted", "--json").stdout)
    assert (row["id"], row["status"]) == (run_id, "interrupted")
    assert cli("export", run_id, "--format", "json", "--out", "x").exit_code == 0
    assert json.loads((tmp_path / "x" / "result.json").read_text())["status"] == "interrupted"


def test_errors_say_what_to_do(cli, library, monkeypatch):
    _, put = library
    run_id = put()
    assert_one_clear_error(cli("export", "zzz", "--out", "x"), "no run", "relaxdesign runs")
    assert_one_clear_error(cli("export", run_id), "--out", "--zip")
    assert_one_clear_error(cli("export", run_id, "--zip", "run.tar"), ".zip")
    assert_one_clear_error(cli("export", run_id, "--format", "iges", "--out", "x"), "unknown format iges")
    assert_one_clear_error(cli("export", run_id, "--design", 9, "--out", "x"), "there is no design 9")
    assert_one_clear_error(cli("export", run_id, "--edge-mm", -1, "--out", "x"), "cell size")
    assert_one_clear_error(cli("export", run_id, "--plates-mm", 1, "--out", "x"), "plates", "has no void")
    monkeypatch.setenv("RELAXDESIGN_DB", "no database")
    assert_one_clear_error(cli("runs"), "RELAXDESIGN_DB")


def test_meshes_are_exported_where_they_are_named(cli, library, tmp_path):
    _, put = library
    run_id = put()
    kinds = [option for name in ("inp", "xdmf", "fans") for option in ("--format", name)]
    assert cli("export", run_id, *kinds, "--mesh", "linear", "--out", str(tmp_path)).exit_code == 0
    names = {path.name for path in (tmp_path / "design-01").iterdir()}
    assert names == {"mesh.inp", "mesh.xdmf", "mesh.h5", "fans.h5", "fans.json"}
    head = (tmp_path / "design-01" / "mesh.inp").read_text()[:2000]
    assert "periodic cell of 10 x 10 x 0.625 mm" in head and f"run: {run_id}" in head and "Elements C3D6" in head
    assert_one_clear_error(
        cli("export", run_id, "--format", "inp", "--mesh", "fine", "--out", str(tmp_path)), "voxels, linear, quadratic"
    )
    assert_one_clear_error(cli("export", run_id, "--format", "iges", "--out", str(tmp_path)), "3mf, inp, msh")


def test_an_evaluated_cell_is_meshed(cli, tmp_path):
    drawn = ("--matrix", "epoxy-unfilled", "--particle", "alumina-ad-995", "--fraction", "0.3", "--grid", "16")
    path = tmp_path / "cell.inp"
    assert cli("evaluate", *drawn, "--mesh", str(path), "--mesh-edge-mm", "2").exit_code == 0
    text = path.read_text()
    assert "periodic cell of 2 x 2 x 0.125 mm" in text and "Label 1: Alumina 99.5 %" in text
    assert text.count("*ELEMENT,TYPE=C3D8") == 2
    assert_one_clear_error(cli("evaluate", *drawn, "--mesh", str(tmp_path / "cell.obj")), ".inp, .msh, .vtu, .xdmf")
    assert_one_clear_error(cli("evaluate", *drawn, "--mesh-kind", "linear"), "--mesh FILE")
    assert_one_clear_error(cli("evaluate", *drawn, "--mesh", str(path), "--mesh-kind", "fine"), "voxels, linear")
    assert_one_clear_error(cli("evaluate", *drawn, "--mesh", str(tmp_path / "no" / "cell.inp")), "no folder")
