"""A family that the program has never heard of goes through a study, the library, the export and the command line."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import trimesh

from relaxdesign.export import result_files
from relaxdesign.library import Curves, Store
from relaxdesign.library.stored import stored_result
from relaxdesign.microstructure import FAMILIES
from relaxdesign.microstructure.base import Inclusions
from relaxdesign.study.events import FinishedEvent
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.run import run
from tests.microstructure.prisms import PRISMS


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
    mesh = trimesh.load(io.BytesIO(files["design-01/particles.stl"]), file_type="stl")
    assert mesh.is_watertight
    assert "Prisms fill" in files["report.html"].decode()
    assert json.loads(files["result.json"])["designs"][0]["family"] == "prisms"


def test_the_command_line_knows_it(prisms, cli, tmp_path):
    result = cli(
        *("design", "--target-bulk", 60, "--family", "prisms", "--count", 1, "--steps", 4, "--no-library", "--json"),
        *("--out", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["designs"][0]["parameters"].keys() == {"edge"}


def test_an_unknown_family_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="unknown family 'fibres'; known are particles, free-form"):
        DesignRequest(target_bulk=60, family="fibres")
