"""A folder of fields becomes one table, and a stopped evaluation goes on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from relaxdesign.campaign import evaluating
from relaxdesign.campaign.evaluating import evaluate_folder
from relaxdesign.io.units import Units
from tests.campaign.conftest import threads
from tests.conftest import CARBIDE, EPOXY


@pytest.fixture
def fields(tmp_path, monkeypatch):
    """Three laminates of 4³ voxels, a damaged file, and a text that is no field."""
    monkeypatch.setattr(evaluating, "workers", threads)
    folder = tmp_path / "fields"
    (folder / "inner").mkdir(parents=True)
    for number, young in enumerate((10.0, 20.0, 40.0)):
        E = np.full((4, 4, 4), 10.0)
        E[:2] = young
        np.savez(folder / "inner" / f"{number}.npz", E=E, nu=np.full_like(E, 0.25), rho=E / 10)
    (folder / "bad.npz").write_bytes(b"nothing")
    (folder / "notes.txt").write_text("no field")
    return folder


def test_every_field_is_a_row(fields, tmp_path):
    out = tmp_path / "table.parquet"
    *_, last = evaluate_folder(fields, out)
    assert (last.total, last.done, last.failed) == (4, 4, 1)
    table = pd.read_parquet(out).set_index("file")
    assert list(table.index) == ["bad.npz", "inner/0.npz", "inner/1.npz", "inner/2.npz"]
    assert table.error["bad.npz"].startswith("bad.npz: not an .npz file")
    homogeneous = table.loc["inner/0.npz"]
    K, G = 10 / 1.5, 10 / 2.5  # of E = 10 and ν = 0.25
    assert (homogeneous.K, homogeneous.G, homogeneous.density) == pytest.approx((K, G, 1.0))
    assert pytest.approx((K + 4 * G / 3, K - 2 * G / 3, G)) == (homogeneous.C11, homogeneous.C12, homogeneous.C44)
    layers = table.loc["inner/2.npz"]
    assert layers.bounds_reuss < layers.K < layers.bounds_voigt
    assert pytest.approx((1 / 4 + 1 / 16) / 2) == 1 / layers.C55, "sheared in series: Backus (1962)"
    assert not (tmp_path / "table.parquet.partial").exists()


def test_a_stopped_evaluation_goes_on(fields, tmp_path, monkeypatch):
    out, seen = tmp_path / "table.csv", []
    for progress in evaluate_folder(fields, out, cancel=lambda: bool(seen)):
        if progress.last:
            seen.append(progress.last["file"])
    assert seen and not out.exists()
    with (tmp_path / "table.csv.partial").open("a") as journal:
        journal.write('{"file": "inn')  # a process killed while it wrote

    asked = []
    original = evaluating.run_tasks

    def run_tasks(client, function, tasks, **options):
        asked.extend(task.file for task in tasks)
        return original(client, function, tasks, **options)

    monkeypatch.setattr(evaluating, "run_tasks", run_tasks)
    (fields / "inner" / "1.npz").touch()
    *_, last = evaluate_folder(fields, out)
    assert last.done == 4 and len(pd.read_csv(out)) == 4
    assert set(asked) == {"bad.npz", "inner/0.npz", "inner/1.npz", "inner/2.npz"} - (set(seen) - {"inner/1.npz"})


def test_folders_and_tables_that_cannot_be_used(fields, tmp_path):
    with pytest.raises(ValueError, match=r"a \.parquet or a \.csv"):
        next(evaluate_folder(fields, tmp_path / "table.xls"))
    with pytest.raises(ValueError, match="not a folder"):
        next(evaluate_folder(tmp_path / "none", tmp_path / "table.csv"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no"):
        next(evaluate_folder(tmp_path / "empty", tmp_path / "table.csv"))


def test_units_labels_and_warnings_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluating, "workers", threads)
    (tmp_path / "fields").mkdir()
    checkers = np.indices((4, 4)).sum(axis=0) % 2
    np.savez(tmp_path / "fields" / "cell.npz", material=1 + checkers, E=np.full((4, 4), 3e9), nu=np.full((4, 4), 0.25))
    out = tmp_path / "table.csv"
    list(evaluate_folder(tmp_path / "fields", out))
    assert "probably in Pa" in pd.read_csv(out).error[0] and "--units Pa" in pd.read_csv(out).error[0]
    list(evaluate_folder(tmp_path / "fields", out, units=Units(E="Pa")))
    row = pd.read_csv(out).iloc[0]
    assert pytest.approx(2.0) == row.K and pd.isna(row.warnings)
    phases = {1: EPOXY, 2: CARBIDE, 3: EPOXY}
    list(evaluate_folder(tmp_path / "fields", out, labels="material", phases=phases))
    row = pd.read_csv(out).iloc[0]
    assert (row.volume_fraction_1, row.volume_fraction_2, row.volume_fraction_3) == (0.5, 0.5, 0.0)
    assert row.bounds_voigt == pytest.approx((EPOXY.bulk + CARBIDE.bulk) / 2)
    assert "details of a single voxel" in row.warnings and "K = " in row.warnings
    list(evaluate_folder(tmp_path / "fields", out, labels="material", phases={1: EPOXY}))
    assert "no material for label 2 of material" in pd.read_csv(out).error[0]


def test_rows_that_were_read_otherwise_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluating, "workers", threads)
    (tmp_path / "fields").mkdir()
    for name in "ab":
        np.savez(tmp_path / "fields" / f"{name}.npz", E=np.full((2, 2), 3e3), nu=np.full((2, 2), 0.25))
    out = tmp_path / "table.csv"
    for progress in evaluate_folder(tmp_path / "fields", out, units=Units(E="GPa")):
        if progress.last:
            break  # as a killed process
    assert (tmp_path / "table.csv.partial").exists()
    list(evaluate_folder(tmp_path / "fields", out, units=Units(E="MPa")))
    assert pd.read_csv(out).K.tolist() == pytest.approx([2.0, 2.0])
