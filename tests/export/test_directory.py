"""JSON records and the folder of a result."""

from __future__ import annotations

import json

import numpy as np
import pytest

from relaxdesign.export import clear_directory, design_json, result_json, to_json, write_design, write_result
from relaxdesign.study.result import Design


def test_a_design_s_json_has_its_number_and_a_design_returns_from_its_record(make_design):
    design = make_design()
    values = json.loads(design_json(design, {"vti": "design.vti"}))
    assert values["number"] == 1 and "index" not in values
    assert values["files"] == {"vti": "design.vti"}
    assert values["error"] == pytest.approx(0.001)
    assert list(values["stages"]) == ["relaxed", "projected", "snapped", "refined", "realised"]
    assert {"voigt", "reuss", "hs_lower", "hs_upper"} == set(values["bounds"])
    again = Design.from_dict(design.to_dict(), design.labels)
    assert again.materials == design.materials
    assert again.stages == design.stages


def test_json_is_strict():
    values = {"a": float("nan"), "b": np.array([1.0, np.inf]), "c": np.int64(3), 4: (np.float32(0.5), "ν")}
    assert json.loads(to_json(values)) == {"a": None, "b": [1.0, None], "c": 3, "4": [0.5, "ν"]}


def test_the_folder_holds_what_result_json_names(make_result, tmp_path):
    files = write_result(make_result(), tmp_path / "new" / "run", cell_size_mm=2.0, thickness_mm=0.5)
    folder = tmp_path / "new" / "run"
    result = json.loads((folder / "result.json").read_text())
    assert files[0] == {"vti": "design-01/design.vti", "stl": "design-01/design.stl", "json": "design-01/design.json"}
    assert files[1] == {"json": "design-02/design.json"}
    for design in result["designs"]:
        assert design["files"] == files[design["number"] - 1]
        for name in design["files"].values():
            assert (folder / name).stat().st_size > 0
    assert json.loads((folder / "design-01/design.json").read_text())["stages"]["realised"]["K"] == 10.01
    assert result["designs"][1]["message"] == "no packing was found"
    assert not list(folder.rglob("*.partial"))


def test_designs_written_on_the_way_are_not_written_again(make_result, tmp_path):
    result = make_result()
    written = {0: write_design(result.designs[0], tmp_path)}
    stl = tmp_path / "design-01" / "design.stl"
    stl.write_bytes(b"untouched")
    assert write_result(result, tmp_path, written=written)[0] == written[0]
    assert stl.read_bytes() == b"untouched"


def test_a_failed_write_leaves_the_earlier_file(make_result, tmp_path, monkeypatch):
    write_result(make_result(), tmp_path)
    before = (tmp_path / "result.json").read_bytes()

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_result(make_result(status="cancelled"), tmp_path)
    assert (tmp_path / "result.json").read_bytes() == before


def test_clearing_takes_an_earlier_result_and_nothing_else(make_result, tmp_path):
    write_result(make_result(), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "design-02" / "photo.png").write_text("mine")
    clear_directory(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"notes.txt", "design-02/design.json", "design-02/photo.png"}


def test_result_json_has_the_request(make_result):
    values = json.loads(result_json(make_result()))
    assert values["request"]["objectives"][0]["low"] == 10.0
    assert values["status"] == "finished"


def test_clearing_takes_what_a_killed_process_left_half_written(tmp_path):
    folder = tmp_path / "design-01"
    folder.mkdir()
    for name in ("design.json", "design-2.stl", ".design.stl.partial", ".design-2.stl.0a1b2c3d.partial"):
        (folder / name).write_text("half")
    (tmp_path / ".result.json.0a1b2c3d.partial").write_text("half")
    clear_directory(tmp_path)
    assert list(tmp_path.iterdir()) == []
