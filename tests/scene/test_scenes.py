"""Scenes show what they say: the right phase, in the colours of its moduli, as far as it is left by the cut."""

import numpy as np
import pytest

from relaxdesign.scene import Cut, best_limit, forming_scene, lattice, painted_scene, phase_scene
from relaxdesign.scene.browser import describe
from relaxdesign.ui.colours import ModulusScale

N = 16
SOFT, STIFF = 3.0, 70.0
SCALE = ModulusScale(1.0, 200.0)


def two_layers(noise: float = 0.0) -> np.ndarray:
    """Stiff below z = 1/2, soft above, as a field with some noise."""
    young = np.full((N, N, N), SOFT)
    young[:, :, : N // 2] = STIFF
    return young * np.exp(noise * np.random.default_rng(0).standard_normal(young.shape))


def test_the_limit_parts_two_phases():
    assert 1.5 * SOFT < best_limit(two_layers(0.1)) < STIFF / 1.5


@pytest.mark.parametrize("soft", [False, True])
def test_the_forming_phase_lies_where_it_is_in_the_colour_of_its_modulus(soft):
    scene = forming_scene(two_layers(0.02), SCALE.paint, soft=soft)
    (layer,) = scene.layers
    low, high = layer.mesh.bounds[4:]
    # Periodic blurring may move the surface by part of a voxel.
    wanted = (0.5, 1.0) if soft else (0.0, 0.5)
    assert (low, high) == pytest.approx(wanted, abs=0.5 / N)
    expected = SCALE.paint(np.array([SOFT if soft else STIFF]))[0].astype(int)
    assert np.abs(layer.colours.astype(int) - expected).mean() < 8


def test_a_cut_leaves_its_share():
    (layer,) = forming_scene(two_layers(), SCALE.paint, cut=Cut(x=0.5)).layers
    assert layer.mesh.bounds[:2] == pytest.approx((0.0, 0.5), abs=1e-3)
    scene = phase_scene((two_layers() > 10).astype(int), ("#000000", "#ffffff"), cut=Cut(y=0.25))
    assert all(layer.mesh.bounds[3] == pytest.approx(0.25, abs=0.01) for layer in scene.layers)
    assert scene.size == (1.0, 1.0, 1.0), "the outline stays that of the cell"


def test_phases_have_their_colours_and_opacities():
    labels = np.zeros((N, N, N), dtype=np.uint8)
    labels[:4], labels[8:12] = 1, 2
    scene = phase_scene(labels, ("#111111", "#222222", "#333333"), opacities=(0.0, 1.0, 0.5))
    assert [(layer.colours, layer.opacity) for layer in scene.layers] == [("#222222", 1.0), ("#333333", 0.5)]


def test_a_void_is_not_drawn_and_the_solid_has_a_surface_whichever_comes_first():
    labels = np.zeros((N, N, N), dtype=np.uint8)
    labels[:4] = 1
    (solid,) = phase_scene(labels, ("#111111", "#222222"), void=0).layers
    (matrix,) = phase_scene(1 - labels, ("#222222", "#111111"), void=1).layers
    assert solid.colours == matrix.colours == "#222222" and solid.opacity == matrix.opacity == 1.0
    np.testing.assert_allclose(solid.mesh.points, matrix.mesh.points)
    shown = phase_scene(labels, ("#111111", "#222222"), opacities=(0.3, 1.0), void=0)
    assert [layer.name for layer in shown.layers] == ["phase 1", "phase 0"]


def test_a_painted_cell_shows_values_on_the_faces_of_the_cut():
    values = np.broadcast_to(np.arange(N, dtype=float)[:, None, None], (N, N, N))
    grey = lambda v: np.repeat(v[:, None].astype(np.uint8), 3, axis=1)  # noqa: E731
    (layer,) = painted_scene(values, grey, cut=Cut(x=0.5)).layers
    middles = layer.mesh.points[layer.mesh.regular_faces].mean(1)
    on_cut = middles[:, 0] > 0.5 - 1e-6
    assert on_cut.sum() == 2 * N * N and (layer.colours[on_cut] == N // 2 - 1).all()
    (half,) = painted_scene(values, grey, shown=values < 4).layers
    assert half.mesh.bounds[1] == pytest.approx(4 / N, abs=1e-6)


def wavy() -> np.ndarray:
    """A periodic field without symmetry, GPa."""
    x, y, z = 2 * np.pi * (np.indices((N, N, N)) + 0.3) / N
    return np.exp(np.sin(x + 1) + np.cos(y) * np.sin(z + 2) + 0.5 * np.sin(2 * y + x))


def test_copies_of_a_cell_are_as_large_and_lie_where_a_repeated_cell_has_its_phase():
    one, copied = (forming_scene(wavy(), SCALE.paint, limit=1.0, times=times) for times in (1, 2))
    assert copied.copies == 2 and copied.size == one.size and copied.camera == one.camera
    assert copied.layers[0].mesh.n_points < 1.1 * one.layers[0].mesh.n_points, "one mesh is drawn eight times"
    assert copied.corners == [(x / 2, y / 2, z / 2) for x, y, z in np.ndindex(2, 2, 2)]
    whole = forming_scene(lattice(wavy(), 2), SCALE.paint, limit=1.0)
    assert copied.layers[0].mesh.volume == pytest.approx(whole.layers[0].mesh.volume, rel=0.01)


def test_a_surface_fits_to_copies_of_itself():
    """Where it meets a wall it goes on beyond the opposite wall."""
    mesh = forming_scene(wavy(), SCALE.paint, limit=1.0, times=2).layers[0].mesh
    ends = [mesh.slice(normal="x", origin=(x, 0.5, 0.5)) for x in (1e-4, 1 - 1e-4)]
    first, last = (end.points[np.lexsort(np.round(end.points[:, 1:], 3).T)][:, 1:] for end in ends)
    distance = np.linalg.norm(first[:, None] - last[None], axis=2)
    assert len(first) > 20 and distance.min(1).max() < 0.1 / N


def test_a_cut_goes_through_all_copies():
    scene = forming_scene(two_layers(), SCALE.paint, cut=Cut(x=0.75), times=2)
    (layer,) = scene.layers
    assert scene.copies == 1 and layer.mesh.bounds[1] == pytest.approx(0.75, abs=1e-3)
    assert lattice(np.zeros((4, 3, 1)), 2).shape == (8, 6, 1), "a single layer stays one"


def test_the_browser_gets_the_same_mesh():
    import base64

    (layer,) = forming_scene(two_layers(0.1), SCALE.paint).layers
    told = describe(forming_scene(two_layers(0.1), SCALE.paint))
    sent = told["layers"][0]
    points = np.frombuffer(base64.b64decode(sent["points"]), "<u2").reshape(-1, 3)
    np.testing.assert_allclose(
        np.array(sent["corner"]) + sent["span"] * points / 65535, layer.mesh.points, atol=1 / 65535
    )
    triangles = np.frombuffer(base64.b64decode(sent["triangles"]), "<u4" if sent["wide"] else "<u2").reshape(-1, 3)
    np.testing.assert_array_equal(triangles, layer.mesh.regular_faces)
    colours = np.frombuffer(base64.b64decode(sent["colours"]), "u1").reshape(-1, 3)
    np.testing.assert_array_equal(colours, layer.colours)
    assert told["size"] == (1.0, 1.0, 1.0) and told["corners"] == [(0.0, 0.0, 0.0)] and told["share"] == 1.0


def test_a_homogeneous_field_gives_a_scene():
    assert len(forming_scene(np.full((N, N, N), 5.0), SCALE.paint).layers) <= 1


def test_a_coating_thinner_than_a_voxel_is_drawn_without_holes():
    """A cut through a coated sphere: all around it the coating, where it is cut through core and coating."""
    x = (np.arange(N) + 0.5) / N
    r = np.sqrt(sum((axis - 0.5) ** 2 for axis in np.meshgrid(x, x, x)))
    labels = np.where(r < 0.3, 2, np.where(r < 0.33, 1, 0))
    colours = ("#0000FF", "#00FF00", "#FF0000")
    touching = sum(((labels == 2) & (np.roll(labels, 1, axis) == 0)).sum() for axis in range(3))
    assert touching > 0, "voxels leave holes in it"

    def outer(coated: bool, cut: Cut):
        scene = phase_scene(labels, colours, opacities=(0.0, 1.0, 1.0), cut=cut, coated=coated)
        return next(layer for layer in scene.layers if layer.name == "phase 1")

    whole, torn = outer(True, Cut()), outer(False, Cut())
    assert whole.mesh.n_open_edges == 0 and (whole.colours == (0, 255, 0)).all()
    assert (
        whole.mesh.volume == pytest.approx(4 / 3 * np.pi * 0.33**3, rel=0.1)
        and torn.mesh.volume < 0.7 * whole.mesh.volume
    )
    halved = outer(True, Cut(x=0.5))
    shown = {tuple(colour) for colour in halved.colours}
    assert shown >= {(0, 255, 0), (255, 0, 0)}
    red = halved.mesh.points[halved.mesh.regular_faces[(halved.colours == (255, 0, 0)).all(1)]].mean(1)
    assert red[:, 0].min() > 0.49 and np.linalg.norm(red[:, 1:] - 0.5, axis=1).max() < 0.35
