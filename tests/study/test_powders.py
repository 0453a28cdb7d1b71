"""Whole studies of particles of two and of many sizes, up to fractions that equal ones do not have."""

from __future__ import annotations

import io
import json

import pytest
import trimesh

from relaxdesign.export import ExportOptions, result_files
from relaxdesign.microstructure.particles.packing import Packing
from relaxdesign.study.request import DesignRequest
from relaxdesign.study.result import Design
from relaxdesign.study.run import design

TWO = "id,name,E_GPa,nu,rho_g_cm3\nresin,Resin,3.9,0.29,1.2\noxide,Oxide,500,0.29,3.9\n"
K = 38.0
"""More than half of the cell in oxide has to be (HS: 0.6), far less than the least resin in oxide has."""


@pytest.fixture(scope="module", params=["particles-two-sizes", "particles-log-normal"])
def result(request):
    return design(
        DesignRequest(target_bulk=K, family=request.param, count=1, steps=8, seed=1, distinct=False, materials_csv=TWO)
    )


def test_more_than_half_of_the_cell_is_filled_and_the_target_met(result):
    (made,) = result.designs
    assert made.on_target, made.message
    assert 0.51 < made.shares[1] < 0.65 and [material.id for material in made.materials] == ["resin", "oxide"]
    assert made.bounds is not None and float(made.bounds.hs_lower) < K < float(made.bounds.hs_upper)
    assert abs(float(made.labels.mean()) - made.shares[1]) < 0.01
    packing = Packing.from_dict(made.geometry)
    assert packing.share == pytest.approx(made.shares[1], rel=1e-3) and packing.gap > 0
    assert packing.size == pytest.approx(made.parameters["diameter"], rel=1e-12)
    assert (packing.voxelise(64).numpy() == made.labels[..., 0]).all()
    assert Design.from_dict(made.to_dict()).geometry == made.geometry


def test_its_files_say_how_large_the_particles_are(result):
    (made,) = result.designs
    kinds = ["json", "stl", "abaqus", "report"]
    files = dict(result_files(result, kinds, options=ExportOptions(cell_size_mm=0.5)))
    known = json.loads(files["design-01/design.json"])["geometry"]
    diameters = Packing.from_dict(known).diameters
    assert known["edge_mm"] == 0.5
    assert known["sizes_um"]["largest"] == pytest.approx(500 * float(diameters.max()))
    assert known["sizes_um"]["smallest"] == pytest.approx(500 * float(diameters.min()))
    assert known["sizes_um"]["mean"] == pytest.approx(500 * made.parameters["diameter"])
    mesh = trimesh.load(io.BytesIO(files["design-01/particles.stl"]), file_type="stl")
    assert mesh.is_watertight and mesh.volume == pytest.approx(made.shares[1] * 0.5**3 / 8, rel=1e-3)
    text = f"{known['sizes_um']['smallest']:.4g} to {known['sizes_um']['largest']:.4g}"
    assert f"Particles: {text} um across in a cell of 0.5 mm." in files["design-01/abaqus.inp"].decode()
    assert f"mean diameter {made.parameters['diameter']:.3f}" in (report := files["report.html"].decode())
    assert f"{text} µm across in a cell of 0.5 mm" in report
