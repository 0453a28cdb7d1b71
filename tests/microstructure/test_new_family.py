"""A family that the program has never heard of goes through a study, the library, the export and the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import trimesh
from streamlit.testing.v1 import AppTest

from relaxdesign.export import result_files
from relaxdesign.library import Curves, DesignSearch, Store
from relaxdesign.library.stored import stored_result
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Inclusions
from relaxdesign.study.events import FinishedEvent
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import run
from relaxdesign.ui import background, server
from tests.microstructure.prisms import PRISMS

EVALUATE = Path(__file__).parents[2] / "relaxdesign" / "ui" / "pages" / "evaluate.py"


@pytest.fixture
def prisms(monkeypatch):
    assert isinstance(PRISMS, Inclusions)
    monkeypatch.setitem(FAMILIES, PRISMS.name, PRISMS)


def test_it_is_designed_kept_and_exported(prisms, database_url):
    request = DesignRequest(target_bulk=60, family="prisms", count=2, steps=8)
    result = [event for event in run(request) if isinstance(event, FinishedEvent)][-1].result
    assert all(design.on_target for design in result.designs), [design.message for design in result.designs]
    store = Store(database_url)
    run_id = store.create_run(request)
    store.save_designs(run_id, result.designs)
    store.finish(run_id, result, Curves())
    kept = stored_result(store, run_id)
    for design, again in zip(result.designs, kept.designs, strict=True):
        assert again.family == "prisms" and again.to_dict() == design.to_dict()
        # Straight edges: as many voxels as the prisms' edges say, no circle among them.
        rows = np.flatnonzero(design.labels[..., 0].any(1))
        assert design.parameters.keys() == {"edge"} and len(rows)
    files = dict(result_files(kept))
    mesh = trimesh.load(io.BytesIO(files["design-01/prisms.stl"]), file_type="stl")
    assert mesh.is_watertight and "design-01/matrix.stl" in files
    (found,) = store.find_designs(
        DesignSearch(parameters=(("edge", (0.15, 0.4)), ("volume_fraction", (0.01, None)))), 1
    )
    assert found.family == "prisms" and found.parameters.keys() == {"volume_fraction", "edge"}
    assert "Prisms fill" in files["report.html"].decode()
    assert json.loads(files["result.json"])["designs"][0]["family"] == "prisms"


def test_the_command_line_knows_it(prisms, cli, tmp_path):
    result = cli(
        *("design", "--target-bulk", 60, "--family", "prisms", "--count", 1, "--steps", 4, "--no-library", "--json"),
        *("--out", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["designs"][0]["parameters"].keys() == {"edge"}


def test_its_cells_are_drawn_with_options_of_its_own(prisms, cli):
    page = " ".join(cli("evaluate", "--help").stdout.split())
    assert all(name in page for name in ("--particle", "--diameter", "--prism", "--prisms-edge"))
    pair = ("evaluate", "--matrix", "epoxy-unfilled", "--prism", "alumina-ad-995", "--fraction", 0.2, "--grid", 16)
    report = json.loads(cli(*pair, "--prisms-edge", 0.3, "--only", "bulk", "--json").stdout)
    assert report["phases"]["prism"].startswith("Alumina") and "particle" not in report["phases"]
    assert 0.1 < report["phases"]["volume_fraction"] < 0.3
    assert "--prism: no family of microstructures has all" in cli(*pair, "--diameter", 0.3).stderr
    assert "prisms" in cli(*pair, "--only", "bulk").stdout


def test_the_app_draws_its_cells(prisms, monkeypatch):
    monkeypatch.setattr(background, "PATIENCE_S", 120.0)
    monkeypatch.setattr(server, "_probe_rendering", lambda: False)
    st.cache_resource.clear()
    app = AppTest.from_file(str(EVALUATE), default_timeout=120).run()
    app.segmented_control(key="evaluate-family").set_value("prisms").run()
    app.selectbox(key="evaluate-grid-2").select(32).run()
    assert [box.label for box in app.selectbox][:2] == ["Matrix", "Prisms"]
    assert (
        app.slider(key="evaluate-edge-prisms").label == "Prism edge"
        and app.slider(key="evaluate-volume_fraction-prisms").max == 0.3
    )
    assert not app.exception and not app.error and app.dataframe[0].value.shape[0] >= 2
    st.cache_resource.clear()


def test_an_unknown_family_is_refused_with_those_that_there_are():
    with pytest.raises(
        ValueError,
        match=r"unknown family 'fibres'; known are particles, particles-two-sizes, .*particles-hybrid, free-form",
    ):
        DesignRequest(target_bulk=60, family="fibres")
