"""A prior of shapes tuned on own images: cells cut from them are periodic and alike, and samples become so, too."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from relaxdesign.io.fields import FieldError
from relaxdesign.io.own_images import read_own_images
from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.correlation import two_point_correlation
from relaxdesign.microstructure.free_form.windows import Windows, blended, mirrored
from relaxdesign.prior.data import SHAPE_CLASSES, ShapeCells
from relaxdesign.prior.model import PriorError, load_prior
from relaxdesign.prior.own_cells import IMAGED, OwnCells, with_images
from relaxdesign.prior.shape_metrics import assess_images
from relaxdesign.prior.training import TrainingConfig, train_prior
from relaxdesign.prior.unet import UNetConfig
from tests.command_line import assert_one_clear_error

CONFIG = TrainingConfig(
    name="shapes",
    grid=16,
    network=UNetConfig(channels=1, widths=(16, 32), labels=1, head="phases", classes=SHAPE_CLASSES),
    steps=60,
    batch=8,
    warm_up=5,
    learning_rate=2e-3,
)


def layers(number: int, size: int = 48) -> np.ndarray:
    """Grey values (rows y, columns x) of bright layers across x, five of sixteen voxels, a little wavy, with noise."""
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:size, :size]
    bright = (x + np.rint(1.2 * np.sin(2 * np.pi * (y / 16 + rng.random()))) + 4 * number) % 16 < 5
    return np.clip(80 + 90 * bright + rng.normal(0, 15, bright.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "micrographs"
    images.mkdir()
    for number in range(3):
        imageio.imwrite(images / f"{number}.png", layers(number))
    (images / "notes.txt").write_text("no image")
    return images


def field(size: int, share: float) -> np.ndarray:
    """Where a random field, smooth over 2.5 voxels along x and 1.2 along y, is largest: such a share of the image."""
    noise = np.random.default_rng(0).normal(size=(size, size))
    smooth = gaussian_filter(noise, (2.5, 1.2), mode="wrap")
    return smooth > np.quantile(smooth, 1 - share)


def test_cells_of_windows_are_periodic_and_as_the_image():
    image = field(512, 0.35)
    windows = Windows((image,), 32)
    assert windows.edge == 36
    cells = windows.draw(300, torch.Generator().manual_seed(0)).numpy()
    assert cells.shape == (300, 32, 32) and cells.dtype == bool
    assert cells.mean() == pytest.approx(0.35, abs=0.015)
    wanted = two_point_correlation(image[..., None])[240:272, 240:272, 0]
    found = np.mean([two_point_correlation(cell[..., None])[..., 0] for cell in cells], 0)
    assert abs(found - wanted).max() < 0.02
    # At faces, which are anywhere as cells are shifted: open windows have 5 to 10 % more changes there.
    for axis in (0, 1):
        changes = [np.mean(each != np.roll(each, 1, axis)) for each in cells]
        assert np.mean(changes) < 1.15 * np.mean(image != np.roll(image, 1, axis))


def test_what_repeats_already_stays_as_it_is():
    layers = np.broadcast_to((np.arange(36) % 8 < 3)[:, None], (36, 36))
    assert (blended(layers, 32) == layers[:32, :32]).all()


def test_small_images_are_mirrored_and_periodic_ones_taken_as_they_are():
    generator = torch.Generator().manual_seed(0)
    image = field(20, 0.4)
    cell = mirrored(image[:16, :16])
    assert (cell == cell[::-1]).all() and (cell == cell[:, ::-1]).all() and (cell[:16, :16] == image[:16, :16]).all()
    assert Windows((image,), 32, mirror=True).draw(2, generator).shape == (2, 32, 32)
    whole = field(32, 0.4)
    (drawn,) = Windows((whole,), 32, periodic=(True,)).draw(1, generator).numpy()
    shifts = [
        np.roll(each, (i, j), (0, 1)) for each in (whole, whole[::-1, ::-1]) for i in range(32) for j in range(32)
    ]
    assert any((drawn == shifted).all() for shifted in shifts)


def test_images_are_read_by_the_steps_and_told_apart(folder, tmp_path):
    own = read_own_images(folder, ["median 3", "otsu"], 16, 2)
    assert own.names == ("0.png", "1.png", "2.png") and own.solid == pytest.approx(5 / 16, abs=0.02)
    assert "with blended ends, of 3 images (0.png" in own.description and own.digest in own.description
    assert read_own_images(folder, ["otsu"], 16, 2).digest != own.digest
    with pytest.raises(FieldError, match="add a step such as 'otsu'"):
        read_own_images(folder, [], 16, 2)
    with pytest.raises(FieldError, match=r"has 3 phases, labels 0 .*: shapes are of two phases"):
        read_own_images(folder, ["threshold 60,120"], 16, 2)
    with pytest.raises(FieldError, match=r"48 x 48 voxels .*; cells of 64 are cut from windows of 72: .*--mirror"):
        read_own_images(folder, ["otsu"], 64, 2)
    assert read_own_images(folder, ["otsu"], 64, 2, mirror=True).windows.edge == 32
    with pytest.raises(FieldError, match="single slice: a prior in 3D takes stacks"):
        read_own_images(folder, ["otsu"], 16, 3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FieldError, match="there is no image in it"):
        read_own_images(tmp_path / "empty", [], 16, 2)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A prior of shapes that was trained for a moment, and its folder."""
    folder = tmp_path_factory.mktemp("start")
    list(train_prior(CONFIG, Catalogue.default(), folder, sheet_every=0))
    return folder / "shapes.safetensors"


def test_tuned_on_images_a_prior_makes_cells_as_they_are(start, folder, tmp_path):
    before = load_prior(start)
    own = read_own_images(folder, ["median 3", "otsu"], 16, 2)
    cells = OwnCells(own.windows, own.description, 0.25, ShapeCells(16, 2))
    config = replace(
        CONFIG, name="tuned", network=with_images(CONFIG.network), steps=120, images=own.digest, learning_rate=2e-3
    )
    catalogue = Catalogue.default()
    run = train_prior(config, catalogue, tmp_path, start_from=before, cells=cells, checkpoint_every=60, sheet_every=0)
    for _ in range(60):
        next(run)
    run.close()  # killed after its checkpoint
    options = {"resume": True, "sheet_every": 0, "start_from": before, "cells": cells}
    with pytest.raises(PriorError, match="images"):
        next(train_prior(replace(config, images="others"), catalogue, tmp_path, **options))
    assert [state.step for state in train_prior(config, catalogue, tmp_path, **options)] == list(range(61, 121))

    after = load_prior(tmp_path / "tuned.safetensors")
    assert after.network.config.classes == (*SHAPE_CLASSES, IMAGED) and after.card["started_from"] == "shapes"
    assert after.card["data"].startswith(own.description) and after.card["training"]["images"] == own.digest
    found = assess_images(before, after, cells, 24, steps=12, seed=1)
    assert found["correlation_error"] < 0.6 * found["correlation_error_before"]
    assert found["correlation_error_cells"] < found["correlation_error"]
    assert found["solid"][1] == pytest.approx(found["solid_cells"][1], abs=0.1)
    old, new = found["forgotten"]
    assert new < 1.15 * old, "the usual kinds are not forgotten"


def test_a_prior_is_tuned_on_a_folder_and_designs(cli, start, folder, tmp_path, monkeypatch):
    command = importlib.import_module("relaxdesign.cli.train")  # the package has a function of this name
    monkeypatch.setattr(command, "MEASURED", 8)
    monkeypatch.setattr(command, "MEASURED_STEPS", 4)
    given = ("train", "--images", folder, "--start-from", start, "--batch", 4, "--out", "p", "--device", "cpu")
    steps = ("--image-step", "median 3", "--image-step", "otsu")
    done = cli(*given, *steps, "--steps", 3, "--name", "own")
    assert done.exit_code == 0, done.output
    assert "two-point correlation, largest difference: before 0." in " ".join(done.stderr.split())
    card = json.loads((tmp_path / "p" / "own.json").read_text())
    assert card["metrics"]["sha256"] == card["sha256"] and 0 <= card["metrics"]["connected"] <= 1
    assert {"solid", "nearest", "nearest_cells", "correlation_error"} <= card["metrics"].keys()
    assert cli(*given, *steps, "--steps", 4, "--name", "own", "--resume").exit_code == 0
    refused = cli(*given, "--image-step", "otsu", "--steps", 5, "--name", "own", "--resume")
    assert_one_clear_error(refused, "made with other settings (images)")
    made = cli(
        "design", "--family", "free-form", "--phases", "epoxy-unfilled,alumina-ad-995", "-o", "K = 12", "--count", 1,
        "--steps", 3, "--prior", "p/own.safetensors", "--no-refine", "--no-library", "--json",
    )  # fmt: skip
    assert json.loads(made.stdout)["prior"].startswith("own (")


def test_what_does_not_go_together_is_refused(cli, folder):
    assert_one_clear_error(cli("train", "--image-step", "otsu"), "--image-step belongs to --images")
    wrong = cli("train", "--images", folder, "--start-from", "composite-2d-64")
    assert_one_clear_error(wrong, "composite-2d-64 is a prior of composites")
