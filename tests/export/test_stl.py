"""STL files are closed, manifold, oriented, as large as asked, and hold as much as the voxels."""

from __future__ import annotations

import io
from dataclasses import replace

import manifold3d
import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from vtkmodules.vtkIOGeometry import vtkSTLReader

from relaxdesign.export import ExportError, ExportOptions, Surface, phase_surface, stl_bytes
from relaxdesign.export.bodies import body_surface
from relaxdesign.export.stl import surface_to_stl
from relaxdesign.io.voxelise import load_stl
from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.physics.evaluator import Evaluator
from relaxdesign.study.simulation import Simulation
from relaxdesign.study.trust import resolve


def read(content: bytes) -> trimesh.Trimesh:
    return trimesh.load(io.BytesIO(content), file_type="stl")


def assert_solid(mesh: trimesh.Trimesh) -> None:
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0  # outward
    vertices, faces = mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32)
    assert manifold3d.Manifold(manifold3d.Mesh(vertices, faces)).status() == manifold3d.Error.NoError


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(
    ("dim", "grid", "fraction", "diameter"), [(2, 64, 0.3, 0.2), (3, 32, 0.3, 0.3), (3, 24, 0.5, 0.2)]
)
def test_particles_and_matrix_are_solids_of_the_right_volume(make_design, dim, grid, fraction, diameter, label):
    design = make_design(dim, grid, fraction, diameter)
    size = 5.0
    mesh = read(stl_bytes(design, size, phase=label))
    assert_solid(mesh)
    share = design.shares[label]
    cell_volume = size**3 if dim == 3 else size**3 / 8
    assert mesh.volume == pytest.approx(share * cell_volume, rel=1e-4)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(("dim", "grid"), [(2, 64), (3, 24)])
def test_the_voxels_come_back_from_them(make_design, tmp_path, dim, grid, label):
    design = make_design(dim, grid, 0.4, 0.25)
    path = tmp_path / "phase.stl"
    path.write_bytes(stl_bytes(design, 5.0, phase=label))
    cell = load_stl(path, grid=grid, dim=dim, edges=(5.0,))
    assert np.array_equal(cell.labels, design.labels == label) and not cell.warnings
    finer = load_stl(path, grid=251 if dim == 2 else 127, dim=dim, edges=(5.0,))  # no multiple of the voxels
    assert finer.labels.mean() == pytest.approx((design.labels == label).mean(), rel=4e-3)


def exact(make_design, dim: int, fraction: float = 0.3, diameter: float = 0.3, index: int = 3):
    """A design that knows its particles, and their packing."""
    generator = torch.Generator().manual_seed(index)
    packing = place_particles(fraction, diameter, dim, grid=32, generator=generator)[0]
    shares = 1 - packing.share, packing.share
    design = replace(make_design(dim, 32, fraction, diameter, index), geometry=packing.to_dict(), shares=shares)
    return design, packing


@pytest.mark.parametrize("tile", [1, 2])
@pytest.mark.parametrize(("dim", "fraction"), [(2, 0.4), (3, 0.3), (3, 0.5)])
def test_exact_particles_and_matrix_fill_the_block_together(make_design, dim, fraction, tile):
    design, packing = exact(make_design, dim, fraction)
    particles, matrix = (read(stl_bytes(design, 5.0, phase=label, tile=tile, chord=0.01)) for label in (1, 0))
    block = (5.0 * tile) ** 2 * (5.0 * tile if dim == 3 else 5.0 / 8)
    for mesh, share in ((particles, packing.share), (matrix, 1 - packing.share)):
        assert_solid(mesh)
        assert mesh.volume == pytest.approx(share * block, rel=1e-5)
    assert particles.volume + matrix.volume == pytest.approx(block, rel=1e-6)


@pytest.mark.parametrize("chord", [0.02, 0.001])
def test_facets_stay_within_the_chord_error_of_the_spheres(make_design, chord):
    design, packing = exact(make_design, 3)
    mesh = read(stl_bytes(design, 1.0, chord=chord))
    inner = mesh.vertices[((mesh.vertices > 1e-4) & (mesh.vertices < 1 - 1e-4)).all(1)]
    offset = inner[:, None] - packing.centres.numpy()
    distance = np.linalg.norm(offset - np.round(offset), axis=-1).min(1)
    assert np.abs(distance - packing.diameter / 2).max() < chord * packing.diameter
    middles = mesh.triangles_center[((mesh.triangles_center > 0.01) & (mesh.triangles_center < 0.99)).all(1)]
    offset = middles[:, None] - packing.centres.numpy()
    distance = np.linalg.norm(offset - np.round(offset), axis=-1).min(1)
    assert np.abs(distance - packing.diameter / 2).max() < 1.5 * chord * packing.diameter


def test_phases_share_the_corners_of_their_interface(make_design):
    design, _ = exact(make_design, 3)
    corners = [{tuple(point) for point in body_surface(design, 1.0, phase=label).points.tolist()} for label in (0, 1)]
    inner = [{p for p in points if all(1e-6 < x < 1 - 1e-6 for x in p)} for points in corners]
    assert inner[0] == inner[1] and len(inner[0]) > 1000


def test_exact_cylinders_come_back_from_their_file(make_design, tmp_path):
    """STL, voxelised anew on eight times the grid: the modulus lies within the interval that is told of the discs."""
    design, packing = exact(make_design, 2, 0.3, 0.25)
    soft, stiff = (replace(m, bulk=k, shear=g) for m, k, g in zip(design.materials, (30, 60), (12, 25), strict=True))
    path = tmp_path / "particles.stl"
    path.write_bytes(stl_bytes(design, 4.0, chord=0.001))
    cell = load_stl(path, grid=256, dim=2, edges=(4.0,))
    simulation = Simulation(Evaluator(("K",)), [], 2, 32)
    value = simulation.voxels((soft, stiff), torch.from_numpy(cell.labels[..., 0]))["K"]
    trust = resolve(simulation, (soft, stiff), packing).trust()["K"]
    assert trust.low < value < trust.high


@pytest.mark.slow
def test_exact_spheres_come_back_from_their_file(make_design, tmp_path):
    """On 128³ voxels: their modulus is that of the spheres but for what voxels of one phase each are off there."""
    design, packing = exact(make_design, 3, 0.3, 0.25)
    soft, stiff = (replace(m, bulk=k, shear=g) for m, k, g in zip(design.materials, (30, 60), (12, 25), strict=True))
    path = tmp_path / "particles.stl"
    path.write_bytes(stl_bytes(design, 4.0, chord=0.001))
    cell = load_stl(path, grid=128, edges=(4.0,))
    simulation = Simulation(Evaluator(("K",)), [], 3, 32)
    value = simulation.voxels((soft, stiff), torch.from_numpy(cell.labels))["K"]
    trust = resolve(simulation, (soft, stiff), packing).trust()["K"]
    assert value == pytest.approx(trust.value, rel=1.5e-3)


def test_an_unusable_chord_error_is_refused(make_design):
    with pytest.raises(ExportError, match="chord error"):
        ExportOptions(chord=0.5).check(3)


def test_the_surface_of_a_ball_lies_where_the_ball_ends():
    """The level is moved, not the ball: points of the mesh stay within half a voxel of the sphere."""
    centre = (np.arange(24) + 0.5) / 24 - 0.5
    distance = np.sqrt(centre[:, None, None] ** 2 + centre[:, None] ** 2 + centre**2)
    surface = phase_surface((distance < 0.35).astype(np.uint8))
    radius = np.linalg.norm(surface.points - 0.5, axis=1)
    assert abs(radius.mean() - 0.35) < 0.1 / 24 and np.abs(radius - 0.35).max() < 0.6 / 24


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("dim", [2, 3])
def test_vtk_s_reader_opens_them_without_complaint(make_design, tmp_path, dim, label):
    """ParaView opens STL files by this reader."""
    path = tmp_path / "phase.stl"
    path.write_bytes(stl_bytes(make_design(dim, 16), phase=label))
    complaints: list[str] = []
    reader = vtkSTLReader()
    for event in ("ErrorEvent", "WarningEvent"):
        reader.AddObserver(event, lambda _, name: complaints.append(name))
    reader.SetFileName(str(path))
    reader.Update()
    assert not complaints
    assert reader.GetOutput().GetNumberOfCells() == len(read(path.read_bytes()).faces)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("dim", [2, 3])
def test_gmsh_opens_them_without_complaint(make_design, tmp_path, gmsh, dim, label):
    path = tmp_path / "phase.stl"
    path.write_bytes(stl_bytes(make_design(dim, 16), 4.0, phase=label))
    gmsh.logger.start()
    gmsh.open(str(path))
    complaints = [line for line in gmsh.logger.get() if line.startswith(("Warning", "Error"))]
    gmsh.logger.stop()
    assert not complaints
    triangles, _ = gmsh.model.mesh.getElementsByType(2)
    assert len(triangles) == len(read(path.read_bytes()).faces)
    _, points, _ = gmsh.model.mesh.getNodes()
    assert 3.0 < np.ptp(points[0::3]) <= 4.0


def test_the_edge_is_as_long_as_asked(make_design):
    flat = read(stl_bytes(make_design(2), 4.0, 0.7, phase=0))
    assert np.allclose(flat.bounds, [[0, 0, 0], [4, 4, 0.7]], atol=1e-6)
    cube = read(stl_bytes(make_design(3, 16), 0.05, phase=0))
    assert np.allclose(cube.bounds, [[0, 0, 0], [0.05, 0.05, 0.05]], atol=1e-8)


def test_a_2d_cell_becomes_an_eighth_of_its_edge_thick(make_design):
    assert np.ptp(read(stl_bytes(make_design(2), 4.0)).bounds[:, 2]) == pytest.approx(0.5)


def test_a_2d_cell_becomes_a_prism_without_bevels(make_design):
    mesh = read(stl_bytes(make_design(2), 4.0, 0.7))
    assert set(np.round(np.unique(mesh.vertices[:, 2]), 6)) == {0.0, 0.7}
    assert np.all(
        np.isclose(np.abs(mesh.face_normals[:, 2]), 0, atol=1e-5) | np.isclose(np.abs(mesh.face_normals[:, 2]), 1)
    )


def test_a_full_cell_is_a_block():
    surface = phase_surface(np.ones((4, 6, 8), np.uint8), 2.0)
    assert surface.size == (2.0, 3.0, 4.0)
    assert surface.volume == pytest.approx(24, rel=1e-6)  # with sharp edges
    assert_solid(read(surface_to_stl(surface, "block")))


@settings(max_examples=25, deadline=None)
@given(
    phase=arrays.arrays(
        np.uint8,
        st.one_of(arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7)),
        elements=st.integers(0, 1),
    )
)
def test_any_voxel_field_becomes_a_solid(phase):
    if not phase.any():
        phase[0, 0, 0] = 1
    surface = phase_surface(phase, 1.0)
    mesh = read(surface_to_stl(surface, "noise"))
    assert_solid(mesh)
    assert surface.volume == pytest.approx(mesh.volume, rel=1e-4)
    assert surface.fraction == phase.mean()
    assert surface.mesh_fraction == pytest.approx(surface.fraction, rel=1e-4)
    assert (surface.points >= 0).all() and (surface.points <= np.float32(surface.size)).all()


def test_volume_of_a_tetrahedron():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    surface = Surface(points, triangles, 1.0, (1.0, 1.0, 1.0))
    assert surface.volume == pytest.approx(1 / 6)
    assert surface.mesh_fraction == pytest.approx(1 / 6)


def test_binary_layout(make_design):
    content = stl_bytes(make_design(2, 16))
    assert not content.startswith(b"solid")  # readers would take it for text
    assert int.from_bytes(content[80:84], "little") * 50 + 84 == len(content)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf"), 1e-9, 1e9])
def test_unusable_sizes_are_refused(make_design, size):
    with pytest.raises(ExportError, match="cell size"):
        stl_bytes(make_design(2, 16), size)
    with pytest.raises(ExportError, match="thickness"):
        stl_bytes(make_design(2, 16), 1.0, size)


def test_a_3d_cell_has_no_thickness(make_design):
    with pytest.raises(ExportError, match="2D cells"):
        stl_bytes(make_design(3, 16), 1.0, 0.5)


def test_what_cannot_be_exported_says_why(make_result):
    with pytest.raises(ExportError, match="no packing was found"):
        stl_bytes(make_result().designs[1])
    with pytest.raises(ExportError, match="no voxel has the label 1"):
        phase_surface(np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(ExportError, match="expected \\(nx, ny, nz\\)"):
        phase_surface(np.zeros((4, 4), np.uint8))
