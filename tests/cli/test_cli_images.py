"""Images on the command line: from a file of grey values to properties, with a report that repeats what was done."""

from __future__ import annotations

import json

import h5py
import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from relaxdesign.materials.catalogue import Catalogue
from tests.command_line import assert_one_clear_error

EPOXY, ALUMINA = "epoxy-unfilled", "alumina-ad-995"
PHASES = ("--phases", f"0={EPOXY},1={ALUMINA}")


def grey_layers(noise: float = 20.0) -> np.ndarray:
    """Pages, rows, columns of an 8-bit scan: a quarter of the columns (x) is bright."""
    grey = np.full((6, 8, 12), 70.0)
    grey[:, :, :3] = 190.0
    return np.clip(grey + np.random.default_rng(0).normal(0, noise, grey.shape), 0, 255).astype(np.uint8)


def layers_across(share: float) -> float:
    """C_xx of layers across x: the P-wave moduli of both phases in series, GPa."""
    soft, stiff = (Catalogue.default().phase(name) for name in (EPOXY, ALUMINA))
    return 1 / ((1 - share) / (soft.bulk + 4 / 3 * soft.shear) + share / (stiff.bulk + 4 / 3 * stiff.shear))


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "CT.tif"
    tifffile.imwrite(path, grey_layers(), compression="zlib", photometric="minisblack")
    return path


def test_a_scan_becomes_properties(cli, scan):
    steps = ("--step", "median 3", "--step", "otsu", "--step", "remove 4")
    told = json.loads(cli("evaluate", scan, *PHASES, *steps, "--json").stdout)
    assert told["C"][0][0] == pytest.approx(layers_across(0.25), rel=1e-6)
    assert told["conductivity"]["directional"][0] < told["conductivity"]["directional"][1]
    image = told["image"]
    assert [step["step"] for step in image["steps"]] == ["median 3", "otsu", "remove 4"]
    assert 90 < image["steps"][1]["thresholds"][0] < 170 and image["shape"] == [12, 8, 6]
    assert [phase["volume_fraction"] for phase in told["phases"]["labels"]] == [0.75, 0.25]
    assert any("not periodic (along x" in warning for warning in told["warnings"])


def test_the_table_repeats_the_steps_and_mirrors(cli, scan):
    result = cli(
        "evaluate", scan, "--matrix", EPOXY, "--particle", ALUMINA, "--step", "median", "--step", "otsu", "--mirror"
    )
    assert result.exit_code == 0
    for words in ("24 x 16 x 12 voxels", "TIFF of 6 page(s)", "otsu: thresholds", "mirror: shape 24, 16, 12"):
        assert words in result.stdout
    assert "not periodic" not in result.stdout


def test_downsampled_voxels_are_composite_ones(cli, tmp_path):
    labels = np.zeros((12, 12), np.uint8)
    labels[:, :3] = 255
    imageio.imwrite(tmp_path / "layers.png", labels)
    phases = ("--phases", f"0={EPOXY},255={ALUMINA}")
    whole = json.loads(cli("evaluate", tmp_path / "layers.png", *phases, "--json").stdout)
    half = json.loads(cli("evaluate", tmp_path / "layers.png", *phases, "--step", "downsample 2", "--json").stdout)
    assert whole["C"][0][0] == pytest.approx(layers_across(0.25), rel=1e-6)
    assert half["image"]["composite_voxels"] and half["image"]["shape"] == [6, 6, 1]
    assert half["density"] == pytest.approx(whole["density"], rel=1e-6)
    assert half["phases"]["labels"][1]["volume_fraction"] == pytest.approx(0.25)
    assert half["bounds"]["reuss"] <= half["K"] <= half["bounds"]["voigt"]


def test_other_files_come_in_the_same_way(cli, tmp_path):
    stack = (grey_layers() > 130).astype(np.uint8)
    stack.tofile(tmp_path / "a.raw")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["scan/labels"], file["scan/grey"] = stack.transpose(2, 1, 0), grey_layers().transpose(2, 1, 0)
    (tmp_path / "slices").mkdir()
    for z, page in enumerate(stack):
        imageio.imwrite(tmp_path / "slices" / f"{z}.png", page)
    for file, options in (
        ("a.raw", ("--raw-size", "12,8,6")),
        ("a.h5", ("--labels", "scan/labels")),
        ("slices", ()),
    ):
        told = json.loads(cli("evaluate", tmp_path / file, *PHASES, *options, "--only", "bulk", "--json").stdout)
        assert told["image"]["shape"] == [12, 8, 6]
        assert told["image"]["volume_fractions"]["1"] == pytest.approx(stack.mean())


def test_what_is_missing_is_asked_for(cli, scan, tmp_path):
    assert_one_clear_error(cli("evaluate", scan, *PHASES), "add a step such as 'otsu', which divides it at")
    assert_one_clear_error(
        cli("evaluate", scan, "--step", "otsu"), "which need materials: give --phases", "0=MATERIAL,1=MATERIAL"
    )
    assert_one_clear_error(
        cli("evaluate", scan, "--phases", f"0={EPOXY}", "--step", "otsu"), "no material for label 1 of the image"
    )
    np.arange(96, dtype=np.uint8).tofile(tmp_path / "a.raw")
    assert_one_clear_error(cli("evaluate", tmp_path / "a.raw", *PHASES), "give it as nx,ny,nz")
    assert_one_clear_error(cli("evaluate", scan, *PHASES, "--raw-size", "a,b"), "--raw-size: 'a,b' is no list")
    assert_one_clear_error(cli("evaluate", scan, *PHASES, "--step", "blur"), "unknown step 'blur'; known are crop")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one"], file["two"] = np.zeros((4, 4, 4)), np.zeros((4, 4, 4))
    assert_one_clear_error(cli("evaluate", tmp_path / "a.h5", *PHASES), "There are one, two; give --labels ARRAY")
    drawn = cli("evaluate", "--matrix", EPOXY, "--particle", ALUMINA, "--fraction", "0.3", "--mirror")
    assert_one_clear_error(drawn, "--mirror: for an image, not for a drawn cell")


# ---- representative --------------------------------------------------------------------------------


def speckle(tiles: int) -> np.ndarray:
    """A 2D image of tiles of 3 x 3 pixels, of either phase at random."""
    return np.kron(np.random.default_rng(3).integers(0, 2, (tiles, tiles)), np.ones((3, 3))).astype(np.uint8)


def test_an_image_tells_whether_it_is_big_enough(cli, tmp_path):
    imageio.imwrite(tmp_path / "speckle.png", speckle(11))
    phases = ("--phases", "0=epoxy-unfilled,1=polycarbonate")
    command = ("representative", tmp_path / "speckle.png", *phases, "--blocks", "6")
    told = json.loads(cli(*command, "--json").stdout)
    assert [size["edge"] for size in told["sizes"]] == [8, 11, 16] and told["sizes"][0]["count"] == 6
    assert 1.0 < told["correlation_length"] < 3.0 and told["image"]["shape"] == [33, 33, 1]
    for name in ("K", "G", "E", "conductivity"):
        found = told["estimates"][name]
        assert found["low"] < found["value"] < found["high"] and found["alpha"] <= 1.0
    result = cli(*command, "--within", "50")
    assert result.exit_code == 0 and "this image is big enough for ± 50 %" in result.stdout
    assert "integral range" in result.stdout and "correlation length" in result.stdout


def test_small_and_mirrored_images_are_refused(cli, tmp_path):
    imageio.imwrite(tmp_path / "small.png", speckle(4))
    command = ("representative", tmp_path / "small.png", *PHASES)
    assert_one_clear_error(cli(*command), "blocks of two sizes of at least 8 voxels per edge need 24")
    assert_one_clear_error(cli(*command, "--mirror"), "--mirror: a mirror image tells nothing new")


# ---- Beside the numbers ----------------------------------------------------------------------------


def test_an_image_that_does_not_repeat_has_its_estimates_beside_it(cli, scan):
    steps = ("--step", "median 3", "--step", "otsu")
    told = json.loads(cli("evaluate", scan, *PHASES, *steps, "--embed", "self", "--tol", "1e-6", "--json").stdout)
    others = told["estimates"]
    assert others["periodic"]["K"] == told["K"] and others["kubc"]["K"] > others["mirrored"]["K"]
    assert told["embedded"]["frame_K"] == pytest.approx(told["embedded"]["K"], rel=2e-4)
    shown = cli("evaluate", scan, *PHASES, *steps, "--embed", EPOXY).stdout
    assert "kubc (upper)" in shown and "embedded in Epoxy" in shown
    quick = json.loads(cli("evaluate", scan, *PHASES, *steps, "--quick", "--json").stdout)
    assert "estimates" not in quick and "interval" not in quick
    assert_one_clear_error(cli("evaluate", scan, *PHASES, *steps, "--embed", "void"), "a frame of void carries no load")


def test_the_interval_of_whole_voxels_holds_what_is_exact(cli, tmp_path):
    """Hill's K of phases with equal G (1963, doi:10.1016/0022-5096(63)90036-X), of fibres that overlap (trial 7)."""
    centres = np.arange(24) + 0.5
    labels = np.zeros((24, 24), bool)
    for y, z in ((6, 6), (18, 9), (12, 18)):
        labels |= (centres[:, None] - y) ** 2 + (centres - z) ** 2 < 16
    tifffile.imwrite(tmp_path / "fibres.tif", labels.astype(np.uint8))
    G, K = 30.0, (20.0, 200.0)
    rows = [f"m{i},M{i},{9 * k * G / (3 * k + G)!r},{(3 * k - 2 * G) / (2 * (3 * k + G))!r},1" for i, k in enumerate(K)]
    (tmp_path / "m.csv").write_text("\n".join(["id,name,E_GPa,nu,rho_g_cm3", *rows]))
    options = ("--materials", tmp_path / "m.csv", "--phases", "0=m0,1=m1", "--json")
    told = json.loads(cli("evaluate", tmp_path / "fibres.tif", *options).stdout)
    share = labels.mean()
    exact = 1 / ((1 - share) / (K[0] + 4 * G / 3) + share / (K[1] + 4 * G / 3)) - 4 * G / 3
    assert told["interval"]["K"]["low"] < exact < told["interval"]["K"]["high"] < 1.1 * exact
    assert np.array(told["interval"]["C_half_width"]).shape == (6, 6)


# ---- More like this --------------------------------------------------------------------------------


def test_the_stiffness_of_an_image_is_a_target(scan, tmp_path):
    from relaxdesign.cli.design import Wanted, _stiffness

    values = {"phases": (EPOXY, ALUMINA), "dim": 3}
    steps = ["median 3", "otsu"]
    wanted = _stiffness(Wanted(like=scan, like_step=steps), values, Catalogue.default())
    found = {target.quantity: target.value for target in wanted}
    assert len(found) == 21 and found["C11"] == pytest.approx(layers_across(0.25), rel=1e-4)
    with pytest.raises(ValueError, match=r"has 2 phases, labels 0 .* given are 3"):
        _stiffness(
            Wanted(like=scan, like_step=steps), values | {"phases": ("void", EPOXY, ALUMINA)}, Catalogue.default()
        )
    with pytest.raises(ValueError, match="add a step such as 'otsu'"):
        _stiffness(Wanted(like=scan), values, Catalogue.default())
    with pytest.raises(ValueError, match="--like-step belongs to --like"):
        _stiffness(Wanted(like_step=steps), values, Catalogue.default())
