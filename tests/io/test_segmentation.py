"""From grey values to phases: steps read back from their text, find what is known, and keep volume fractions."""

from __future__ import annotations

import numpy as np
import pytest

from relaxdesign.io.fields import FieldError
from relaxdesign.io.image_steps import Crop, Cubic, Downsample, Median, Mirror, NonLocalMeans, Otsu, RemovePieces
from relaxdesign.io.image_steps import Threshold as Above
from relaxdesign.io.images import Image
from relaxdesign.io.segmentation import parse_step, parse_steps, segment
from relaxdesign.microstructure.mixed_voxels import composite_fields
from relaxdesign.physics.effective_properties import evaluate
from tests.conftest import CARBIDE, EPOXY, make_material

STEPS = {
    "crop 0:50,10:60,:40": Crop(((0, 50), (10, 60), (None, 40))),
    "median 3": Median(),
    "nlm 0.8": NonLocalMeans(),
    "otsu": Otsu(),
    "otsu 3": Otsu(3),
    "threshold 100,180.5": Above((100.0, 180.5)),
    "remove 20": RemovePieces(20),
    "downsample 2": Downsample(2),
    "cubic": Cubic(),
    "cubic 0.5": Cubic(0.5),
    "mirror": Mirror(),
}


def laminate(noise: float, *, seed: int = 0, n: int = 16) -> np.ndarray:
    """Layers across x, a quarter of 180 in 60, with noise; (n, n, n) 8-bit grey values."""
    grey = np.full((n, n, n), 60.0)
    grey[: n // 4] = 180.0
    return np.clip(grey + np.random.default_rng(seed).normal(0.0, noise, grey.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("text", "step"), STEPS.items())
def test_steps_read_back_from_their_text(text, step):
    assert parse_step(text) == step and step.text == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("blur 3", "unknown step 'blur 3'; known are crop X0:X1,Y0:Y1,Z0:Z1, median"),
        ("median three", r"write median \[SIZE\]"),
        ("threshold", "write threshold VALUE"),
        ("threshold 180,100", "write threshold VALUE"),
        ("downsample 1", "write downsample FACTOR"),
        ("crop 1,2,3", "write crop X0:X1"),
        ("remove", "write remove VOXELS"),
        ("mirror 2", "write mirror"),
    ],
)
def test_other_texts_say_how_steps_are_written(text, words):
    with pytest.raises(FieldError, match=words):
        parse_step(text)


def test_a_noisy_laminate_has_the_stiffness_of_layers():
    """Backus (1962, doi:10.1029/JZ067i011p04427): C_xx in series of the P-wave moduli, C_yz in parallel of G."""
    found = segment(Image(laminate(25.0)), parse_steps(["median 3", "otsu", "remove 20"]))
    assert found.fractions == {0: 0.75, 1: 0.25} and [done.step for done in found.steps][1] == "otsu"
    (threshold,) = found.steps[1].found["thresholds"]
    assert 80 < threshold < 160
    data = composite_fields(found.shares, [EPOXY, CARBIDE])
    C = evaluate(data).C
    P, G = ([m.bulk + 4 / 3 * m.shear for m in (EPOXY, CARBIDE)], [m.shear for m in (EPOXY, CARBIDE)])
    assert C[0, 0] == pytest.approx(1 / (0.75 / P[0] + 0.25 / P[1]), rel=1e-6)
    assert C[3, 3] == pytest.approx(0.75 * G[0] + 0.25 * G[1], rel=1e-6)
    assert C[4, 4] == pytest.approx(1 / (0.75 / G[0] + 0.25 / G[1]), rel=1e-6)


def test_non_local_means_clears_noise_that_median_and_threshold_leave():
    raw, clean = (segment(Image(laminate(35.0)), parse_steps(steps)) for steps in (["otsu"], ["nlm", "otsu"]))
    truth = laminate(0.0) > 100
    errors = [np.mean(found.values != truth) for found in (raw, clean)]
    assert errors[0] > 0.01 and errors[1] < 0.1 * errors[0]
    assert clean.steps[0].found["noise"] == pytest.approx(35.0, rel=0.2)


def test_three_classes_are_divided():
    grey = np.repeat([20.0, 120.0, 220.0], [4, 6, 2])[:, None, None] + np.random.default_rng(1).normal(0, 5, (12, 8, 8))
    assert segment(Image(grey), parse_steps(["otsu 3"])).fractions == pytest.approx(
        {0: 1 / 3, 1: 0.5, 2: 1 / 6}, abs=5e-3
    )
    assert segment(Image(grey), parse_steps(["threshold 70,170"])).fractions == pytest.approx(
        {0: 1 / 3, 1: 0.5, 2: 1 / 6}
    )


def test_small_pieces_go_to_the_phase_around_them():
    labels = np.zeros((12, 12, 1), np.uint8)
    labels[6:, :] = 200
    labels[2, 2] = labels[2, 3] = 200
    labels[9, 9] = 7
    found = segment(Image(labels), parse_steps(["remove 3"]))
    assert found.fractions == {0: 0.5, 200: 0.5} and found.steps[0].found == {"pieces": 2, "voxels": 3}
    with pytest.raises(FieldError, match="no piece has 100 voxels"):
        segment(Image(labels), parse_steps(["remove 100"]))


def ball(n: int, radius: float) -> np.ndarray:
    """A sphere in the middle of a unit cell of n³ voxels, radius in cell edges."""
    x = (np.arange(n) + 0.5) / n - 0.5
    return (x[:, None, None] ** 2 + x[:, None] ** 2 + x**2 < radius**2).astype(np.uint8)


def test_a_downsampled_sphere_is_nearer_to_the_fine_grid_than_whole_voxels():
    fine = ball(48, 0.3)
    shares = segment(Image(fine), parse_steps(["downsample 4"]))
    finer = segment(Image(fine), parse_steps(["downsample 2"]))
    assert not shares.whole and shares.shape == (12, 12, 12)
    assert shares.fractions[1] == pytest.approx(fine.mean(), abs=1e-6)
    bulk = {
        "fine": evaluate(composite_fields(finer.shares, [EPOXY, CARBIDE]), tol=1e-5).bulk,
        "shares": evaluate(composite_fields(shares.shares, [EPOXY, CARBIDE]), tol=1e-5).bulk,
        "whole": evaluate(composite_fields(segment(Image(ball(12, 0.3))).shares, [EPOXY, CARBIDE]), tol=1e-5).bulk,
    }
    off = {name: abs(value / bulk["fine"] - 1.0) for name, value in bulk.items()}
    assert off["shares"] < 0.01 and off["shares"] < off["whole"]


def test_the_error_of_a_downsampled_sphere_falls_with_the_edge_of_a_voxel():
    """Against Hill's exact K of phases with equal G (1963, doi:10.1016/0022-5096(63)90036-X), whatever their shape."""
    G, K = 10.0, (8.0, 80.0)
    phases = [make_material("m", 9 * k * G / (3 * k + G), (3 * k - 2 * G) / (2 * (3 * k + G)), 1.0) for k in K]
    errors = []
    for factor in (4, 2):
        found = segment(Image(ball(48, 0.35)), parse_steps([f"downsample {factor}"]))
        exact = 1 / sum(f / (k + 4 * G / 3) for f, k in zip(found.fractions.values(), K, strict=True)) - 4 * G / 3
        errors.append(abs(evaluate(composite_fields(found.shares, phases), tol=1e-6).bulk / exact - 1.0))
    assert errors[1] < 0.015 and errors[1] < 0.6 * errors[0]


def test_voids_stay_voids_and_average_beside_them():
    from relaxdesign.materials.material import VOID

    shares = np.zeros((2, 4, 4, 1))
    shares[0, :2], shares[1, 3] = 1.0, 1.0
    shares[:, 2] = 0.5
    data = composite_fields(shares, [EPOXY, VOID])
    assert (data.E[3] == 0.0).all() and data.E[0, 0, 0] == pytest.approx(EPOXY.young)
    assert data.rho is not None and data.rho[2, 0, 0] == pytest.approx(0.5 * EPOXY.density)
    assert data.E[2, 0, 0] == pytest.approx(0.5 * EPOXY.young, rel=1e-6)


def test_voxels_that_are_no_cubes_are_resampled_with_their_shares():
    labels = np.zeros((4, 4, 3), np.uint8)
    labels[:, :, 1] = 1
    found = segment(Image(labels, (1.0, 1.0, 2.0)))
    assert found.whole and found.shape == (4, 4, 6) and found.edge == 1.0 and found.steps[-1].step == "cubic"
    assert found.values[0, 0].tolist() == [0, 0, 1, 1, 0, 0]
    coarse = segment(Image(labels, (1.0, 1.0, 2.0)), parse_steps(["cubic 1.5"]))
    assert coarse.shape == (3, 3, 4) and coarse.fractions == pytest.approx({0: 2 / 3, 1: 1 / 3})
    assert "stretched by 11 %" in coarse.warnings[0]


def test_a_mirrored_image_is_periodic():
    labels = np.zeros((8, 8, 1), np.uint8)
    labels[:3] = 1
    open_, mirrored = segment(Image(labels)), segment(Image(labels), mirror=True)
    assert [seam.open for seam in open_.seams] == [True, False] and open_.seams[0].faces == 1.0
    assert open_.seams[0].neighbours == pytest.approx(1 / 7)
    assert "along x the first and the last slice differ in 100 % of their voxels" in open_.warnings[0]
    assert mirrored.shape == (16, 16, 1) and not mirrored.warnings and mirrored.fractions == open_.fractions


def test_grey_values_without_a_threshold_are_refused_with_one():
    with pytest.raises(FieldError, match=r"grey values from .* add a step such as 'otsu', which divides it at 1\d\d"):
        segment(Image(laminate(25.0)))
    with pytest.raises(FieldError, match="'median 3' is for grey values: put it before the threshold"):
        segment(Image(laminate(25.0)), parse_steps(["otsu", "median 3"]))
    with pytest.raises(FieldError, match="'remove 5' is for labels: put a threshold before it"):
        segment(Image(laminate(25.0)), parse_steps(["remove 5"]))
    with pytest.raises(FieldError, match="nothing is divided at 300"):
        segment(Image(laminate(25.0)), parse_steps(["threshold 300"]))
    with pytest.raises(FieldError, match="along y the image has the voxels 0:16"):
        segment(Image(laminate(0.0)), parse_steps(["crop :,0:20,:"]))


def test_a_report_repeats_the_steps_with_what_they_found():
    told = segment(Image(laminate(25.0), note="TIFF"), parse_steps(["crop :,:8,:", "median 3", "otsu"])).to_dict()
    assert (
        told["read"] == "TIFF" and told["shape"] == [16, 8, 16] and told["volume_fractions"] == {"0": 0.75, "1": 0.25}
    )
    assert [step["step"] for step in told["steps"]] == ["crop :,:8,:", "median 3", "otsu"]
    assert len(told["steps"][2]["thresholds"]) == 1 and not told["composite_voxels"]
