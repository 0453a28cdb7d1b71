"""The public API: keywords become the request they say, files and arrays become cells, mistakes are named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import relaxdesign as rd
from relaxdesign.api import as_request
from relaxdesign.export import ExportError
from relaxdesign.study import run as study


@pytest.fixture
def asked(monkeypatch) -> list:
    """Requests and catalogues that reach the study, which answers with nothing."""
    calls = []
    monkeypatch.setattr(study, "design", lambda request, *, catalogue=None: calls.append((request, catalogue)))
    return calls


def test_importing_is_light_and_every_name_is_there():
    code = "import sys, relaxdesign as rd; print('torch' in sys.modules, all(hasattr(rd, n) for n in rd.__all__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    assert set(rd.__all__) <= set(dir(rd)) and (Path(rd.__file__).parent / "py.typed").exists()
    with pytest.raises(AttributeError, match="no attribute 'desing'"):
        _ = rd.desing


def test_names_of_quantities_become_targets():
    request = as_request(K=120, density=(None, 4), G=(10, np.float64(20)), E=[15, None], count=2, dim=3)
    assert request.title == "K = 120 GPa, density ≤ 4 g/cm³, 10 ≤ G ≤ 20 GPa, E ≥ 15 GPa"
    assert (request.count, request.dim) == (2, 3)
    assert as_request(**{"Ex/Ey": 1.5}, family="free-form").targets[0].quantity == "Ex/Ey"


def test_objectives_come_in_words_or_as_objects():
    request = as_request(K=60, objectives=["minimise density @ 2", rd.Objective(quantity="G", low=5)])
    assert request.title == "K = 60 GPa, minimise density, G ≥ 5 GPa"
    assert request.density_weight == 2
    assert as_request(objectives="K = 50") == as_request(K=50) == rd.DesignRequest(target_bulk=50)


def test_settings_of_the_guidance_are_settings():
    assert as_request(K=60, guidance={"mean": 0.5}).guidance.mean == 0.5


@pytest.mark.parametrize(
    ("keywords", "error", "text"),
    [
        ({"K": 50, "cout": 3}, TypeError, "'cout': did you mean 'count'"),
        ({"k": 50}, TypeError, "'k': did you mean 'K'"),
        ({"Density": 3}, TypeError, "did you mean 'density'"),
        ({"K": 50, "xyzzy": 3}, TypeError, "neither a quantity nor a setting"),
        ({"K": 50, "density": "minimise"}, TypeError, "goes into objectives"),
        ({"K": (1, 2, 3)}, TypeError, "interval"),
        ({"K": (20, 10)}, ValueError, "swap them"),
        ({"K": -1}, ValueError, "above 0"),
        ({"K": 50, "dim": 5}, ValueError, "dim"),
        ({"count": 4}, ValueError, "at least one target"),
        ({"objectives": ["K is 50"]}, ValueError, "cannot read"),
    ],
)
def test_mistakes_are_named(keywords, error, text):
    with pytest.raises(error, match=text):
        as_request(**keywords)


def test_a_request_or_keywords(asked):
    request, own = rd.DesignRequest(target_bulk=50), rd.Catalogue.default()
    rd.design(request, catalogue=own)
    rd.design(K=50)
    assert asked == [(request, own), (request, None)]
    with pytest.raises(TypeError, match="not both; leave out count, objectives"):
        rd.design(request, count=3, objectives=["K = 3"])


def test_a_field_is_evaluated_from_arrays_and_from_files(tmp_path):
    E = np.full((6, 6), 3.0, dtype=np.float32)
    E[:3] = 30.0
    plane = rd.VoxelFields(E=E, nu=np.full((6, 6), 0.3))
    np.savez(tmp_path / "field.npz", E=E, nu=plane.nu)
    evaluated = rd.evaluate(plane)
    assert isinstance(evaluated, rd.Evaluation) and evaluated.C.shape == (6, 6)
    assert rd.evaluate(tmp_path / "field.npz").bulk == evaluated.bulk == rd.evaluate(str(tmp_path / "field.npz")).bulk
    upper = rd.evaluate(plane, boundary="kubc")
    assert upper.bulk > evaluated.bulk


def test_what_is_no_cell_is_refused():
    with pytest.raises(TypeError, match="VoxelFields or a Cell, got ndarray"):
        rd.evaluate(np.ones((4, 4, 4)))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="nu has"):
        rd.evaluate(rd.VoxelFields(E=np.ones((4, 4)), nu=np.ones((4, 5))))
    with pytest.raises(ValueError, match=r"expected \(nx, ny, nz\)"):
        rd.evaluate(rd.VoxelFields(E=np.ones(4), nu=np.ones(4)))
    with pytest.raises(ValueError, match="voxel"):
        rd.evaluate(rd.VoxelFields(E=np.zeros((4, 4)), nu=np.full((4, 4), 0.3)))


def test_designs_are_written_in_the_formats_asked_for(make_result, tmp_path):
    files = rd.write(make_result(), tmp_path / "out", formats=["json", "stl"], edge_mm=2.0)
    names = [path.relative_to(tmp_path / "out").as_posix() for path in files]
    assert names[-1] == "SHA256SUMS" and all(path.is_file() for path in files)
    assert {"design-01/design.json", "design-01/particles.stl", "result.json"} <= set(names)
    with pytest.raises(ExportError, match="unknown format"):
        rd.write(make_result(), tmp_path / "none", formats=["dwg"])
    assert not (tmp_path / "none").exists()


def test_cells_and_designs_are_meshed(make_design, tmp_path):
    fields = rd.VoxelFields(E=np.array([[1.0, 2.0], [2.0, 1.0]]), nu=np.full((2, 2), 0.3))
    assert rd.write_mesh(fields, tmp_path / "a.inp", edge_mm=2.0) == [tmp_path / "a.inp"]
    assert "periodic cell of 2 x 2 x 1 mm" in (tmp_path / "a.inp").read_text()
    written = rd.write_mesh(make_design(2, 8), tmp_path / "b.xdmf")
    assert {path.name for path in written} == {"b.xdmf", "b.h5"} and all(path.is_file() for path in written)
    with pytest.raises(ExportError, match=r"\.inp, \.msh, \.vtu, \.xdmf"):
        rd.write_mesh(make_design(2, 8), tmp_path / "c.obj")


def test_a_pair_is_judged_by_names_of_materials_and_substances():
    found = rd.makeable("epoxy", "alumina")
    assert (found.level, found.route) == ("established", "resin casting") and "°C" in found.reason
    assert rd.makeable("alumina-ad-995", rd.Catalogue.default().find("epoxy-unfilled")).level == "impossible"
    assert rd.makeable("concrete", "stainless-steel", dim=2, fraction=0.1).level == "established"
    with pytest.raises(ValueError, match="unknown material"):
        rd.makeable("epoxy", "kryptonite")
