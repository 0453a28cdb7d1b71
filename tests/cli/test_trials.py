"""Trials from public reports and other programs' files: each gives the right value, or names cause and remedy."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import tifffile

from tests.command_line import assert_one_clear_error

EPOXY, ALUMINA = "epoxy-unfilled", "alumina-ad-995"
PHASES = ("--phases", f"0={EPOXY},1={ALUMINA}")
HEAD = "id,name,E_GPa,nu,rho_g_cm3"


def layers() -> np.ndarray:
    """Labels (x, y, z): a quarter of the layers across x is stiff."""
    labels = np.zeros((8, 6, 4), np.uint8)
    labels[:2] = 1
    return labels


def value(cli, *arguments) -> float:
    result = cli("evaluate", *arguments, "--only", "bulk", "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["K"]


def test_the_same_labels_come_from_every_format(cli, tmp_path):
    """Trials 1, 2, 14: HDF5 with a path, .raw with its size, .npy, .npz, .mat, .tif, .txt, .vtk of points."""
    from scipy.io import savemat

    pv = pytest.importorskip("pyvista")

    labels = layers()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["dset_0/image"] = labels
    labels.transpose(2, 1, 0).tofile(tmp_path / "a.raw")
    np.save(tmp_path / "a.npy", labels)
    np.savez(tmp_path / "a.npz", labels)
    savemat(tmp_path / "a.mat", {"labels": labels})
    tifffile.imwrite(tmp_path / "a.tif", labels.transpose(2, 1, 0), photometric="minisblack")
    pages = ["\n".join("\t".join(map(str, row)) for row in page) for page in labels.transpose(2, 1, 0)]
    (tmp_path / "a.txt").write_text("# z by z\n" + "\n\n".join(pages))
    points = pv.ImageData(dimensions=labels.shape)
    points.point_data["phase"] = labels.ravel(order="F")
    points.save(tmp_path / "a.vtk")
    found = [
        value(cli, tmp_path / name, *PHASES, *options)
        for name, options in (
            ("a.h5", ("--labels", "dset_0/image")),
            ("a.raw", ("--raw-size", "8,6,4")),
            ("a.npy", ()),
            ("a.npz", ()),
            ("a.mat", ()),
            ("a.tif", ()),
            ("a.txt", ()),
            ("a.vtk", ()),
        )
    ]
    assert found == pytest.approx([found[0]] * len(found), rel=1e-7)
    (tmp_path / "b.txt").write_text("1 2\n3\n")
    assert_one_clear_error(cli("evaluate", tmp_path / "b.txt", *PHASES), "no text of numbers (the number of columns")


def test_labels_of_other_names_are_listed_and_point_data_are_told(cli, tmp_path):
    """Trials 9 and 10."""
    pv = pytest.importorskip("pyvista")
    grid = pv.ImageData(dimensions=(9, 7, 5))
    grid.cell_data["material"] = layers().ravel(order="F").astype(np.int32) + 1
    grid.save(tmp_path / "cells.vti")
    assert_one_clear_error(
        cli("evaluate", tmp_path / "cells.vti"), "found: material with labels 1 (75 %), 2 (25 %)", "--phases"
    )
    assert value(cli, tmp_path / "cells.vti", "--phases", f"1={EPOXY},2={ALUMINA}") > 0
    points = pv.ImageData(dimensions=(8, 6, 4))
    points.point_data["phase"] = layers().ravel(order="F")
    points.save(tmp_path / "points.vti")
    assert_one_clear_error(cli("evaluate", tmp_path / "points.vti", *PHASES), "phase is given at points")


def conduct(cli, tmp_path, labels, ratio: float) -> dict:
    """What is told of a cell with the conductivities 1 and ``ratio``."""
    np.save(tmp_path / "cell.npy", labels.astype(np.uint8))
    rows = [f"{HEAD},k_W_mK", "a,A,1,.3,1,1", f"b,B,2,.3,1,{ratio}"]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    options = ("--materials", tmp_path / "m.csv", "--phases", "0=a,1=b", "--json")
    return json.loads(cli("evaluate", tmp_path / "cell.npy", *options).stdout)


@pytest.mark.parametrize(
    ("edges", "centres", "share", "ratio", "across"),
    [
        ((64, 64), [(0.5, 0.5)], 0.75, 50.0, 9.546),
        ((64, 64), [(0.5, 0.5)], 0.6, 10.0, 3.037),
        ((56, 97), [(0.5, 0.5), (0.0, 0.0)], 0.75, 50.0, 6.406),
    ],
)
def test_discs_conduct_as_is_known(cli, tmp_path, edges, centres, share, ratio, across):
    """Trial 5: square and hexagonal arrays (Perrins et al. 1979, doi:10.1098/rspa.1979.0160)."""
    sides = np.array(edges) / edges[0]
    places = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / n for n in edges), indexing="ij"), -1)
    radius = np.sqrt(share * sides.prod() / (len(centres) * np.pi))
    labels = np.zeros(edges, bool)
    for centre in centres:
        apart = places - centre
        labels |= np.linalg.norm((apart - np.round(apart)) * sides, axis=-1) < radius
    told = conduct(cli, tmp_path, labels, ratio)
    along = 1 - share + share * ratio
    found = told["interval"]["conductivity"]  # the mean over three directions, of which fibres have one
    assert found["low"] < 1.003 * (2 * across + along) / 3 and (2 * across + along) / 3 < found["high"]
    assert told["conductivity"]["directional"][0] == pytest.approx(across, rel=0.06)


@pytest.mark.parametrize("ratio", [10.0, 100.0, 1e6])
def test_checkerboards_are_warned_of_and_their_intervals_hold_the_truth(cli, tmp_path, ratio):
    """Trial 6: across, √(k₁ k₂) (Dykhne 1970); along, the mean."""
    exact = (2 * np.sqrt(ratio) + (1 + ratio) / 2) / 3
    for size, words in ((16, "phases meet crosswise in 4 place(s) in k"), (1, "the grid cannot carry this cell")):
        board = np.kron([[0, 1], [1, 0]], np.ones((size, size)))
        told = conduct(cli, tmp_path, np.tile(board, (1, 1) if size > 1 else (4, 4)), ratio)
        assert any(words in warning for warning in told["warnings"])
        if size > 1:
            found = told["interval"]["conductivity"]
            assert found["low"] < exact < found["high"]
        else:
            assert any("Hashin–Shtrikman bound" in warning for warning in told["warnings"])


def test_pascals_are_asked_about(cli, tmp_path):
    """Trial 23."""
    young = np.where(layers() == 1, 70e9, 3e9)
    np.savez(tmp_path / "Pa.npz", E=young, nu=np.full(young.shape, 0.3))
    assert_one_clear_error(cli("evaluate", tmp_path / "Pa.npz"), "E is probably in Pa", "give --units Pa")
    assert 3.0 < value(cli, tmp_path / "Pa.npz", "--units", "Pa") < 70.0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("german", "id;name;E_GPa;nu;rho_g_cm3\na;A;210,0;0,3;7,85\nb;B;3,5;0,35;1,2", ""),
        ("tab", f"{HEAD}\na,A,210,.3,7.85\nb,B,3.5,.35,1.2".replace(",", "\t"), ""),
        ("blank", f"{HEAD}\na,A,210,.3,7.85\n\n\nb,B,3.5,.35,1.2\n,,,,\n", ""),
        ("spaces", f"{HEAD}\na,A,210,.3,7.85\nb,B,3.5,.35,1.2".replace("id,name", "id, name"), ""),
        ("auxetic", f"{HEAD}\na,A,210,.3,7.85\nb,B,0.001,-.6,.1", ""),
        ("misspelt", f"{HEAD},k_W_m_K\na,A,210,.3,7.85,50\nb,B,3.5,.35,1.2,.2", "did you mean k_W_mK?"),
    ],
)
def test_tables_of_all_habits_are_read(cli, tmp_path, name, text, words):
    """Trials 20 to 22."""
    (tmp_path / f"{name}.csv").write_text(text)
    result = cli("materials", "--materials", tmp_path / f"{name}.csv")
    assert result.exit_code == 0 and "2 of 2 materials" in result.stdout and words in result.stderr + result.stdout


def test_what_is_ambiguous_or_contradicts_itself_is_refused(cli, tmp_path):
    """Trials 21, 24, 25."""
    (tmp_path / "twice.csv").write_text("id,name,E_GPa,E_GPa,nu,rho_g_cm3\na,A,210,200,.3,7.85\n")
    assert_one_clear_error(cli("materials", "--materials", tmp_path / "twice.csv"), "column 'E_GPa' is there twice")
    (tmp_path / "bad.csv").write_text(f"{HEAD}\na,A,nan,.3,7.85\n")
    assert_one_clear_error(cli("materials", "--materials", tmp_path / "bad.csv"), "E_GPa is 'nan', which is not finite")
    (tmp_path / "bad.csv").write_text(f"{HEAD}\na,A,0,.3,7.85\nb,B,3,.6,1\n")
    assert_one_clear_error(
        cli("materials", "--materials", tmp_path / "bad.csv"), "modulus must be above 0", "must lie between -1 and 0.5"
    )
    (tmp_path / "bad.csv").write_text(f"{HEAD},K_GPa\na,A,3,.3,1,99\nb,B,3,.3,1,2.5\n")
    assert_one_clear_error(
        cli("materials", "--materials", tmp_path / "bad.csv"), "line 2 (a): K_GPa contradicts E_GPa and nu"
    )
    assert_one_clear_error(
        cli("evaluate", "--matrix", "silicon", "--particle", "PE", "--fraction", "0.3"),
        "materials have 'silicon' in their names; give the id of one",
    )


def test_surfaces_that_overlap_are_united_and_those_across_a_face_are_wrapped(cli, tmp_path):
    """Trials 16 and 17."""
    trimesh = pytest.importorskip("trimesh")
    materials = ("--matrix", EPOXY, "--particle", ALUMINA, "--grid", "24", "--only", "bulk", "--json")
    balls = [trimesh.creation.icosphere(3, 0.3).apply_translation((x, 0.5, 0.5)) for x in (0.4, 0.6)]
    trimesh.util.concatenate(balls).export(tmp_path / "two.stl")
    told = json.loads(cli("evaluate", tmp_path / "two.stl", "--edge", "1", *materials).stdout)
    union = 2 * 4 / 3 * np.pi * 0.3**3 - np.pi * (4 * 0.3 + 0.2) * (2 * 0.3 - 0.2) ** 2 / 12
    assert told["phases"]["volume_fraction"] == pytest.approx(union, rel=0.03)
    trimesh.creation.icosphere(3, 0.3).apply_translation((0.0, 0.5, 0.5)).export(tmp_path / "over.stl")
    refused = cli("evaluate", tmp_path / "over.stl", "--edge", "1", *materials)
    assert_one_clear_error(refused, "out of the cell from (0, 0, 0) to (1, 1, 1)")
    told = json.loads(cli("evaluate", tmp_path / "over.stl", "--edge", "1", "--periodic", *materials).stdout)
    assert told["phases"]["volume_fraction"] == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.03)


def ball(radius: float, x: float = 0.5, *, inwards: bool = False):
    """A closed surface, whose normals may point the wrong way."""
    trimesh = pytest.importorskip("trimesh")
    made = trimesh.creation.icosphere(3, radius).apply_translation((x, 0.5, 0.5))
    if inwards:
        made.invert()
    return made


def volume(*radii: float) -> float:
    return sum(4 / 3 * np.pi * radius**3 for radius in radii)


@pytest.mark.parametrize(
    ("shells", "inside"),
    [
        ([(0.2, 0.5, True)], volume(0.2)),
        ([(0.2, 0.27, False), (0.2, 0.73, True)], volume(0.2, 0.2)),
        ([(0.4, 0.5, False), (0.2, 0.5, True)], volume(0.4) - volume(0.2)),
        ([(0.4, 0.5, False), (0.2, 0.5, False)], volume(0.4)),
        ([(0.4, 0.5, False), (0.25, 0.5, True), (0.15, 0.5, False)], volume(0.4, 0.15) - volume(0.25)),
    ],
)
def test_shells_are_bodies_and_cavities(cli, tmp_path, shells, inside):
    """Trials 15 and 16: normals inwards, several bodies, cavities, bodies in others."""
    trimesh = pytest.importorskip("trimesh")
    parts = [ball(radius, x, inwards=inwards) for radius, x, inwards in shells]
    trimesh.util.concatenate(parts).export(tmp_path / "a.stl")
    options = ("--matrix", EPOXY, "--particle", ALUMINA, "--edge", "1", "--grid", "24", "--only", "bulk", "--json")
    told = json.loads(cli("evaluate", tmp_path / "a.stl", *options).stdout)
    assert told["phases"]["volume_fraction"] == pytest.approx(inside, rel=0.04)


def test_an_exported_surface_encloses_the_fraction_of_its_design(cli, tmp_path):
    """Trial 18."""
    trimesh = pytest.importorskip("trimesh")
    options = ("--count", 1, "--steps", 4, "--no-library", "--json", "--out", "d", "--cell-size", 10, "--thickness", 2)
    told = json.loads(cli("design", "-o", "K = 12", *options).stdout)
    design, path = told["designs"][0], tmp_path / "d" / "design-01" / "design.stl"
    mesh, share = trimesh.load(path), design["phases"][1]["volume_fraction"]
    assert mesh.is_watertight and mesh.volume / (10 * 10 * 2) == pytest.approx(share, rel=1e-3)
    names = [phase["material"]["id"] for phase in design["phases"]]
    back = (
        "--edge",
        10,
        "--dim",
        2,
        "--matrix",
        names[0],
        "--particle",
        names[1],
        "--grid",
        64,
        "--only",
        "bulk",
        "--json",
    )
    read = json.loads(cli("evaluate", path, *back).stdout)
    assert read["phases"]["volume_fraction"] == pytest.approx(share, rel=0.02)
    assert read["K"] == pytest.approx(design["properties"]["K"], rel=0.03)


def test_expansion_is_a_target(cli):
    """Trial 26."""
    told = json.loads(cli("design", "-o", "cte = 8", "--count", 1, "--steps", 4, "--no-library", "--json").stdout)
    assert told["designs"][0]["properties"]["cte"] == pytest.approx(8.0, rel=0.01)


def test_odd_names_and_folders_stay_what_they_are(cli, tmp_path):
    """Trial 27: quotes, letters of other alphabets, markup and dots."""
    folder = tmp_path / 'a "b" <i>' / "Прослойка µ"
    folder.mkdir(parents=True)
    names = ('<b>A "q"</b> ../..', "Ünï 'z' & 材料")
    rows = [f'{each},"{name.replace(chr(34), chr(34) * 2)}",{young},.3,1' for each, name, young in
            (("x", names[0], 3), ("y", names[1], 200))]  # fmt: skip
    (folder / "é.csv").write_text("\n".join([HEAD, *rows]), encoding="utf-8")
    np.save(folder / "..%2f$(x);&.npy", layers())
    options = ("--materials", folder / "é.csv", "--phases", "0=x,1=y")
    assert value(cli, folder / "..%2f$(x);&.npy", *options) > 0
    told = cli("evaluate", folder / "..%2f$(x);&.npy", *options, "--json").stderr
    assert "..%2f$(x);&.npy: the image is not periodic" in told
    more = ("--makeable", "any", "--count", 1, "--steps", 4, "--no-library", "--json", "--out", folder / "<out>")
    told = json.loads(cli("design", "-o", "K = 6", "--materials", folder / "é.csv", *more).stdout)
    assert [phase["material"]["name"] for phase in told["designs"][0]["phases"]] == list(names)
    assert (folder / "<out>" / "design-01" / "design.stl").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a "b" <i>'], "nothing elsewhere"
