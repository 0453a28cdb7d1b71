"""Meshes fill the cell, share the nodes of interfaces and of opposite faces, and open in other programs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import cache
from itertools import combinations

import meshio
import numpy as np
import pytest
import torch

from relaxdesign.export import ExportError, ExportOptions, cell_mesh, design_mesh, mesh_files, result_files
from relaxdesign.export.mesh import filling
from relaxdesign.export.mesh.deck import deck
from relaxdesign.export.mesh.fields import cell_of_fields
from relaxdesign.export.mesh.model import Mesh
from relaxdesign.export.mesh.step import step_bytes
from relaxdesign.io.images import ImageReading, read_image
from relaxdesign.materials.material import VOID
from relaxdesign.microstructure.cell import Cell
from relaxdesign.microstructure.particles.packing import Packing
from relaxdesign.physics.voxel_fields import VoxelFields
from tests.conftest import CARBIDE, EPOXY

THIRD = replace(EPOXY, id="third", name="third", young=70.0, bulk=68.6, shear=26.3, poisson=0.33)
SMOOTH = ("linear", "quadratic")


@pytest.fixture(autouse=True, scope="module")
def loadable():
    """Gmsh needs libraries of the system."""
    try:
        import gmsh  # noqa: F401
    except OSError as error:
        pytest.skip(f"Gmsh cannot be loaded: {error}")


def noise(shape, phases=2, seed=0, materials=(EPOXY, CARBIDE, THIRD)) -> Cell:
    labels = np.random.default_rng(seed).integers(0, phases, shape)
    return Cell(labels, materials[:phases])


@cache
def noise_mesh(kind, shape) -> Mesh:
    return cell_mesh(noise(shape), kind, 2.0)


def cross(n=8) -> Cell:
    """Three bars that cross, beside a void, shifted so that they pass the faces of the cell."""
    labels = np.zeros((n, n, n), np.uint8)
    part = slice(2, n - 3)
    labels[part, part, :] = labels[part, :, part] = labels[:, part, part] = 1
    return Cell(np.roll(labels, (-3, 2, 0), (0, 1, 2)), (VOID, CARBIDE))


def packed(make_design, dim, grid, centres, diameter):
    """A design of these particles."""
    packing = Packing(torch.tensor(centres, dtype=torch.float64), diameter)
    labels = packing.voxelise(grid).numpy().reshape(grid, grid, -1).astype(np.uint8)
    shares = (1.0 - packing.share, packing.share)
    return replace(make_design(2, 16), labels=labels, shares=shares, geometry=packing.to_dict())


def free_faces(mesh: Mesh) -> np.ndarray:
    """Corners (k, 3) of the faces of tetrahedra that belong to one element only; none may belong to more than two."""
    corners = mesh.elements[:, :4]
    faces = np.sort(np.concatenate([corners[:, three] for three in combinations(range(4), 3)]), axis=1)
    found, count = np.unique(faces, axis=0, return_counts=True)
    assert count.max() == 2
    return found[count == 1]


def assert_periodic(mesh: Mesh) -> None:
    """Of a cell without voids, every node on a face has all its images, and the others none."""
    size, twins = np.array(mesh.size), mesh.twins
    assert mesh.points[twins.image] - mesh.points[twins.node] == pytest.approx(twins.offset * size, abs=1e-9)
    last = np.isclose(mesh.points, size).any(axis=1)
    assert np.array_equal(np.sort(twins.image), np.flatnonzero(last))
    assert not np.isin(twins.node, twins.image).any()


@pytest.mark.parametrize("shape", [(4, 5, 3), (6, 6, 1)])
def test_voxels_become_hexahedra(shape):
    cell = noise(shape, 3)
    mesh = cell_mesh(cell, "voxels", 2.0)
    assert len(mesh.elements) == cell.labels.size and mesh.size == tuple(2.0 / shape[0] * n for n in shape)
    assert mesh.volumes == pytest.approx(np.full(cell.labels.size, (2.0 / shape[0]) ** 3))
    assert mesh.shares == pytest.approx(cell.shares)
    assert_periodic(mesh)


@pytest.mark.parametrize("kind", SMOOTH)
def test_smoothed_phases_share_their_interfaces_and_fill_the_cell(kind):
    cell = noise((5, 5, 5), 3)
    mesh = cell_mesh(cell, kind, 3.0)
    assert mesh.volumes.min() > 0 and mesh.volumes.sum() == pytest.approx(27.0)
    faces = mesh.points[free_faces(mesh)]
    in_face = (np.isclose(faces, 0) | np.isclose(faces, 3.0)).all(axis=1).any(axis=1)
    assert in_face.all(), "no gap between phases"
    assert mesh.shares == pytest.approx(cell.shares, abs=0.03)
    assert_periodic(mesh)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("shape", [(6, 4, 5), (9, 7, 1)])
def test_any_voxels_are_meshed(shape, seed):
    mesh = cell_mesh(noise(shape, 2, seed), "linear")
    assert mesh.volumes.min() > 0 and mesh.volumes.sum() == pytest.approx(np.prod(mesh.size))
    assert_periodic(mesh)


@pytest.mark.parametrize(("dim", "grid"), [(2, 24), (3, 10)])
def test_spheres_are_met_and_keep_their_volume(make_design, dim, grid):
    """Also where they leave the cell: nodes of the interface lie on the sphere, but for the volume of chords."""
    centre, diameter = [0.1, 0.4, 0.6][:dim], 0.6
    design = packed(make_design, dim, grid, [centre], diameter)
    mesh = design_mesh(design, "linear", 1.0)
    assert mesh.shares == pytest.approx(design.shares, abs=2e-4)
    both = np.intersect1d(mesh.elements[mesh.phase == 0], mesh.elements[mesh.phase == 1])
    offset = mesh.points[both, :dim] - centre
    distance = np.linalg.norm(offset - np.round(offset), axis=1)
    assert np.abs(distance - diameter / 2).max() < 0.35 / grid
    assert np.median(np.abs(distance - diameter / 2)) < 0.05 / grid


def test_voids_are_left_out():
    cell = cross()
    for kind in ("voxels", "linear"):
        mesh = cell_mesh(cell, kind, 4.0)
        assert mesh.phases == [1]
        assert mesh.volumes.sum() / 64.0 == pytest.approx(cell.shares[1], rel=1e-3)
        offset = mesh.points[mesh.twins.image] - mesh.points[mesh.twins.node]
        assert len(offset) and offset == pytest.approx(4.0 * mesh.twins.offset, abs=1e-9)


def test_loose_pieces_are_refused_in_words():
    cell = cross()
    labels = cell.labels.copy()
    beside = sum(np.roll(labels, step, axis) for axis in range(3) for step in (1, -1))
    far = np.argwhere((labels == 0) & (beside == 0))[0]
    labels[tuple(far)] = 1
    for kind in ("voxels", "linear"):
        with pytest.raises(ExportError, match=r"1 loose piece \(1 of its .* voxels.*remove them"):
            cell_mesh(Cell(labels, cell.materials), kind)
    layer = np.zeros((4, 4, 4), np.uint8)
    layer[1] = 1
    with pytest.raises(ExportError, match="2 of 3 directions"):
        cell_mesh(Cell(layer, (VOID, EPOXY)))
    with pytest.raises(ExportError, match="all void"):
        cell_mesh(Cell(np.zeros((4, 4, 4), np.uint8), (VOID, EPOXY)))


def test_what_is_too_large_is_refused_with_a_remedy():
    with pytest.raises(ExportError, match="coarser"):
        cell_mesh(Cell(np.zeros((129, 128, 128), np.uint8), (EPOXY,)))
    with pytest.raises(ExportError, match="export the mesh of voxels"):
        cell_mesh(noise((64, 64, 64)), "linear")
    with pytest.raises(ExportError, match="kinds are voxels, linear, quadratic"):
        cell_mesh(cross(), "fine")


def test_without_gmsh_it_is_named(monkeypatch):
    monkeypatch.setattr(filling, "gmsh_installed", lambda: False)
    with pytest.raises(ExportError, match=r"pip install 'relaxdesign\[mesh\]'"):
        cell_mesh(noise((4, 4, 4)), "linear")


def test_gmsh_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(filling, "SECONDS", 0.05)
    with pytest.raises(ExportError, match=r"within 0\.05 s: make the cell coarser"):
        cell_mesh(noise((4, 4, 4)), "linear")


@pytest.mark.parametrize(("kind", "shape"), [("voxels", (4, 4, 4)), ("quadratic", (4, 4, 4)), ("quadratic", (6, 6, 1))])
@pytest.mark.parametrize("ending", ["msh", "vtu", "xdmf"])
def test_other_programs_read_the_same_mesh(tmp_path, kind, shape, ending):
    mesh = noise_mesh(kind, shape)
    for name, content in mesh_files(mesh, "mesh", ending).items():
        (tmp_path / name).write_bytes(content)
    found = meshio.read(tmp_path / f"mesh.{ending}")
    expected = mesh.linear() if shape[2] == 1 else mesh  # wedges of second order are written by their corners
    assert found.cells[0].type == expected.kind.vtk
    assert found.points == pytest.approx(expected.points)
    assert np.array_equal(found.cells[0].data, expected.elements)
    assert np.array_equal(found.cell_data["phase"][0], mesh.phase)
    assert found.cell_data["E"][0] == pytest.approx(np.where(mesh.phase == 1, CARBIDE.young, EPOXY.young))
    if ending == "msh":
        assert {name: tag.tolist() for name, tag in found.field_data.items()} == {"PHASE-0": [1, 3], "PHASE-1": [2, 3]}


def test_gmsh_opens_its_file_with_the_phases_as_groups(gmsh, tmp_path):
    mesh = noise_mesh("quadratic", (4, 4, 4))
    (tmp_path / "mesh.msh").write_bytes(mesh_files(mesh, "mesh", "msh")["mesh.msh"])
    gmsh.open(str(tmp_path / "mesh.msh"))
    groups = gmsh.model.getPhysicalGroups()
    assert [gmsh.model.getPhysicalName(*group) for group in groups] == ["PHASE-0", "PHASE-1"]
    tags, _ = gmsh.model.mesh.getElementsByType(11)
    assert len(tags) == len(mesh.elements) and min(gmsh.model.mesh.getElementQualities(tags, "volume")) > 0


def test_fans_files_are_read_back(make_design, make_result, tmp_path):
    design = make_design(3, 8, 0.2, 0.4)
    files = dict(result_files(make_result((design,)), ["fans"], ExportOptions(cell_size_mm=4.0)))
    path = tmp_path / "fans.h5"
    path.write_bytes(files["design-01/fans.h5"])
    image = read_image(path, ImageReading())
    assert np.array_equal(image.values, design.labels) and image.spacing == pytest.approx((0.5, 0.5, 0.5))
    told = json.loads(files["design-01/fans.json"])
    assert told["microstructure"] == {"filepath": "fans.h5", "datasetname": "/cell/labels", "L": [4.0, 4.0, 4.0]}
    first, second = (one["material_properties"] for one in told["materials"])
    assert first["bulk_modulus"] == pytest.approx([EPOXY.bulk])
    assert second["shear_modulus"] == pytest.approx([CARBIDE.shear])


@pytest.mark.parametrize(("dim", "solids"), [(2, 5), (3, 3)])
def test_step_has_the_particles_as_exact_solids(make_design, gmsh, tmp_path, dim, solids):
    """A disc over a corner is cut in four; of spheres all images are whole, beside the block."""
    centres = [[0.0, 0.0]] if dim == 2 else [[0.5, 0.5, 0.0]]
    design = packed(make_design, dim, 8, centres, 0.4)
    path = tmp_path / "cell.step"
    path.write_bytes(step_bytes(design, 10.0, 2.0 if dim == 2 else None))
    assert path.read_bytes() == step_bytes(design, 10.0, 2.0 if dim == 2 else None)
    gmsh.open(str(path))
    volumes = sorted(gmsh.model.occ.getMass(3, tag) for _, tag in gmsh.model.getEntities(3))
    assert len(volumes) == solids
    if dim == 2:
        assert sum(volumes) == pytest.approx(200.0) and volumes[-1] == pytest.approx(200.0 - 2.0 * np.pi * 4.0)
    else:
        assert volumes == pytest.approx([np.pi / 6 * 64] * 2 + [1000.0], rel=1e-4)


def test_step_of_other_shapes_is_refused(make_design):
    with pytest.raises(ExportError, match="exact shapes are known"):
        step_bytes(replace(make_design(2, 16), geometry={}))


def test_fields_of_moduli_become_phases():
    labels = np.array([[[0, 1], [2, 1]]])
    E, nu = np.array([0.0, 3.0, 400.0])[labels], np.array([0.1, 0.3, 0.2])[labels]
    cell = cell_of_fields(VoxelFields(E, nu, alpha=np.array([0.0, 60.0, 4.0])[labels]))
    assert np.array_equal(cell.labels, labels) and cell.void == 0
    assert [m.expansion for m in cell.materials[1:]] == [60.0, 4.0]
    assert cell.materials[2].bulk == pytest.approx(400.0 / 1.8)
    many = np.linspace(1.0, 2.0, 512).reshape(8, 8, 8)
    with pytest.raises(ExportError, match="512 different sets"):
        cell_of_fields(VoxelFields(many, np.full_like(many, 0.3)))


def test_the_same_cell_gives_the_same_deck(make_design):
    design = packed(make_design, 3, 6, [[0.5, 0.5, 0.5]], 0.6)
    decks = [deck(design_mesh(design, "quadratic"), "one") for _ in range(2)]
    assert decks[0] == decks[1]
    assert max(len(line) for line in io.BytesIO(decks[0]).readlines()) < 256  # Abaqus
