"""The metrics of a prior measure what they say, seen on fields whose answer is known."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.microstructure.particles.fitting import Projection
from relaxdesign.prior.data import random_fields
from relaxdesign.prior.metrics import (
    Population,
    flatness,
    measure,
    nearest_material,
    read,
    two_point,
    unseen_materials,
)
from relaxdesign.prior.model import MODEL_DIRECTORY, Prior, load_prior
from relaxdesign.prior.report import sample_sheet, write_report
from relaxdesign.prior.schedule import NoiseSchedule
from relaxdesign.prior.unet import UNet, UNetConfig

CATALOGUE = Catalogue.default().select()
GRID, COUNT = 32, 24


@pytest.fixture(scope="module")
def prior():
    network = UNet(UNetConfig(widths=(16, 32))).requires_grad_(False)
    return Prior("test", network, NoiseSchedule(), AsinhChannels(), GRID)


@pytest.fixture(scope="module")
def designs(prior):
    generator = torch.Generator().manual_seed(0)
    return [random_fields(CATALOGUE, prior.channels, GRID, 2, COUNT, generator=generator) for _ in range(2)]


def test_random_designs_are_perfect_samples(prior, designs):
    populations = [read(prior, fields) for fields in designs]
    metrics = measure(prior, CATALOGUE, *populations, populations[1])
    assert metrics["two_phase"] == 1.0 and metrics["not_two_phase_because"] == {}
    assert metrics["flatness"]["channel_units"] < 1e-6
    assert metrics["nearest_material"]["within_3_percent_of_K"] == 1.0
    for distance in metrics["wasserstein"].values():
        assert 0.0 < distance["samples"] < 1.5 * distance["spread"]
        assert distance["designs"] == 0.0  # the same set twice


def test_noise_is_found_again_as_deviation_within_the_phases(prior, designs):
    noise = 0.02 * torch.randn(designs[0].shape, generator=torch.Generator().manual_seed(1))
    found = flatness(prior.channels, read(prior, designs[0] + noise))
    assert found["channel_units"] == pytest.approx(0.02, rel=0.05)


def test_values_that_no_material_has_are_counted(prior, designs):
    shifted = designs[0].clone()
    shifted[:, 0] += 0.1  # K about 60 % off, G and density kept
    share = nearest_material(prior.channels, CATALOGUE, read(prior, shifted.clamp(-1, 1)))["within_3_percent_of_K"]
    assert share < 0.5


def test_fields_that_are_no_composites_are_reported_with_the_reason(prior):
    flat = torch.full((4, 3, GRID, GRID), 0.3)
    population = read(prior, flat + 1e-4 * torch.rand(flat.shape, generator=torch.Generator().manual_seed(0)))
    assert population.two_phase == 0.0 and population.reasons == {"the sample is a homogeneous material": 4}
    with pytest.raises(ValueError, match="train the prior longer"):
        measure(prior, CATALOGUE, population, population, population)


def test_two_point_correlation_of_stripes():
    """Stripes of period 16 along x: the correlation along x is a triangle wave, along y it stays 1."""
    labels = np.zeros((32, 32), dtype=bool)
    labels[(np.arange(32) // 8) % 2 == 0] = True
    zero = torch.zeros(3)
    stripes = Projection(zero, zero, labels, 0.5, 0.2, 0.0, 0.0)
    curve = two_point(Population(1, [torch.zeros(3, 32, 32)], [stripes], {}, np.ones(1)))
    assert curve[0] == pytest.approx(1.0)
    # At distance 1: two neighbours along x (1 - 2/8), two along y (1), four diagonal ones have distance 1.41 -> 1.
    assert curve[1] == pytest.approx((2 * 0.75 + 2 * 1.0 + 4 * 0.75) / 8)


def test_materials_that_training_never_saw_are_those_the_prior_does_not_hold():
    prior = load_prior("composite-2d-64")
    found = unseen_materials(prior, Catalogue.default())
    later = [material for material in found.materials if not material.flag]
    assert len(found) > 50 and len(later) < 60, "flagged ones, and those that came, or were corrected, later"
    prior.offer(found)
    assert not any(material in found.materials for material in unseen_materials(prior, Catalogue.default()).materials)


@pytest.mark.parametrize("dim", [2, 3])
def test_report_is_one_page_with_its_numbers(prior, designs, tmp_path, dim):
    populations = tuple(read(prior, fields) for fields in (*designs, designs[0]))
    metrics = {"sampling": "none"} | measure(prior, CATALOGUE, *populations)
    drawn = designs[0] if dim == 2 else designs[0][..., None].expand(-1, -1, -1, -1, GRID)
    page = write_report(tmp_path, prior, metrics, drawn, populations)
    text = page.read_text(encoding="utf-8")
    assert "two-phase composites" in text and "data:image/png" in text and "Plotly" in text
    assert json.loads((tmp_path / "metrics.json").read_text())["two_phase"] == 1.0
    assert (tmp_path / "samples.png").stat().st_size > 1000


def test_sample_sheet_shows_each_sample_once():
    fields = torch.stack([torch.full((3, 8, 8), -1.0), torch.full((3, 8, 8), 1.0)])
    sheet = sample_sheet(fields, tile=8)
    assert sheet.getpixel((4, 4)) == (0, 0, 0) and sheet.getpixel((8 + 4 + 4, 4)) == (255, 255, 255)


def test_command_measures_the_shipped_prior(cli):
    for suffix in ("json", "safetensors"):
        shutil.copy(MODEL_DIRECTORY / f"composite-2d-64.{suffix}", ".")
    prior = "composite-2d-64.safetensors"
    steps = ("--steps", 10, "--sampler", "dpm++")
    result = cli("prior-report", "--prior", prior, "--count", 8, *steps, "--out", "report", "--card")
    assert result.exit_code == 0, result.output
    metrics = json.loads(Path("report/metrics.json").read_text())
    assert metrics["prior"] == "composite-2d-64" and metrics["count"] == 8 and metrics["two_phase"] > 0.5
    unseen = metrics["unseen"]
    assert unseen["count"] == 8 and unseen["two_phase"] > 0.5 and unseen["coverage"]["pairs_samples"] > 0.3
    assert load_prior(prior).card["metrics"] == metrics
    assert Path("report/report.html").exists() and Path("report/samples.png").exists()
    assert "two-phase composites" in result.stderr
