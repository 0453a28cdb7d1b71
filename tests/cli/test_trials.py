"""Trials from public reports and other programs' files: each gives the right value, or names cause and remedy."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

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
    """Trials 1, 2, 14: HDF5 with a path, .raw with its size, .npy, .mat, .npz."""
    from scipy.io import savemat

    labels = layers()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["dset_0/image"] = labels
    labels.transpose(2, 1, 0).tofile(tmp_path / "a.raw")
    np.save(tmp_path / "a.npy", labels)
    np.savez(tmp_path / "a.npz", labels)
    savemat(tmp_path / "a.mat", {"labels": labels})
    found = [
        value(cli, tmp_path / name, *PHASES, *options)
        for name, options in (
            ("a.h5", ("--labels", "dset_0/image")),
            ("a.raw", ("--raw-size", "8,6,4")),
            ("a.npy", ()),
            ("a.npz", ()),
            ("a.mat", ()),
        )
    ]
    assert found == pytest.approx([found[0]] * 5, rel=1e-7)


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
    assert_one_clear_error(cli("materials", "--materials", tmp_path / "bad.csv"), "problem(s)", "E_GPa")
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
