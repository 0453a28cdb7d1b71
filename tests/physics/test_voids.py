"""Voids are a phase like others: no stiffness, no mass, no conductivity, and cells of them are solved."""

import json
from dataclasses import replace

import numpy as np
import pytest

import relaxdesign as rd
from relaxdesign.physics.effective_properties import fields_under
from relaxdesign.physics.fem import LOADS

SOLID = replace(rd.Catalogue.default().find("ti-6al-4v"), conductivity=7.0)


def lattice(grid: int = 16, width: int = 5) -> np.ndarray:
    """Labels of three square bars along the axes, crossing: 1 is solid."""
    bar = np.arange(grid) < width
    x, y, z = np.meshgrid(bar, bar, bar, indexing="ij")
    return ((x & y) | (y & z) | (x & z)).astype(np.uint8)


def layers() -> np.ndarray:
    """Solid layers of a quarter of the cell, across x."""
    labels = np.zeros((8, 4, 4), np.uint8)
    labels[:2] = 1
    return labels


def test_a_lattice_has_the_limit_of_ever_softer_fillings():
    labels = lattice()
    found = rd.evaluate(rd.Cell(labels, (rd.VOID, SOLID)))
    soft = [
        rd.evaluate(rd.VoxelFields(E=np.where(labels, SOLID.young, part * SOLID.young), nu=np.full(labels.shape, 0.3)))
        for part in (2e-5, 1e-5)
    ]
    same_ratio = rd.evaluate(rd.VoxelFields(E=np.where(labels, SOLID.young, 0.0), nu=np.full(labels.shape, 0.3)))
    assert same_ratio.bulk == pytest.approx(2 * soft[1].bulk - soft[0].bulk, rel=1e-6)
    assert found.bulk == pytest.approx(same_ratio.bulk, rel=0.2) and not found.warnings
    share = float(labels.mean())
    assert found.density == pytest.approx(share * SOLID.density)
    assert found.bulk_bounds.reuss == found.bulk_bounds.hs_lower == found.shear_bounds.hs_lower == 0.0
    assert 0 < found.bulk < found.bulk_bounds.hs_upper
    assert found.conduction is not None and 0 < found.conduction.mean < found.conduction.bounds.hs_upper


def test_hashin_shtrikman_bounds_of_a_porous_solid():
    """E = 1, ν = 0.3, solid fraction 0.3: K ≤ 0.11696, G ≤ 0.07051."""
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[:3] = 1
    found = rd.evaluate(rd.VoxelFields(E=labels.astype(float), nu=np.full(labels.shape, 0.3)))
    assert found.bulk_bounds.hs_upper == pytest.approx(0.11696, rel=1e-4)
    assert found.shear_bounds.hs_upper == pytest.approx(0.07051, rel=1e-4)


def test_layers_carry_along_and_not_across():
    found = rd.evaluate(rd.Cell(layers(), (rd.VOID, SOLID)))
    across, along, _ = found.directional_young
    assert along == pytest.approx(0.25 * SOLID.young, rel=1e-6)
    assert across < 1e-6 * along
    assert found.conduction is not None
    kx, ky, _ = found.conduction.directional
    assert ky == pytest.approx(0.25 * SOLID.conductivity) and kx < 1e-6 * ky


def test_pieces_that_hang_on_nothing_are_told():
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[2:5, 2:5, 2:5] = 1
    found = rd.evaluate(rd.Cell(labels, (rd.VOID, SOLID)))
    assert found.bulk < 1e-6 * SOLID.bulk
    assert any("K is practically 0" in warning and "does not hang together" in warning for warning in found.warnings)


def test_local_fields_of_a_cell_with_voids():
    """The stress is in the solid, and its mean is that of the stiffness."""
    data = rd.Cell(lattice(), (rd.VOID, SOLID)).fields
    fields = fields_under(data, "xx")
    mean = fields.stress[0].flatten(1).mean(1).numpy()
    C = rd.evaluate(data).C
    assert mean == pytest.approx(C[:, 0], rel=1e-5, abs=1e-6 * C[0, 0])
    assert "xx" in LOADS


def test_a_cell_of_nothing_is_refused():
    with pytest.raises(ValueError, match="all void"):
        rd.evaluate(rd.Cell(np.zeros((4, 4, 4), np.uint8), (rd.VOID, SOLID)))


def test_zeros_in_a_file_are_voids(tmp_path):
    labels = lattice()
    nu = np.where(labels, 0.3, np.nan)
    arrays = {"E": labels * 110.0, "nu": nu, "rho": labels * 4.4, "k": labels * 7.0}
    np.savez(tmp_path / "lattice.npz", **arrays)
    found = rd.evaluate(tmp_path / "lattice.npz")
    made = rd.evaluate(rd.VoxelFields(E=arrays["E"], nu=np.full(labels.shape, 0.3)))
    assert found.bulk == pytest.approx(made.bulk, rel=1e-6)
    assert found.conduction is not None


@pytest.mark.parametrize("name", ["void", "Pores"])
def test_the_command_takes_void_for_a_phase(cli, tmp_path, name):
    labels = lattice()
    np.savez(tmp_path / "image.npz", phase=labels * 255)
    options = ("image.npz", "--phases", f"0={name},255=ti-6al-4v", "--json")
    report = json.loads(cli("evaluate", *options).stdout)
    assert report["K"] == pytest.approx(rd.evaluate(rd.Cell(labels, (rd.VOID, SOLID))).bulk, rel=1e-6)
    assert report["bounds"]["reuss"] == 0.0 and report["phases"]["labels"][0]["id"] == "void"
    only = json.loads(cli("evaluate", *options, "--only", "bulk").stdout)
    assert only["K"] == pytest.approx(report["K"], rel=1e-6) and only["bounds"]["reuss"] == 0.0


def test_pores_are_drawn(cli):
    drawn = cli("evaluate", "--matrix", "ti-6al-4v", "--particle", "void", "--fraction", 0.3, "--json")
    report = json.loads(drawn.stdout)
    assert report["density"] == pytest.approx((1 - report["phases"]["volume_fraction"]) * SOLID.density, rel=1e-6)
    assert 0 < report["K"] < report["bounds"]["hs_upper"]


def test_a_material_named_void_of_an_own_table_is_that(cli, tmp_path):
    """What a table says goes before what a word usually means."""
    (tmp_path / "own.csv").write_text(
        "id,name,E_GPa,nu,rho_g_cm3\nvoid,Void filler,0.5,0.3,0.1\nsteel,Steel,200,0.3,7.8\n"
    )
    np.savez(tmp_path / "image.npz", phase=lattice())
    options = ("--materials", "own.csv", "--phases", "0=void,1=steel", "--json")
    report = json.loads(cli("evaluate", "image.npz", *options).stdout)
    assert report["bounds"]["reuss"] > 0.0
