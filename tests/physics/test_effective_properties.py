"""``relaxdesign evaluate``: right numbers in table and JSON, files that open, one clear line for bad input."""

from __future__ import annotations

import json
import typing

import numpy as np
import pytest
import trimesh

from tests.command_line import assert_one_clear_error

KEYS = {"K", "G", "E", "nu", "C", "density", "bounds", "iterations", "residual", "boundary", "seconds"}
"""Keys that scripts rely on since the first version."""
NEW_KEYS = {
    *("directional_E", "anisotropy", "bounds_G", "conductivity", "remark", "warnings"),
    *("cte", "cte_tensor", "expansion"),
}


def save_field(path, E, nu, **more):
    np.savez(path, E=np.asarray(E, float), nu=np.asarray(nu, float), **more)
    return path


@pytest.fixture
def laminate(tmp_path):
    """Layers normal to z, E 1 and 100 GPa in equal shares, nu 0.3."""
    E = np.ones((2, 2, 4))
    E[..., 2:] = 100
    return save_field(tmp_path / "laminate.npz", E, np.full(E.shape, 0.3))


def test_evaluate_a_homogeneous_cell(cli, tmp_path):
    shape = (3, 4, 5)
    path = save_field(tmp_path / "f.npz", np.full(shape, 70.0), np.full(shape, 0.33), rho=np.full(shape, 2.7))
    result = cli("evaluate", path, "--json", "--gradient", "g.npz")
    report = json.loads(result.stdout)
    assert set(report) == KEYS | NEW_KEYS
    K = 70 / (3 * (1 - 2 * 0.33))
    assert report["K"] == pytest.approx(K, rel=1e-10)
    assert report["G"] == pytest.approx(70 / (2 * 1.33), rel=1e-10)
    assert (report["E"], report["nu"]) == pytest.approx((70, 0.33), rel=1e-9)
    assert report["density"] == pytest.approx(2.7)
    assert set(report["bounds"]) == {"voigt", "reuss", "hs_lower", "hs_upper"}
    assert list(report["bounds"].values()) == pytest.approx([K] * 4)
    assert report["boundary"] == "periodic"
    # Every voxel has the same share: dK/dE = K / (E N), dK/dnu = 2K / ((1 - 2 nu) N).
    with np.load(tmp_path / "g.npz") as gradient:
        assert gradient["dK_dE"] == pytest.approx(np.full(shape, K / 70 / 60), rel=1e-8)
        assert gradient["dK_dnu"] == pytest.approx(np.full(shape, 2 * K / 0.34 / 60), rel=1e-8)


def test_evaluate_a_laminate(cli, laminate):
    report = json.loads(cli("evaluate", laminate, "--json").stdout)
    C = np.array(report["C"])
    E, nu = np.array([1.0, 100.0]), 0.3
    G, C33 = E / 2 / (1 + nu), E * (1 - nu) / (1 + nu) / (1 - 2 * nu)
    # Backus 1962: harmonic means across the layers, arithmetic ones of the shear along them.
    assert C[2, 2] == pytest.approx(1 / np.mean(1 / C33), rel=1e-8)
    assert C[3, 3] == pytest.approx(1 / np.mean(1 / G), rel=1e-8)
    assert C[5, 5] == pytest.approx(np.mean(G), rel=1e-8)
    assert report["K"] == pytest.approx(C[:3, :3].sum() / 9, rel=1e-12)
    assert report["bounds"]["reuss"] < report["K"] < report["bounds"]["voigt"]
    assert report["density"] is None


def test_evaluate_bulk_alone_agrees(cli, laminate, tmp_path):
    full = json.loads(cli("evaluate", laminate, "--json", "--gradient", "full.npz").stdout)
    bulk = json.loads(cli("evaluate", laminate, "--json", "--only", "bulk", "--gradient", "bulk.npz").stdout)
    assert set(bulk) == (KEYS | NEW_KEYS) - {"C"}
    assert bulk["K"] == pytest.approx(full["K"], rel=1e-9)
    assert bulk["iterations"] < full["iterations"]
    with np.load(tmp_path / "full.npz") as one, np.load(tmp_path / "bulk.npz") as other:
        for name in ("dK_dE", "dK_dnu"):
            assert one[name] == pytest.approx(other[name], rel=1e-6)


def test_the_gradient_is_the_derivative(cli, tmp_path):
    rng = np.random.default_rng(3)
    E, nu = rng.uniform(1, 50, (3, 3, 3)), rng.uniform(0.1, 0.4, (3, 3, 3))
    tight = ("--json", "--only", "bulk", "--tol", "1e-11")
    cli("evaluate", save_field(tmp_path / "f.npz", E, nu), *tight, "--gradient", "g.npz")
    direction = {"E": rng.standard_normal(E.shape), "nu": 0.1 * rng.standard_normal(E.shape)}
    with np.load(tmp_path / "g.npz") as gradient:
        predicted = (gradient["dK_dE"] * direction["E"] + gradient["dK_dnu"] * direction["nu"]).sum()
    step = 1e-4
    high, low = (
        json.loads(
            cli(
                "evaluate",
                save_field(tmp_path / "f.npz", E + sign * step * direction["E"], nu + sign * step * direction["nu"]),
                *tight,
            ).stdout
        )["K"]
        for sign in (1, -1)
    )
    assert (high - low) / (2 * step) == pytest.approx(predicted, rel=1e-6)


def save_composite(path, shape=(6, 5, 4), **more):
    """A cell with no symmetry: E and nu random, k of two phases."""
    rng = np.random.default_rng(8)
    return save_field(path, rng.uniform(1, 50, shape), rng.uniform(0.1, 0.4, shape), **more)


def test_evaluate_reports_directions_anisotropy_and_bounds_of_G(cli, laminate):
    report = json.loads(cli("evaluate", laminate, "--json", "--tol", "1e-11").stdout)
    compliance = np.linalg.inv(report["C"])
    assert report["directional_E"] == pytest.approx(list(1 / np.diag(compliance)[:3]), rel=1e-9)
    assert report["directional_E"][0] == pytest.approx(report["directional_E"][1], rel=1e-9)
    assert report["directional_E"][2] < 0.1 * report["directional_E"][0]
    assert report["anisotropy"] > 10
    assert report["bounds_G"]["voigt"] == pytest.approx(101 / 2 / 2.6)
    assert report["bounds_G"]["reuss"] < report["bounds_G"]["hs_lower"] < report["G"] < report["bounds_G"]["voigt"]
    assert report["conductivity"] is None and report["remark"] is None


@pytest.mark.parametrize("kind", ["npz", "vti"])
def test_conductivity_is_reported_where_the_file_has_one(cli, tmp_path, kind):
    """Layers normal to z: series across, parallel along them."""
    shape = (2, 3, 4)
    k = np.broadcast_to([1.0, 1.0, 10.0, 10.0], shape)
    arrays = {"E": np.full(shape, 70.0), "nu": np.full(shape, 0.3), "k": k}
    path = tmp_path / f"f.{kind}"
    if kind == "npz":
        np.savez(path, **arrays)
    else:
        pyvista = pytest.importorskip("pyvista")
        image = pyvista.ImageData(dimensions=tuple(n + 1 for n in shape))
        for name, values in arrays.items():
            image.cell_data[name] = values.ravel(order="F")
        image.save(path)
    report = json.loads(cli("evaluate", path, "--json").stdout)["conductivity"]
    series, parallel = 2 / (1 + 0.1), 5.5
    assert report["directional"] == pytest.approx([parallel, parallel, series], rel=1e-9)
    assert report["mean"] == pytest.approx((2 * parallel + series) / 3, rel=1e-9)
    assert report["anisotropy"] == pytest.approx(parallel / series, rel=1e-9)
    assert np.array(report["tensor"]).shape == (3, 3)
    assert report["bounds"]["reuss"] == pytest.approx(series)
    assert report["bounds"]["voigt"] == pytest.approx(parallel)
    assert report["bounds"]["hs_lower"] < report["mean"] < report["bounds"]["hs_upper"]
    assert json.loads(cli("evaluate", path, "--json", "--only", "bulk").stdout)["conductivity"] is None
    table = cli("evaluate", path).stdout
    assert "Thermal conductivity along x, y, z" in table and "5.5, 5.5, 1.81818 W/(m K)" in table


def test_fields_are_written_and_open(cli, tmp_path):
    """The file's mean stress is C times the unit strain, in VTK's order XX YY ZZ XY YZ XZ."""
    pyvista = pytest.importorskip("pyvista")
    path = save_composite(tmp_path / "f.npz", k=np.full((6, 5, 4), 2.0))
    for load, column in ((None, None), ("xx", 0), ("yz", 3), ("xy", 5)):
        options = () if load is None else ("--load", load)
        result = cli("evaluate", path, "--json", "--tol", "1e-10", "--fields", "out.vti", *options)
        C = np.array(json.loads(result.stdout)["C"])
        image = pyvista.read(tmp_path / "out.vti")
        expected = C[:, :3].sum(1) if column is None else C[:, column]
        stress = image.cell_data["stress"].mean(axis=0)
        assert stress == pytest.approx(expected[[0, 1, 2, 5, 3, 4]], rel=1e-7, abs=1e-7)
        assert f"unit strain {load or 'hydrostatic'}" in str(image.field_data["name"])
    assert set(image.cell_data) >= {"E", "nu", "k", "strain", "von_mises", "pressure", "energy_density"}
    assert image.point_data["displacement"].shape == (7 * 6 * 5, 3)
    again = json.loads(cli("evaluate", "out.vti", "--json").stdout)
    assert np.array(again["C"]) == pytest.approx(C, rel=1e-7, abs=1e-6)
    assert json.loads(cli("evaluate", path, "--json", "--only", "bulk", "--fields", "b.vti").stdout)["G"] is None
    assert (tmp_path / "b.vti").exists()


def test_fields_keep_the_size_of_the_file_they_come_from(cli, tmp_path):
    """So that the fields of an exported design lie on the design in a viewer."""
    pyvista = pytest.importorskip("pyvista")
    image = pyvista.ImageData(dimensions=(5, 5, 2), spacing=(0.5,) * 3)
    image.cell_data["E"], image.cell_data["nu"] = np.linspace(1, 9, 16), np.full(16, 0.3)
    image.save(tmp_path / "design.vti")
    assert cli("evaluate", "design.vti", "--fields", "out.vti").exit_code == 0
    assert pyvista.read(tmp_path / "out.vti").bounds == pytest.approx(image.bounds)


def test_linear_displacement_on_the_surface_is_an_upper_estimate(cli, tmp_path):
    path = save_composite(tmp_path / "f.npz", k=np.random.default_rng(2).uniform(1, 9, (6, 5, 4)))
    periodic, kubc = (
        json.loads(cli("evaluate", path, "--json", "--boundary", boundary, "--gradient", f"{boundary}.npz").stdout)
        for boundary in ("periodic", "kubc")
    )
    assert kubc["boundary"] == "kubc" and kubc["remark"] is None
    assert periodic["K"] < kubc["K"] < kubc["bounds"]["voigt"]
    assert periodic["G"] < kubc["G"] < kubc["bounds_G"]["voigt"]
    assert periodic["conductivity"]["mean"] < kubc["conductivity"]["mean"] < kubc["conductivity"]["bounds"]["voigt"]
    with np.load(tmp_path / "periodic.npz") as one, np.load(tmp_path / "kubc.npz") as other:
        assert not np.allclose(one["dK_dE"], other["dK_dE"], rtol=1e-3)
    bulk = json.loads(cli("evaluate", path, "--json", "--boundary", "kubc", "--only", "bulk").stdout)
    assert bulk["K"] == pytest.approx(kubc["K"], rel=1e-9)


def test_uniaxial_reports_K_only_and_says_what_it_is(cli, tmp_path):
    shape = (16, 16, 1)
    path = save_field(tmp_path / "f.npz", np.full(shape, 70.0), np.full(shape, 0.33), k=np.ones(shape))
    result = cli("evaluate", path, "--json", "--boundary", "uniaxial", "--gradient", "g.npz")
    report = json.loads(result.stdout)
    assert set(report) == KEYS | NEW_KEYS
    assert report["K"] == pytest.approx(68.627, abs=5e-4)
    for key in ("G", "E", "nu", "C", "directional_E", "anisotropy", "conductivity"):
        assert report[key] is None, key
    assert report["boundary"] == "uniaxial"
    assert "can leave the bounds" in report["remark"]
    table = cli("evaluate", path, "--boundary", "uniaxial").stdout
    assert "can leave the bounds" in table and "Bulk modulus K" in table and "Shear modulus" not in table
    inside = np.zeros(shape, bool)
    inside[4:12, 4:11] = True  # every node of the slab is on the surface: K beyond what an effective one can be
    path = save_field(tmp_path / "g.npz", np.where(inside, 400.0, 3.0), np.where(inside, 0.2, 0.35))
    uniaxial, periodic = (
        json.loads(cli("evaluate", path, "--json", "--boundary", boundary).stdout)
        for boundary in ("uniaxial", "periodic")
    )
    assert periodic["K"] < periodic["bounds"]["voigt"] < uniaxial["K"]


def test_uniaxial_fields_are_those_of_its_own_load(cli, tmp_path):
    pyvista = pytest.importorskip("pyvista")
    path = save_composite(tmp_path / "f.npz")
    report = json.loads(cli("evaluate", path, "--json", "--boundary", "uniaxial", "--fields", "o.vti").stdout)
    image = pyvista.read(tmp_path / "o.vti")
    stress, strain = (image.cell_data[name].mean(axis=0)[:3].sum() for name in ("stress", "strain"))
    assert stress / strain / 3 == pytest.approx(report["K"], rel=1e-6)


def test_choices_are_those_of_the_library():
    from relaxdesign.cli.solving import BoundaryName, ElementName, LoadName
    from relaxdesign.physics.fem import LOADS, Boundary
    from relaxdesign.physics.fem.elements import ELEMENTS

    assert typing.get_args(LoadName) == tuple(LOADS)
    assert typing.get_args(ElementName) == tuple(ELEMENTS)
    assert typing.get_args(BoundaryName) == tuple(str(boundary) for boundary in Boundary)


def test_evaluate_prints_a_table_for_people(cli, laminate):
    result = cli("evaluate", laminate)
    assert result.exit_code == 0
    for text in (
        "Bulk modulus K",
        "Young's modulus along x, y, z",
        "anisotropy index",
        "Reuss … Voigt (G)",
        "periodic",
        "C, GPa",
    ):
        assert text in result.stdout


def test_evaluate_refuses_what_it_cannot_use(cli, tmp_path, laminate):
    assert_one_clear_error(cli("evaluate", "gone.npz"), "gone.npz", "no such file")
    assert_one_clear_error(cli("evaluate", laminate, "--boundary", "glued"), "glued", "periodic")
    assert_one_clear_error(cli("evaluate", laminate, "--tol", "2"), "tol is 2")
    assert_one_clear_error(cli("evaluate", laminate, "--only", "shear"), "bulk")
    assert_one_clear_error(cli("evaluate", laminate, "--fields", "o.vti", "--load", "up"), "up", "hydrostatic")


PAIR = ("--matrix", "epoxy-unfilled", "--particle", "Alumina 99.5 % (AD")


def test_evaluate_draws_a_cell(cli):
    """The same cell as the page draws with these settings."""
    drawn = json.loads(cli("evaluate", *PAIR, "--fraction", 0.3, "--diameter", 0.3, "--grid", 32, "--json").stdout)
    assert set(drawn) == KEYS | NEW_KEYS | {"phases"}
    assert drawn["phases"]["particle"] == "Alumina 99.5 % (AD-995)"
    assert drawn["phases"]["volume_fraction"] == pytest.approx(0.3, abs=0.02)
    assert [phase["label"] for phase in drawn["phases"]["labels"]] == [0, 1] and drawn["warnings"] == []
    assert drawn["bounds"]["reuss"] < drawn["K"] < drawn["bounds"]["voigt"]
    options = ("--fraction", 0.3, "--diameter", 0.3, "--grid", 16, "--json", "--only", "bulk")
    K = [json.loads(cli("evaluate", *PAIR, *options, *more).stdout)["K"] for more in ((), ("--seed", 1), ("--dim", 3))]
    assert len(set(K)) == 3
    table = cli("evaluate", *PAIR, "--fraction", 0.3, "--grid", 16).stdout
    assert "16 x 16 x 1 voxels" in table and "Alumina 99.5 % (AD-995)" in table and "of the cell" in table


@pytest.mark.parametrize(("dim", "grid"), [(2, 32), (3, 16)])
def test_evaluate_fills_shapes_with_materials(cli, tmp_path, make_design, dim, grid):
    """A surface, and labels with or without properties of their own, are the same cell."""
    from relaxdesign.export import stl_bytes, vti_bytes

    design = make_design(dim, grid, 0.3, 0.3)
    (tmp_path / "cell.stl").write_bytes(stl_bytes(design, 10.0))
    (tmp_path / "cell.vti").write_bytes(vti_bytes(design, 10.0))
    np.savez(tmp_path / "cell.npz", phase=design.labels)
    tail = (*PAIR, "--json", "--only", "bulk")
    surface = json.loads(cli("evaluate", "cell.stl", *tail, "--dim", dim, "--grid", grid, "--edge", 10).stdout)
    labels = [json.loads(cli("evaluate", name, *tail).stdout) for name in ("cell.vti", "cell.npz")]
    assert {report["K"] for report in labels} == {surface["K"]}
    assert surface["phases"]["volume_fraction"] == pytest.approx(design.shares[1])
    own = json.loads(cli("evaluate", "cell.vti", "--json", "--only", "bulk").stdout)
    assert own["K"] != surface["K"] and "phases" not in own


def test_labels_of_any_names_take_a_material_each(cli, tmp_path):
    """Three layers of three materials: the conductivities in series and in parallel, and K within its bounds."""
    from relaxdesign.materials.catalogue import Catalogue

    materials = Catalogue.default().materials
    known = [m for m in materials if m.conductivity is not None][:3]
    labels = np.zeros((2, 2, 4), int)
    labels[..., 1], labels[..., 2:] = 7, -3
    np.savez(tmp_path / "f.npz", material=labels, other=np.linspace(0, 1, 16).reshape(2, 2, 4))
    phases = [f"{label}={m.id}" for label, m in zip((0, 7, -3), known, strict=True)]
    options = ("--labels", "material", "--phases", ",".join(phases[:2]), "--phases", phases[2])
    report = json.loads(cli("evaluate", "f.npz", "--json", *options).stdout)
    k, shares = np.array([m.conductivity for m in known]), np.array([0.25, 0.25, 0.5])
    assert report["conductivity"]["directional"] == pytest.approx([k @ shares] * 2 + [1 / (shares / k).sum()], rel=1e-6)
    assert report["density"] == pytest.approx(shares @ [m.density for m in known])
    bulk = np.array([m.bulk for m in known])
    assert report["bounds"]["voigt"] == pytest.approx(shares @ bulk, rel=1e-3)
    assert report["bounds"]["reuss"] == pytest.approx(1 / (shares / bulk).sum(), rel=1e-3)
    assert report["bounds"]["hs_lower"] <= report["K"] <= report["bounds"]["hs_upper"]
    assert report["phases"]["array"] == "material" and "matrix" not in report["phases"]
    told = {phase["label"]: (phase["id"], phase["volume_fraction"]) for phase in report["phases"]["labels"]}
    assert told == {0: (known[0].id, 0.25), 7: (known[1].id, 0.25), -3: (known[2].id, 0.5)}
    table = cli("evaluate", "f.npz", *options, "--only", "bulk", "--phases", f"9={known[0].id}").stdout
    assert "label -3" in table and "50.00 % of the cell" in table and "the label 9" in table


def test_labels_say_which_is_which_or_are_asked(cli, tmp_path):
    np.savez(tmp_path / "image.npz", arr_0=np.array([[0, 255], [255, 255]], np.uint8))
    assert_one_clear_error(cli("evaluate", "image.npz"), "no array E and nu", "0 (25 %), 255 (75 %)", "--phases")
    which = cli("evaluate", "image.npz", *PAIR)
    assert_one_clear_error(which, "0 (25 %), 255 (75 %)", "--phases '0=epoxy-unfilled,255=Alumina 99.5 % (AD'")
    some = cli("evaluate", "image.npz", "--phases", "0=epoxy-unfilled")
    assert_one_clear_error(some, "label 255 of arr_0", "--phases 0=MATERIAL,255=MATERIAL")
    both = cli("evaluate", "image.npz", *PAIR, "--phases", "0=epoxy-unfilled")
    assert_one_clear_error(both, "--matrix and --particle", "one or the other")
    assert_one_clear_error(cli("evaluate", "image.npz", "--phases", "epoxy"), "LABEL=MATERIAL")
    assert_one_clear_error(cli("evaluate", "image.npz", "--labels", "arr_0"), "--labels", "give --phases")
    np.savez(tmp_path / "two.npz", a=np.eye(2, dtype=int), b=np.eye(2, dtype=int))
    assert_one_clear_error(cli("evaluate", "two.npz", *PAIR), "which one holds the labels", "give --labels ARRAY")


def test_units_are_told_or_asked(cli, tmp_path):
    shape = (2, 2, 1)
    path = save_field(tmp_path / "f.npz", np.full(shape, 70e9), np.full(shape, 0.25), rho=np.full(shape, 2700.0))
    assert_one_clear_error(cli("evaluate", path), "E is probably in Pa", "--units Pa, or --units GPa")
    assert_one_clear_error(cli("evaluate", path, "--units", "Pa"), "rho is probably in kg/m3", "--units kg/m3")
    report = json.loads(cli("evaluate", path, "--units", "Pa,kg/m3", "--json").stdout)
    assert (report["E"], report["density"]) == pytest.approx((70, 2.7))
    assert_one_clear_error(cli("evaluate", path, "--units", "psi"), "unknown unit 'psi'")
    assert_one_clear_error(cli("evaluate", *PAIR, "--fraction", 0.3, "--units", "Pa"), "--units", "file of voxels")


def test_a_grid_too_coarse_is_warned_of(cli, tmp_path):
    """Checkers of one voxel: K above its bound in no iterations, with and without the other load cases."""
    E = np.where(np.indices((4, 4, 1)).sum(axis=0) % 2, 1e2, 1e-4)
    path = save_field(tmp_path / "f.npz", E, np.full(E.shape, 0.3))
    for options in ((), ("--only", "bulk")):
        warnings = json.loads(cli("evaluate", path, "--json", *options).stdout)["warnings"]
        assert "grid cannot carry this cell" in warnings[0] and "contrast 1e+06" in warnings[0]
        assert "K = " in warnings[1] and "Hashin–Shtrikman" in warnings[1]
    assert cli("evaluate", path).stdout.count("Warning:") == 3  # the grid, K and G


def test_a_surface_tells_its_cell_and_what_is_ambiguous(cli, tmp_path):
    bodies = trimesh.util.concatenate([trimesh.creation.box([4, 4, 4]), trimesh.creation.box([2, 2, 2])])
    bodies.export(tmp_path / "part.stl")
    tail = ("part.stl", *PAIR, "--only", "bulk", "--grid", 16)
    result = cli("evaluate", *tail, "--edge", "8,8,4", "--periodic", "--json")
    report = json.loads(result.stdout)
    assert report["cell"] == {"origin": [0, 0, 0], "edges": [8, 8, 4]}
    assert report["phases"]["volume_fraction"] == 0.25
    assert len(report["warnings"]) == 1 and "same orientation" in report["warnings"][0]
    assert "Warning: part.stl: 1 of 2 shells: inside others" in result.stderr
    # A square bar in the middle and one moved to the faces of a periodic cell are the same material.
    trimesh.creation.box([4, 4, 4]).apply_translation([4, 4, 2]).export(tmp_path / "middle.stl")
    middle = json.loads(cli("evaluate", "middle.stl", *tail[1:], "--edge", "8,8,4", "--json").stdout)
    assert middle["K"] == pytest.approx(report["K"], rel=1e-6)
    assert "(-2, -2, -2) to (2, 2, 2)" in cli("evaluate", *tail).stdout
    assert_one_clear_error(cli("evaluate", *tail, "--edge", 8), "out of the cell", "move it by (2, 2, 2)")
    assert_one_clear_error(cli("evaluate", *tail, "--edge", "8;8"), "10,10,5")
    assert_one_clear_error(cli("evaluate", *tail, "--periodic"), "needs its edges")


def test_cells_of_two_materials_say_what_they_lack(cli, tmp_path, laminate):
    (tmp_path / "cell.stl").write_text("solid nothing\nendsolid")
    assert_one_clear_error(cli("evaluate"), "give a file, or draw a cell", "--fraction")
    assert_one_clear_error(cli("evaluate", *PAIR), "--fraction 0.3")
    assert_one_clear_error(cli("evaluate", *PAIR, "--fraction", 0.9), "volume fraction")
    assert_one_clear_error(cli("evaluate", *PAIR, "--fraction", 0.3, "--edge", 2), "--edge", ".stl")
    assert_one_clear_error(cli("evaluate", *PAIR[:2], "--particle", "cheese", "--fraction", 0.3), "'cheese'")
    several = (*PAIR[:2], "--particle", "alumina", "--fraction", 0.3)
    assert_one_clear_error(cli("evaluate", *several), "--particle: 6 materials have 'alumina'", "alumina-ad-995")
    assert_one_clear_error(cli("evaluate", "cell.stl"), "holds shapes only", "--matrix and --particle")
    assert_one_clear_error(cli("evaluate", "cell.stl", *PAIR), "not an STL")
    assert_one_clear_error(cli("evaluate", "gone.stl", *PAIR), "gone.stl: there is no such file")
    assert_one_clear_error(cli("evaluate", laminate, *PAIR), "no array phase")
    assert_one_clear_error(cli("evaluate", laminate, "--matrix", "epoxy"), "give both")
    assert_one_clear_error(cli("evaluate", laminate, "--grid", 8), "--grid", "has its own voxels")
    assert_one_clear_error(cli("evaluate", laminate, "--seed", 1), "--seed", "its own shapes")
    assert_one_clear_error(cli("evaluate", ".", *PAIR), "--matrix and --particle", "not for a folder")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"E": -1.0}, ("E is -1.0", "(1, 0, 1)")),
        ({"E": np.nan}, ("E is nan", "(1, 0, 1)")),
        ({"E": np.inf}, ("E is inf", "(1, 0, 1)")),
        ({"nu": 0.5}, ("nu is 0.5", "(1, 0, 1)", "(-1, 0.5)")),
        ({"nu": -1.0}, ("nu is -1.0", "(1, 0, 1)")),
        ({"nu": np.nan}, ("nu is nan", "(1, 0, 1)")),
        ({"rho": -2.0}, ("rho is -2.0", "(1, 0, 1)")),
        ({"k": 0.0}, ("k is 0.0", "(1, 0, 1)", "W/(m K)")),
        ({"k": np.nan}, ("k is nan", "(1, 0, 1)")),
    ],
)
def test_a_bad_voxel_is_named_before_any_work(cli, tmp_path, monkeypatch, change, words):
    monkeypatch.setattr("relaxdesign.physics.fem.bulk_modulus", None)  # would be a TypeError
    monkeypatch.setattr("relaxdesign.physics.fem.load_cases.solve", None)
    shape = (2, 2, 2)
    arrays = {"E": np.ones(shape), "nu": np.full(shape, 0.3), "rho": np.ones(shape), "k": np.ones(shape)}
    (name, value), *_ = change.items()
    arrays[name][1, 0, 1] = value
    np.savez(tmp_path / "f.npz", **arrays)
    assert_one_clear_error(cli("evaluate", "f.npz"), *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nu": np.full((1, 2, 2), 0.3)}, ("nu has shape (1, 2, 2)", "E has (2, 2, 2)", "make them the same")),
        ({"k": np.ones((2, 2))}, ("k has shape (2, 2)", "make them the same")),
        ({"E": np.ones((2, 2, 2, 2))}, ("E has shape (2, 2, 2, 2)", "(nx, ny, nz)")),
        ({"E": np.ones((2, 2, 2), complex)}, ("E has type complex128", "real numbers")),
        ({"nu": np.full((2, 2, 2), "a")}, ("nu has type <U1", "real numbers")),
        ({"rho": np.array([None] * 8).reshape(2, 2, 2)}, ("pickled",)),
    ],
)
def test_a_bad_array_is_named(cli, tmp_path, change, words):
    shape = (2, 2, 2)
    np.savez(tmp_path / "f.npz", **({"E": np.ones(shape), "nu": np.full(shape, 0.3)} | change))
    assert_one_clear_error(cli("evaluate", "f.npz"), "f.npz", *words)


def test_arrays_of_different_types_are_taken_as_double(cli, tmp_path):
    shape = (2, 2, 2)
    np.savez(tmp_path / "f.npz", E=np.full(shape, 70, np.int32), nu=np.full(shape, 0.25, np.float32))
    assert json.loads(cli("evaluate", "f.npz", "--json").stdout)["E"] == pytest.approx(70, rel=1e-12)


def test_a_field_that_is_too_large_is_refused_before_any_work(cli, laminate, monkeypatch):
    monkeypatch.setattr("relaxdesign.physics.fem.checks.available_memory", lambda device: 1000)
    monkeypatch.setattr("relaxdesign.physics.fem.load_cases.solve", None)
    assert_one_clear_error(cli("evaluate", laminate), "GiB", "coarser grid")


def test_outputs_that_cannot_be_written_are_refused_before_any_work(cli, tmp_path, laminate, monkeypatch):
    monkeypatch.setattr("relaxdesign.io.fields.load_field", None)
    (tmp_path / "folder.vti").mkdir()
    for options, words in (
        (("--gradient", "g.txt"), ("must end in .npz",)),
        (("--gradient", "gone/g.npz"), ("gone/g.npz", "No such file")),
        (("--fields", "out.vtk"), ("--fields", "must end in .vti")),
        (("--fields", "gone/out.vti"), ("gone/out.vti", "No such file")),
        (("--fields", "folder.vti"), ("folder.vti", "is a directory")),
        (("--load", "xx"), ("--load xx", "give --fields")),
        (("--boundary", "uniaxial", "--fields", "o.vti", "--load", "xx"), ("load xx", "has a load of its own, zz")),
    ):
        assert_one_clear_error(cli("evaluate", laminate, *options), *words)


def test_a_solve_that_fails_is_exit_code_1(cli, laminate, monkeypatch):
    from relaxdesign.physics.fem import effective_stiffness

    def capped(*arguments, **options):
        return effective_stiffness(*arguments, **options, max_iterations=1)

    monkeypatch.setattr("relaxdesign.physics.effective_properties.effective_stiffness", capped)
    assert_one_clear_error(cli("evaluate", laminate), "samples have no solution", "max_iterations", code=1)


def test_a_folder_becomes_a_table(cli, tmp_path):
    import pandas as pd

    (tmp_path / "fields").mkdir()
    for name, young in (("a", 3.0), ("b", 70.0)):
        np.savez(tmp_path / "fields" / f"{name}.npz", E=np.full((4, 4), young), nu=np.full((4, 4), 0.25))
    result = cli("evaluate", "fields", "--out", "table.csv", "--workers", 1)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "table.csv")
    assert sorted(table["K"]) == pytest.approx([2.0, 140 / 3], rel=1e-9)
    assert_one_clear_error(cli("evaluate", "fields"), "--out TABLE.parquet")
    assert_one_clear_error(cli("evaluate", "fields", "--out", "t.csv", "--only", "bulk"), "not for a folder")
    both = cli("evaluate", "fields", "--out", "t.csv", "--units", "Pa", "--phases", "0=epoxy-unfilled")
    assert_one_clear_error(both, "--units", "labels take the properties")


def test_refined_values_come_nearer_to_the_limit_and_a_laminate_has_reached_it(cli, laminate, tmp_path):
    layers = json.loads(cli("evaluate", laminate, "--refine", "--json").stdout)
    assert layers["refined"]["shape"] == [4, 4, 8]
    for name in ("K", "G", "E"):
        assert layers["refined"][name]["given"] == layers[name]
        assert layers["refined"][name]["limit"] == pytest.approx(layers[name], rel=1e-6)
    E = np.ones((8, 8, 8))
    E[2:6, 2:6, 2:6] = 50
    cube = save_field(tmp_path / "cube.npz", E, np.full(E.shape, 0.3))
    finer = save_field(tmp_path / "finer.npz", np.kron(E, np.ones((4, 4, 4))), np.full((32, 32, 32), 0.3))
    refined = json.loads(cli("evaluate", cube, "--refine", "--json").stdout)["refined"]
    truth = json.loads(cli("evaluate", finer, "--json").stdout)
    for name in ("K", "G"):
        far, near = (abs(refined[name][which] - truth[name]) for which in ("given", "limit"))
        assert near < 0.6 * far


def test_the_fully_integrated_element_is_chosen(cli, tmp_path):
    E = np.ones((4, 4, 4))
    E[1:3, 1:3, 1:3] = 20
    path = save_field(tmp_path / "cube.npz", E, np.full(E.shape, 0.45))
    ours, full = (
        json.loads(cli("evaluate", path, "--element", e, "--json").stdout) for e in ("mean-dilatation", "full")
    )
    assert full["C"][3][3] > 1.001 * ours["C"][3][3]


@pytest.mark.parametrize("option", [("--refine",), ("--element", "full")])
@pytest.mark.parametrize("alone", [("--only", "bulk"), ("--boundary", "uniaxial")])
def test_what_is_for_the_whole_stiffness_is_refused_without_it(cli, laminate, option, alone):
    result = cli("evaluate", laminate, *option, *alone)
    assert_one_clear_error(result, " ".join(option), "whole stiffness", "leave", " ".join(alone))
