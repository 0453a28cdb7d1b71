"""Inclusions are drawn as they are, fields on their surfaces have the phase's values, and cells deform as computed."""

import numpy as np
import pytest
import torch

from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.physics.effective_properties import fields_under
from relaxdesign.physics.voxel_fields import VoxelFields
from relaxdesign.scene import Cut, Exact, painted_phase, painted_scene, phase_scene
from relaxdesign.scene.browser import describe
from relaxdesign.scene.painted import REACH, exaggerated, repeated

N = 16
COLOURS = ("#111111", "#222222")


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(values, 0, 255).round().astype(np.uint8)[:, None], 3, 1)


def packed(dim: int) -> tuple[np.ndarray, Exact, float]:
    packing = place_particles(0.3, 0.3, dim, grid=N, generator=torch.Generator().manual_seed(1))[0]
    labels = packing.voxelise(N).numpy().reshape((N,) * dim + (1,) * (3 - dim)).astype(np.uint8)
    exact = Exact.of("particles", packing.to_dict())
    assert exact is not None
    return labels, exact, float(packing.volume_fraction)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("tile", [1, 2])
def test_particles_are_spheres_and_not_their_voxels(dim, tile):
    """Their surfaces enclose the volume that is stated, closed at the walls of the cell, in the scene's outline."""
    labels, exact, fraction = packed(dim)
    tiles = (tile,) * dim + (1,) * (3 - dim)
    scene = phase_scene(np.tile(labels, tiles), COLOURS, opacities=(0.0, 1.0), exact=exact.tiled(tile))
    (layer,) = scene.layers
    share = layer.mesh.clean().volume / np.prod(scene.size)
    assert share == pytest.approx(fraction, rel=0.01)
    assert np.abs(np.linalg.norm(layer.mesh.point_data["Normals"], axis=1) - 1).max() < 1e-5
    low, high = np.array(layer.mesh.bounds).reshape(3, 2).T
    assert (low >= -1e-6).all() and (high <= np.array(scene.size) + 1e-6).all()
    (cut,) = phase_scene(
        np.tile(labels, tiles), COLOURS, opacities=(0.0, 1.0), exact=exact.tiled(tile), cut=Cut(x=0.5)
    ).layers
    assert cut.mesh.bounds[1] == pytest.approx(0.5, abs=1e-6)


def test_a_family_without_bodies_or_a_design_without_geometry_has_voxels():
    assert Exact.of("free-form", {"level": 0}) is None and Exact.of("particles", {}) is None


@pytest.mark.parametrize("known", [True, False])
def test_a_phase_is_painted_with_its_own_values(known):
    labels, exact, _ = packed(3)
    values = np.where(labels == 1, 200.0, 20.0)
    for phase, value in ((0, 20), (1, 200)):
        (layer,) = painted_phase(values, grey, labels, phase, exact=exact if known else None).layers
        assert np.abs(np.asarray(layer.colours).astype(int) - value).max() <= 1, "values of the other phase"


def test_a_stretched_cell_is_drawn_stretched():
    young = np.random.default_rng(0).uniform(1.0, 3.0, (4, 4, 4))
    fields = fields_under(VoxelFields(young, np.full(young.shape, 0.3)), "xx")
    moved, times = exaggerated(fields.displacement[0].numpy())
    assert np.sqrt((moved**2).sum(0)).max() == pytest.approx(4 * REACH)
    for copies in (1, 2):
        values = np.tile(young, (copies,) * 3)
        scene = painted_scene(values, grey, moved=repeated(moved, copies))
        (still,), (drawn,) = scene.layers, scene.deformed(1.0).layers
        longer = np.ptp(drawn.mesh.points[:, 0].reshape(-1)) - np.ptp(still.mesh.points[:, 0])
        assert longer == pytest.approx(times, rel=0.15), "ε = 1 on an edge of 1, but for the fluctuation at its faces"
    told = describe(scene)["layers"][0]
    assert told["reach"] == pytest.approx(np.abs(still.moves).max())
    assert describe(phase_scene(np.ones((2, 2, 2), int), COLOURS))["layers"][0]["moves"] is None


def test_copies_of_a_deformed_cell_fit_together():
    moved = np.random.default_rng(0).standard_normal((3, 4, 4, 4))
    moved[:, -1] = moved[:, 0]
    moved[:, :, -1] = moved[:, :, 0]
    moved[..., -1] = moved[..., 0]
    gradient = np.array([[0.1, 0.02, 0.0], [0.0, -0.03, 0.01], [0.0, 0.0, 0.2]])
    nodes = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"))
    whole = repeated(moved + np.einsum("ij,jxyz->ixyz", gradient, nodes), 2)
    nodes = np.stack(np.meshgrid(*[np.arange(7)] * 3, indexing="ij"))
    periodic = whole - np.einsum("ij,jxyz->ixyz", gradient, nodes)
    np.testing.assert_allclose(periodic[:, :4, :4, :4], moved, atol=1e-12)
    np.testing.assert_allclose(periodic[:, 3:, 3:, 3:], moved, atol=1e-12)
    flat = repeated(np.zeros((3, 4, 4, 2)), 2)
    assert flat.shape == (3, 7, 7, 2)


def test_a_turned_camera_keeps_its_distance_and_height():
    scene = phase_scene(np.ones((2, 2, 2), int), COLOURS)
    position, focus, _ = scene.camera
    turned, same, _ = scene.camera_turned(np.pi)
    assert same == focus and turned[2] == pytest.approx(position[2])
    assert np.array(turned)[:2] - focus[:2] == pytest.approx(-(np.array(position)[:2] - focus[:2]))
