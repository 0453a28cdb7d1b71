"""Shapes leave as what they are: the surface on which their level set vanishes, not the steps of their voxels."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import manifold3d
import numpy as np
import pytest
import torch
import trimesh
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from relaxdesign.export import ExportError, stl_bytes
from relaxdesign.export.plates import Plates
from relaxdesign.io.voxelise import load_stl
from relaxdesign.materials.material import VOID
from relaxdesign.microstructure.free_form import FREE_FORM, restored
from relaxdesign.microstructure.free_form.three import FREE_FORM_OF_THREE
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.study.result import Design
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import resolve

GRIDS = {2: 32, 3: 16}
EDGE = 4.0


def level_of(dim: int, seed: int = 1) -> np.ndarray:
    """Level set (*grid) of a random cell, 45 % of phase 1."""
    noise = np.random.default_rng(seed).normal(size=(GRIDS[dim],) * dim)
    field = gaussian_filter(noise, GRIDS[dim] / 10, mode="wrap")
    return FREE_FORM.level_set(field > np.quantile(field, 0.55))


@pytest.fixture
def shape(make_design):
    """``shape(dim)``: a design of a random cell, void and a solid; ``shape(dim, 3)``: of void and two solids."""

    def make(dim: int, phases: int = 2) -> Design:
        design = make_design(2, 16)
        level = level_of(dim) if phases == 2 else np.stack([level_of(dim), level_of(dim, 2)])
        family = FREE_FORM if phases == 2 else FREE_FORM_OF_THREE
        geometry = family.geometry(level)
        shares = [float(each.mean()) for each in geometry.shares(128 // (dim - 1)).reshape(phases - 1, -1)]
        labels = family.labels(level).astype(np.uint8).reshape((GRIDS[dim],) * dim + (1,) * (3 - dim))
        materials = (VOID, *design.materials)[:phases]
        stored = json.loads(json.dumps(geometry.to_dict()))
        return replace(
            design, family="free-form", labels=labels, materials=materials, shares=(1 - sum(shares), *shares),
            parameters={}, geometry=stored,
        )  # fmt: skip

    return make


def read(content: bytes) -> trimesh.Trimesh:
    return trimesh.load(io.BytesIO(content), file_type="stl")


def volume(mesh: trimesh.Trimesh) -> float:
    """Volume in mm³ of a mesh that another library takes for a closed body."""
    assert mesh.is_watertight and mesh.is_winding_consistent
    body = manifold3d.Manifold(manifold3d.Mesh64(mesh.vertices, mesh.faces.astype(np.uint64)))
    assert body.status() == manifold3d.Error.NoError
    return body.volume()


@pytest.mark.parametrize("dim", [2, 3])
def test_a_cell_is_built_again_from_what_its_design_tells(shape, dim):
    level, again = level_of(dim), restored(shape(dim).geometry)
    assert np.array_equal(again.level > 0, level > 0)
    for times in (1, 2, 4):
        was, now = (FREE_FORM.geometry(each).shares(times * GRIDS[dim]) for each in (level, again.level))
        assert torch.allclose(was, now, atol=2e-3 * times) and float(now.mean()) == pytest.approx(
            float(was.mean()), rel=1e-5
        )


@pytest.mark.parametrize(("dim", "tile"), [(2, 1), (2, 3), (3, 1), (3, 2)])
def test_both_phases_fill_the_block_with_the_fractions_that_are_stated(shape, dim, tile):
    design = shape(dim)
    void, solid = (read(stl_bytes(design, EDGE, phase=phase, tile=tile)) for phase in (0, 1))
    block = (tile * EDGE) ** 2 * (EDGE / 8 if dim == 2 else tile * EDGE)
    assert volume(solid) == pytest.approx(design.shares[1] * block, rel=1e-3)
    assert volume(solid) + volume(void) == pytest.approx(block, rel=1e-6)
    assert np.allclose(solid.bounds[:, :2], [[0, 0], [tile * EDGE] * 2], atol=1e-5)


@pytest.mark.parametrize("dim", [2, 3])
def test_opposite_faces_match(shape, dim):
    mesh = read(stl_bytes(shape(dim), 1.0))
    for axis in range(dim):
        others = [each for each in range(3) if each != axis]
        ends = [mesh.vertices[np.abs(mesh.vertices[:, axis] - end) < 1e-6][:, others] for end in (0.0, 1.0)]
        distances, _ = cKDTree(ends[1]).query(ends[0])
        assert len(ends[0]) and distances.max() < 1e-5


def test_the_file_of_a_shape_is_as_stiff_as_its_design(shape, tmp_path):
    """STL, voxelised anew on eight times the grid: the moduli lie within the interval; its voxels are far off."""
    design = shape(2)
    path = tmp_path / "shape.stl"
    path.write_bytes(stl_bytes(design, EDGE))
    cell = load_stl(path, grid=256, dim=2, edges=(EDGE,))
    simulation = replace(Simulation(Evaluator(("K", "G")), [], 2, 32), void=True)
    trust = resolve(simulation, design.materials, restored(design.geometry)).trust()
    read_back, voxels = (
        simulation.voxels(design.materials, torch.from_numpy(labels[..., 0])) for labels in (cell.labels, design.labels)
    )
    for name in ("K", "G"):
        assert trust[name].low < read_back[name] < trust[name].high
        assert abs(voxels[name] - trust[name].value) > 3 * abs(read_back[name] - trust[name].value)


def test_a_void_and_two_solids_fill_the_cell(shape):
    design = shape(3, phases=3)
    volumes = [volume(read(stl_bytes(design, 1.0, phase=phase))) for phase in range(3)]
    assert sum(volumes) == pytest.approx(1.0, rel=1e-6)
    assert volumes[0] == pytest.approx(design.shares[0], rel=1e-3)
    # where both interfaces cut a voxel its shares are those of independent phases, the surfaces are not
    assert volumes[1:] == pytest.approx(design.shares[1:], rel=0.02)


def test_plates_close_a_shape(shape):
    design = shape(3)
    plain, plated = (read(stl_bytes(design, EDGE, plates=plates)) for plates in (None, Plates(0.5, 2)))
    assert np.allclose(plated.bounds, [[0, 0, -0.5], [EDGE, EDGE, EDGE + 0.5]], atol=1e-5)
    assert plated.body_count == 1
    assert volume(plated) <= volume(plain) + EDGE**2 * 1.0 + 1e-6
    assert volume(plated) > 0.9 * volume(plain) + EDGE**2 * 1.0


def test_too_many_cells_are_refused(shape, monkeypatch):
    monkeypatch.setattr("relaxdesign.microstructure.free_form.bodies._MOST_POINTS", 2**12)
    with pytest.raises(ExportError, match="2 cells along each edge"):
        stl_bytes(shape(3), EDGE, tile=2)
