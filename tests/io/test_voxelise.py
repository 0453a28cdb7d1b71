"""Surfaces become the voxels whose centres lie in their material; what is damaged or ambiguous is refused or said."""

from __future__ import annotations

import manifold3d
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from relaxdesign.io.fields import FieldError
from relaxdesign.io.voxelise import load_stl, parse_edges


def sphere(radius=1.0, centre=(0.0, 0.0, 0.0), subdivisions=4) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius).apply_translation(centre)


def box(low, high) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=[low, high])


def inverted(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    mesh = mesh.copy()
    mesh.invert()
    return mesh


@pytest.fixture
def load(tmp_path):
    """Writes bodies into one file, one after the other, and reads them."""

    def written(*meshes: trimesh.Trimesh, **arguments):
        path = tmp_path / "part.stl"
        trimesh.util.concatenate(list(meshes)).export(path)
        return load_stl(path, **({"grid": 32} | arguments))

    return written


def test_a_sphere_has_its_volume_in_the_smallest_cube_around_it(load):
    cell = load(sphere(3.0, (5, -7, 1)), grid=48)
    assert cell.labels.shape == (48, 48, 48) and not cell.warnings
    assert cell.labels.mean() == pytest.approx(np.pi / 6, rel=0.01)
    assert np.allclose(cell.origin, [2, -10, -2], atol=1e-5) and np.allclose(cell.edges, 6, atol=1e-5)
    flat = load(sphere(3.0, (5, -7, 1)), grid=48, dim=2)
    assert flat.labels.shape == (48, 48, 1) and len(flat.edges) == 2
    assert flat.labels.mean() == pytest.approx(np.pi / 4, rel=0.02)


CENTRES = st.integers(0, 16)  # of faces, in half voxels: every other one runs through voxel centres


@settings(max_examples=60, deadline=None)
@given(
    bodies=st.lists(
        st.tuples(st.lists(CENTRES, min_size=3, max_size=3), st.lists(CENTRES, min_size=3, max_size=3)),
        min_size=1,
        max_size=4,
    )
)
def test_boxes_are_united_exactly_even_through_voxel_centres(tmp_path_factory, bodies):
    """A face through voxel centres gives them to one side, so that boxes that touch neither overlap nor gape."""
    bounds = [(np.minimum(a, b), np.maximum(a, b) + (np.array(a) == b)) for a, b in bodies]
    path = tmp_path_factory.mktemp("boxes") / "boxes.stl"
    trimesh.util.concatenate([box(low / 2.0, high / 2.0) for low, high in bounds]).export(path)
    centre = np.stack(np.meshgrid(*[np.arange(9) + 0.5] * 3, indexing="ij"), axis=-1)
    # Columns count a little to the right of and above their centres, heights from the face on.
    expected = np.any([((centre >= low / 2) & (centre < high / 2)).all(axis=-1) for low, high in bounds], axis=0)
    if not expected.any():
        with pytest.raises(FieldError, match="no voxel has its centre inside"):
            load_stl(path, grid=9, edges=(9.0,))
        return
    assert np.array_equal(load_stl(path, grid=9, edges=(9.0,)).labels, expected)


def test_bodies_that_overlap_are_united(load):
    bodies = sphere(0.25, (0.4, 0.5, 0.5)), sphere(0.25, (0.6, 0.5, 0.5))
    solids = [manifold3d.Manifold(manifold3d.Mesh(np.float32(m.vertices), np.uint32(m.faces))) for m in bodies]
    cell = load(*bodies, grid=128, edges=(1.0,))
    assert cell.labels.mean() == pytest.approx((solids[0] + solids[1]).volume(), rel=2e-3)
    lens = np.pi * (4 * 0.25 + 0.2) * (2 * 0.25 - 0.2) ** 2 / 12
    assert cell.labels.mean() == pytest.approx(2 * 4 / 3 * np.pi * 0.25**3 - lens, rel=5e-3)  # 10.26 %
    assert not cell.warnings


def test_inverted_bodies_stay_bodies(load):
    one, other = sphere(1.0, (1, 1, 1)), sphere(0.8, (3, 3, 3))
    upright = load(one, other, edges=(4.0,))
    for meshes in ([inverted(one), other], [one, inverted(other)], [inverted(one), inverted(other)]):
        cell = load(*meshes, edges=(4.0,))
        assert np.array_equal(cell.labels, upright.labels) and not cell.warnings
    mixed = one.copy()
    mixed.faces[::7] = mixed.faces[::7, ::-1]  # single triangles the wrong way round
    assert np.array_equal(load(mixed, other, edges=(4.0,)).labels, upright.labels)


def test_shells_within_shells(load):
    """Opposite orientation makes a cavity, also in a file that is inside out; the same orientation is said."""
    outer, inner, island = sphere(2.0, (2, 2, 2)), sphere(1.2, (2, 2, 2)), sphere(0.6, (2, 2, 2))
    solid, hollow = load(outer, edges=(4.0,)), load(outer, inverted(inner), edges=(4.0,))
    removed = load(inner, edges=(4.0,)).labels
    assert np.array_equal(hollow.labels, solid.labels & ~removed) and not hollow.warnings
    assert np.array_equal(load(inverted(outer), inner, edges=(4.0,)).labels, hollow.labels)
    filled = load(outer, inverted(inner), island, edges=(4.0,))
    assert filled.labels.sum() == hollow.labels.sum() + load(island, edges=(4.0,)).labels.sum()
    assert not filled.warnings
    nested = load(outer, inner, edges=(4.0,))
    assert np.array_equal(nested.labels, solid.labels)
    assert nested.warnings == (
        "1 of 2 shells: inside others with the same orientation, counted as solid; turn their normals inwards to make "
        "cavities",
    )
    again = load(outer, inverted(inner), inverted(island), edges=(4.0,))
    assert np.array_equal(again.labels, hollow.labels) and "cavities inside cavities" in again.warnings[0]


def test_copies_count_once(load):
    outer, inner = sphere(2.0, (2, 2, 2)), sphere(1.0, (2, 2, 2))
    hollow = load(outer, inverted(inner), edges=(4.0,)).labels
    for meshes in ([outer, outer, inverted(inner)], [outer, inverted(inner), inverted(outer)]):
        cell = load(*meshes, edges=(4.0,))
        assert np.array_equal(cell.labels, hollow)
        assert cell.warnings == ("1 of 3 shells: copies of others, counted once",)


def test_bodies_may_touch(load):
    """Shared faces, edges and corners belong to four triangles and more."""
    cubes = [box([x, y, z], [x + 1, y + 1, z + 1]) for x, y, z in ((0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 2, 0))]
    for turned in range(len(cubes)):
        cell = load(*(inverted(c) if i == turned else c for i, c in enumerate(cubes)), grid=24, edges=(3.0,))
        assert cell.labels.sum() == len(cubes) * 8**3 and not cell.warnings


def test_a_body_that_might_cut_another_is_said_to_be_a_body(load):
    one, other = sphere(1.0, (1.5, 2, 2)), sphere(1.0, (2.5, 2, 2))
    cell = load(one, inverted(other), edges=(4.0,))
    assert np.array_equal(cell.labels, load(one, other, edges=(4.0,)).labels)
    assert "normals inwards and crossing others" in cell.warnings[0]


def test_bodies_thinner_than_a_voxel_are_said(load):
    cell = load(box([0, 0, 0], [8, 8, 4]), box([0, 0, 6.1], [8, 8, 6.3]), grid=8, edges=(8.0,))
    assert cell.labels.sum() == 8 * 8 * 4
    assert cell.warnings == ("1 of 2 shells: thinner than a voxel, lost in part or whole; ask for more voxels",)


def test_what_reaches_out_of_the_cell_is_refused_with_what_fits(load):
    with pytest.raises(FieldError, match=r"from \(1, 1, 1\) to \(7, 7, 7\), out of the cell .* an edge of 7 holds it"):
        load(sphere(3.0, (4, 4, 4)), edges=(1.0,))
    with pytest.raises(FieldError, match=r"move it by \(0.3, 0, 0\) .*smallest cube around it \(edge 0.6\)"):
        load(sphere(0.3, (0, 0.5, 0.5)), edges=(1.0,))
    with pytest.raises(FieldError, match=r"move it by \(1, 0, 0\) in the file and give it an edge of 6,"):
        load(sphere(3.0, (2, 4, 4)), edges=(5.0,))
    assert load(sphere(3.0, (4, 4, 4)), edges=(7.0,)).labels.any()
    # Height is no matter of a 2D cell.
    assert load(sphere(3.0, (4, 4, -9)), dim=2, edges=(7.0,)).labels.any()


@pytest.mark.parametrize("centre", [(0, 0.5, 0.5), (1, 1, 1), (0.9, 0.1, -3.05)])
def test_a_periodic_cell_wraps(load, centre):
    """The same sphere wherever it lies, shifted by whole voxels."""
    wrapped = load(sphere(0.3, centre), edges=(1.0,), periodic=True, grid=40).labels
    middle = load(sphere(0.3, (0.5, 0.5, 0.5)), edges=(1.0,), grid=40).labels
    shift = tuple(np.rint((np.array(centre) - 0.5) * 40).astype(int))
    # Coordinates of a file have single precision: a centre on the very surface may fall to either side.
    assert np.count_nonzero(wrapped != np.roll(middle, shift, axis=(0, 1, 2))) <= 20
    assert wrapped.mean() == pytest.approx(0.1131, rel=0.01)
    flat = load(sphere(0.3, (0, 1, 5)), edges=(1.0,), periodic=True, dim=2, grid=64).labels
    assert flat.mean() == pytest.approx(np.pi * 0.09, rel=0.01) and flat[0, 0, 0] and flat[-1, -1, 0]


def test_a_rod_through_several_cells_is_folded_into_one(load):
    rod = box([-2, 0.25, 0.25], [3, 0.75, 0.75])
    labels = load(rod, edges=(1.0,), periodic=True, grid=16).labels
    assert np.array_equal(labels, np.broadcast_to(labels[:1], labels.shape)) and labels.mean() == 0.25


def test_a_cell_is_a_box_of_cubic_voxels(load):
    cell = load(box([0, 0, 0], [10, 5, 2.5]), edges=(10.0, 10.0, 5.0), grid=20)
    assert cell.labels.shape == (20, 20, 10) and cell.labels.mean() == 0.25
    assert cell.voxel == 0.5 and cell.extent == "(0, 0, 0) to (10, 10, 5)"
    with pytest.raises(FieldError, match=r"20 x 20 x 10\.2 voxels.* edges 10,10,5 fit"):
        load(box([0, 0, 0], [1, 1, 1]), edges=(10.0, 10.0, 5.1), grid=20)
    with pytest.raises(FieldError, match=r"at least 4 along each edge: edges 10,10,2 fit"):
        load(box([0, 0, 0], [1, 1, 1]), edges=(10.0, 10.0, 0.5), grid=20)
    assert load(box([0, 0, 0], [1, 1, 1]), edges=(4.0, 2.0), dim=2, grid=8).labels.shape == (8, 4, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"grid": 2}, "4 to 256"),
        ({"dim": 4}, "2 or 3"),
        ({"edges": (-1.0,)}, "positive lengths"),
        ({"edges": (1.0, np.inf, 1.0)}, "positive lengths"),
        ({"edges": (1.0, 1.0)}, "3D cell has one for all or 3"),
        ({"edges": (1.0, 1.0, 1.0), "dim": 2}, "2D cell has one for all or 2"),
        ({"periodic": True}, "needs its edges"),
        ({"periodic": True, "edges": (1e-4,)}, "more than 1024 voxels"),
    ],
)
def test_unusable_cells_are_refused(load, arguments, words):
    with pytest.raises(FieldError, match=words):
        load(sphere(), **arguments)


def test_edges_as_text():
    assert parse_edges("10") == (10.0,) and parse_edges("10, 10,5") == (10.0, 10.0, 5.0)
    for text in ("", "10,", "ten", "10;5"):
        with pytest.raises(FieldError, match="as in 10,10,5"):
            parse_edges(text)


def test_surfaces_without_an_inside_are_refused(load):
    lid = trimesh.creation.box()
    lid.update_faces(np.arange(len(lid.faces)) > 1)
    with pytest.raises(FieldError, match=r"part.stl: the surface is not closed \(4 open edges\)"):
        load(lid)
    wall = trimesh.Trimesh([[-0.5, -0.5, -0.5], [0.5, 0.5, -0.5], [0.5, 0.5, 0.5]], [[0, 1, 2]])
    sheet = trimesh.Trimesh(wall.vertices, [[0, 1, 2], [0, 2, 1]], process=False)
    with pytest.raises(FieldError, match="encloses no volume"):
        load(sheet)
    assert load(trimesh.creation.box(), sheet).labels.all()
    with pytest.raises(FieldError, match="open edges"):
        load(trimesh.creation.box(), wall)  # its edges on the box belong to three triangles or to one


def test_text_and_binary_are_the_same_and_may_hold_several_solids(tmp_path, load):
    parts = [sphere(1.0, (1, 1, 1), 2), sphere(0.7, (3, 3, 3), 2)]
    binary = load(*parts, edges=(4.0,)).labels
    path = tmp_path / "text.STL"
    text = "".join(trimesh.exchange.stl.export_stl_ascii(part) + "\n" for part in parts)
    for content in (text, text.upper().replace("\n", "\r\n"), "\n" + text.replace("solid", "solid of mine")):
        path.write_text(content.replace("endsolid of mine", "endsolid"))
        assert np.array_equal(load_stl(path, grid=32, edges=(4.0,)).labels, binary)
    misnamed = trimesh.util.concatenate(parts).export(file_type="stl")
    path.write_bytes(b"solid of a CAD program".ljust(80) + misnamed[80:])
    assert np.array_equal(load_stl(path, grid=32, edges=(4.0,)).labels, binary)


@pytest.mark.parametrize("text", [False, True])
def test_a_file_cut_anywhere_is_refused(tmp_path, text):
    """Two bodies: without the second the first would still be a closed surface."""
    bodies = trimesh.util.concatenate([box([0, 0, 0], [1, 1, 1]), box([2, 2, 2], [3, 3, 3])])
    content = trimesh.exchange.stl.export_stl_ascii(bodies).encode() if text else bodies.export(file_type="stl")
    path = tmp_path / "cut.stl"
    path.write_bytes(content)
    assert load_stl(path, grid=12, edges=(3.0,)).labels.sum() == 2 * 4**3
    end = content.rindex(b"endsolid") + len(b"endsolid") if text else len(content)
    half = content[:end].rindex(b"facet normal") if text else 84 + 50 * 12
    for cut in [*range(0, end - 1, 61), half, end - 1, end - 8]:
        path.write_bytes(content[:cut])
        with pytest.raises(FieldError, match=r"cut short|damaged"):
            load_stl(path, grid=12, edges=(3.0,))
    path.write_bytes(content + content[-50:])
    with pytest.raises(FieldError, match="damaged"):
        load_stl(path, grid=12, edges=(3.0,))


def test_damaged_corners_are_refused(tmp_path):
    path = tmp_path / "part.stl"
    text = trimesh.exchange.stl.export_stl_ascii(trimesh.creation.box())
    number = text.split("vertex ")[1].split()[0]
    for damage, words in (("nan", "not finite"), ("1,5", "no number"), ("1e999", "not finite")):
        path.write_text(text.replace(f"vertex {number}", f"vertex {damage}", 1))
        with pytest.raises(FieldError, match=words):
            load_stl(path, grid=8)
