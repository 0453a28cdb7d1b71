"""Surfaces enclose what they should, close at the walls, and are seen from outside."""

import numpy as np
import pytest

from relaxdesign.scene.surfaces import cell_size, on_walls, smooth_surface, voxel_faces, voxels_at

N = 24


def ball(radius: float, centre=(N / 2, N / 2, N / 2)) -> np.ndarray:
    """Signed distance from a sphere at the voxels' centres, positive inside."""
    places = np.stack(np.meshgrid(*[np.arange(N) + 0.5] * 3, indexing="ij"), axis=-1)
    return radius - np.linalg.norm(places - np.array(centre), axis=-1)


def is_closed(mesh) -> bool:
    """Whether every edge is shared by two triangles, once points that were split for their normals are one again."""
    _, index = np.unique(np.round(mesh.points, 4), axis=0, return_inverse=True)
    corners = index[mesh.regular_faces]
    edges = np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), axis=1)
    return bool((np.unique(edges, axis=0, return_counts=True)[1] % 2 == 0).all())


@pytest.mark.parametrize("smoothing", [0, 20])
def test_a_sphere_has_its_volume_and_normals_point_outwards(smoothing):
    mesh = smooth_surface(ball(8.0), 0.0, smoothing=smoothing)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 8**3, rel=0.02)
    outwards = mesh.points - N / 2
    assert ((mesh.point_data["Normals"] * outwards).sum(1) > 0).all()
    assert is_closed(mesh)


@pytest.mark.parametrize("smoothing", [0, 20])
def test_a_sphere_across_the_walls_is_closed_flat_at_the_walls(smoothing):
    mesh = smooth_surface(ball(8.0, (0.0, 0.0, 0.0)), 0.0, smoothing=smoothing)
    assert is_closed(mesh)
    assert mesh.points.min() == pytest.approx(0.0, abs=1e-6)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 8**3 / 8, rel=0.04)
    assert on_walls(mesh.points, (N, N, N)).mean() > 0.2


def test_smoothing_keeps_a_single_voxel():
    """A Gaussian would lose it."""
    labels = np.zeros((N, N, N), dtype=np.float32)
    labels[5, 6, 7] = 1
    mesh = smooth_surface(labels, 0.5, smoothing=20)
    assert np.ptp(mesh.points, axis=0).min() > 0.25
    np.testing.assert_allclose(mesh.center, (5.5, 6.5, 7.5), atol=0.01)


def test_a_full_cell_is_a_box_and_an_empty_one_nothing():
    full = smooth_surface(np.ones((6, 5, 4), dtype=np.float32), 0.5)
    assert full.bounds == pytest.approx((0, 6, 0, 5, 0, 4), abs=1e-4) and full.volume == pytest.approx(120, rel=0.06)
    assert smooth_surface(np.zeros((6, 5, 4), dtype=np.float32), 0.5).n_points == 0


def test_a_single_layer_is_extruded():
    disc = ball(8.0)[:, :, N // 2 : N // 2 + 1]
    mesh = smooth_surface(disc, 0.0)
    assert mesh.bounds[4:] == pytest.approx((0.0, 1.0), abs=1e-4)
    assert mesh.volume == pytest.approx(np.pi * 8**2, rel=0.02)
    assert cell_size((N, N, 1))[:2] == (1.0, 1.0)


def test_points_of_a_surface_know_the_voxels_that_they_bound():
    labels = ball(8.0) > 0
    mesh = smooth_surface(labels.astype(np.float32), 0.5)
    voxels = voxels_at(mesh.points - 0.5 * mesh.point_data["Normals"], mesh.point_data["Normals"], labels.shape)
    assert labels[tuple(voxels.T)].mean() > 0.95


def test_faces_of_voxels_are_those_between_shown_and_hidden():
    shown = np.zeros((4, 3, 2), dtype=bool)
    shown[0, 0, 0] = shown[1, 0, 0] = True
    mesh, voxels = voxel_faces(shown)
    assert mesh.n_cells == 2 * 10  # two voxels share a face
    assert mesh.volume == pytest.approx(2.0)
    assert {tuple(voxel) for voxel in voxels} == {(0, 0, 0), (1, 0, 0)}
    corners = mesh.points[mesh.regular_faces].mean(1)
    assert (np.abs(corners - (voxels + 0.5)).max(1) <= 0.5 + 1e-6).all(), "a triangle belongs to another voxel"
    assert voxel_faces(np.zeros((2, 2, 2), bool))[0].n_points == 0


def test_a_surface_meets_a_wall_in_an_edge_and_is_smooth_elsewhere():
    mesh = smooth_surface(ball(8.0, (0.0, N / 2, N / 2)), 0.0)
    normals, at_wall = mesh.point_data["Normals"], mesh.points[:, 0] < 1e-3
    flat = at_wall & np.isclose(normals[:, 0], -1.0)
    rim = at_wall & ~flat
    assert flat.any() and rim.any() and (np.abs(normals[rim, 0]) < 0.3).all(), "light runs around the edge"
    outwards = mesh.points[~at_wall] - (0.0, N / 2, N / 2)
    along = (normals[~at_wall] * outwards).sum(1) / np.linalg.norm(outwards, axis=1)
    assert along.min() > 0.97
