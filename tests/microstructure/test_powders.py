"""Particles of two and of many sizes: what packs, how they are resolved, read, resized, meshed and simulated."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from scipy.stats import truncnorm
from streamlit.testing.v1 import AppTest

from relaxdesign.microstructure import FAMILIES, LOG_NORMAL, PARTICLES, TWO_SIZES, known_parameters
from relaxdesign.microstructure.base import Bodies, Inclusions, Placement, PlacementError, Sized, draw, in_dimension
from relaxdesign.microstructure.estimates import estimate_conductivity, estimate_stiffness
from relaxdesign.microstructure.particles.packing import Packing
from relaxdesign.physics.bounds import two_phase_bounds
from relaxdesign.physics.composite_voxels import composite_field
from relaxdesign.physics.fem import bulk_modulus, effective_conductivity
from relaxdesign.ui import background, server

EVALUATE = Path(__file__).parents[2] / "relaxdesign" / "ui" / "pages" / "evaluate.py"
GRID = {2: 64, 3: 32}
POWDERS = [TWO_SIZES, LOG_NORMAL]
both = pytest.mark.parametrize("family", POWDERS, ids=lambda family: family.name)
dims = pytest.mark.parametrize("dim", [2, 3])


def placed(family, share: float, size: float, dim: int, seed: int = 0, count: int = 1) -> list[Packing]:
    generator = torch.Generator().manual_seed(seed)
    return family.place(share, size, dim, grid=GRID[dim], count=count, generator=generator)


def top(family, dim: int) -> float:
    return family.share.in_dimension(dim).high


@both
def test_they_are_families_of_inclusions(family):
    assert isinstance(family, Inclusions) and isinstance(family, Bodies) and isinstance(family, Sized)
    assert FAMILIES[family.name] is family and isinstance(placed(family, 0.3, 0.3, 2)[0], Placement)
    assert known_parameters()["diameter"] == PARTICLES.size


@both
@dims
@pytest.mark.parametrize("part", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("end", [0, 1])
def test_placements_fill_exactly_what_was_asked_without_overlap(family, dim, part, end):
    low, high = family.share.in_dimension(dim).range
    share, limits = low + part * (high - low), family.size.in_dimension(dim)
    packing = placed(family, share, limits.range[end], dim, seed=3)[0]
    assert packing.volume_fraction == pytest.approx(share, rel=1e-9)
    assert packing.gap >= 0.0 and packing.largest_size() >= packing.size
    assert packing.size == packing.parameters["diameter"] <= 1.1 * limits.high
    assert packing.diameters.min() * GRID[dim] > 2.6  # voxels


@both
@dims
def test_ten_placements_at_the_largest_share_are_all_different(family, dim):
    packings = placed(family, top(family, dim), 0.3, dim, count=10)
    assert len({float(packing.centres[0, 0]) for packing in packings}) == 10
    assert all(packing.gap >= 0.0 for packing in packings)


def test_what_packs():
    assert top(TWO_SIZES, 2) == top(LOG_NORMAL, 2) == 0.75 and top(TWO_SIZES, 3) == top(LOG_NORMAL, 3) == 0.65
    assert PARTICLES.share.in_dimension(2).range == PARTICLES.share.in_dimension(3).range == (0.05, 0.5)


@dims
@pytest.mark.parametrize("share", [0.08, 0.6])
def test_small_particles_are_a_third_as_large_and_a_quarter_of_the_volume(dim, share):
    diameters = placed(TWO_SIZES, share, 0.3, dim)[0].diameters
    large = diameters > 0.5 * diameters.max()
    np.testing.assert_allclose(diameters[~large], diameters.max() / 3, rtol=1e-12)
    volumes = diameters**dim
    assert volumes[~large].sum() / volumes.sum() == pytest.approx(0.25, rel=1e-12)


@dims
def test_many_sizes_are_log_normal(dim):
    distribution = LOG_NORMAL.distribution
    logs = torch.log(distribution.relative(200, dim)).numpy()
    exact = truncnorm(-distribution.limit, distribution.limit, scale=distribution.deviation)
    ordered = np.sort(logs - logs.mean())
    np.testing.assert_allclose(ordered, exact.ppf((np.arange(200) + 0.5) / 200), atol=1e-12)
    assert logs.std() == pytest.approx(exact.std(), rel=5e-3)
    assert np.ptp(logs) <= 2 * distribution.limit * distribution.deviation


@both
@dims
def test_the_size_is_the_mean_weighted_by_volume(family, dim):
    packing = placed(family, 0.4, 0.3, dim)[0]
    volumes = packing.diameters**dim
    assert packing.size == pytest.approx(float((volumes * packing.diameters).sum() / volumes.sum()), rel=1e-12)
    assert packing.size == pytest.approx(0.3, rel=0.1)
    smallest, mean, largest = family.sizes(packing.to_dict())
    ends = float(packing.diameters.min()), float(packing.diameters.max())
    assert (smallest, mean, largest) == pytest.approx((ends[0], packing.size, ends[1]), rel=1e-12)


def test_same_seed_same_placement():
    first, second = (placed(TWO_SIZES, 0.7, 0.3, 2, seed=5)[0] for _ in range(2))
    assert torch.equal(first.centres, second.centres)


@both
@dims
def test_shares_of_voxels_carry_the_exact_fraction(family, dim):
    packing = placed(family, top(family, dim), family.size.in_dimension(dim).low, dim)[0]
    shares = packing.shares(GRID[dim])
    assert float(shares.mean()) == pytest.approx(packing.share, rel=2e-3) and float(shares.max()) <= 1.0
    finer = packing.shares(2 * GRID[dim])
    assert float(finer.mean()) == pytest.approx(packing.share, rel=3e-4)
    sure = (shares == 0) | (shares == 1)
    assert torch.equal(packing.voxelise(GRID[dim])[sure], shares[sure] == 1)
    assert float(packing.voxelise(256 if dim == 2 else 96).double().mean()) == pytest.approx(packing.share, rel=5e-3)


@both
@dims
def test_particles_grow_in_proportion_until_two_touch(family, dim):
    packing = placed(family, 0.4, 0.3, dim)[0]
    touching = packing.with_size(packing.largest_size())
    assert touching.gap == pytest.approx(0.0, abs=1e-12) and touching.share > packing.share
    assert packing.with_size(packing.largest_size(0.001)).gap == pytest.approx(0.001, abs=1e-12)
    grown = packing.with_size(packing.largest_size(0.5))  # there is not that much room: half of what there is, is left
    assert grown.size > packing.size and grown.gap == pytest.approx(0.5 * packing.gap, abs=1e-12)
    np.testing.assert_allclose(touching.diameters / touching.size, packing.diameters / packing.size, rtol=1e-12)
    assert packing.with_share(0.35).share == pytest.approx(0.35, rel=1e-12)
    moved = packing.moved(0.001)
    np.testing.assert_allclose(moved.diameters, packing.diameters + 0.002, rtol=1e-12)
    assert moved.gap == pytest.approx(packing.gap - 0.002, abs=1e-12)


@both
@dims
def test_geometry_goes_through_json(family, dim):
    packing = placed(family, 0.5, 0.3, dim)[0]
    known = json.loads(json.dumps(packing.to_dict()))
    again = Packing.from_dict(known)
    assert known.keys() == {"centres", "diameters"} and again.size == pytest.approx(packing.size, rel=1e-14)
    torch.testing.assert_close(again.diameters, packing.diameters, rtol=1e-14, atol=0)
    assert torch.equal(again.voxelise(GRID[dim]), packing.voxelise(GRID[dim]))


@both
@dims
@pytest.mark.parametrize("chord", [0.02, 0.004])
def test_exact_bodies_have_the_stated_fraction(family, dim, chord):
    packing = placed(family, top(family, dim), 0.3, dim)[0]
    body = family.body(packing.to_dict(), 1, 1.0, chord)
    from manifold3d import Manifold

    inside, outside = Manifold.cube((1.0, 1.0, 1.0)).split(body)
    assert inside.volume() == pytest.approx(packing.share, rel=1e-3)
    assert inside.volume() + outside.volume() == pytest.approx(1.0, rel=1e-6)


@both
@dims
def test_between_two_shares_the_size_stays_supported(family, dim):
    generator = torch.Generator().manual_seed(1)
    limits, high = family.size.in_dimension(dim), top(family, dim)
    low = high - 0.3
    (packing,) = family.place_between(low, high, 0.5, 0.3, dim, grid=GRID[dim], count=1, generator=generator)
    assert packing.share == pytest.approx(high, rel=1e-9) and packing.size <= limits.high
    assert packing.with_share(low).size >= limits.low
    with pytest.raises(PlacementError, match="no number of particles"):
        family.place_between(0.01, high, 0.5, 0.3, dim, grid=GRID[dim], count=1, generator=generator)


def test_what_cannot_be_placed_is_refused_with_the_limits():
    with pytest.raises(PlacementError, match=r"volume fraction 0\.700 is outside 0\.05…0\.65"):
        placed(TWO_SIZES, 0.7, 0.3, 3)
    with pytest.raises(PlacementError, match=r"mean diameter 0\.500 is outside 0\.12…0\.3"):
        placed(LOG_NORMAL, 0.4, 0.5, 2)
    plane = in_dimension(TWO_SIZES, 2)
    assert isinstance(plane, Inclusions) and plane.share.range == (0.05, 0.75)
    assert in_dimension(PARTICLES, 2) is PARTICLES
    assert draw(plane, 0.75, 0.3, 2, grid=64, seed=0).mean() == pytest.approx(0.75, abs=0.01)


@both
@dims
def test_gaps_shrink_with_the_share_and_are_kept(family, dim):
    shares = np.linspace(*family.share.in_dimension(dim).range, 12)
    gaps = family.gap_voxels(shares, 0.3, dim, GRID[dim])
    assert gaps.shape == (12,) and gaps[0] == pytest.approx(math.sqrt(dim)) and gaps[-1] < 1.0
    packing = placed(family, shares[5], 0.3, dim)[0]
    assert packing.gap * GRID[dim] >= gaps[5] * (1 - 1e-6)


@both
@pytest.mark.parametrize(("dim", "share"), [(2, 0.15), (2, 0.5), (2, 0.75), (3, 0.3), (3, 0.65)])
def test_samples_are_read_as_such_particles(family, dim, share):
    generator = torch.Generator().manual_seed(2)
    kind = in_dimension(family, dim)
    packing = placed(kind, share, kind.size.high, dim)[0]
    labels = packing.voxelise(GRID[dim])
    field = torch.where(labels[None], -0.5, 0.5) + 0.05 * torch.randn(3, *labels.shape, generator=generator)
    fit = kind.fit(field)
    assert not fit.homogeneous and (fit.phases[1] < 0).all()  # the softer phase, and more than half of the cell
    assert fit.parameters["volume_fraction"] == pytest.approx(float(labels.double().mean()), abs=0.01)
    assert fit.parameters["diameter"] == pytest.approx(packing.size, rel=0.12)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_samples_of_equal_particles_are_read_too(share):
    packing = placed(PARTICLES, share, 0.3, 2)[0]
    labels = packing.voxelise(64)
    fit = in_dimension(TWO_SIZES, 2).fit(torch.where(labels[None], 0.5, -0.5).expand(3, 64, 64))
    assert (fit.phases[1] > 0).all() and fit.parameters["diameter"] == pytest.approx(packing.size, rel=0.06)


def cell_values(packing: Packing, contrast: float) -> tuple[float, float]:
    """K and conductivity, of the matrix K, G = 2.5, 1.2 and k = 1."""
    shares = packing.shares(GRID[packing.dim])[None]
    shares = shares if packing.dim == 3 else shares[..., None]
    K, G, k = (composite_field(value, value * contrast, shares, packing.dim) for value in (2.5, 1.2, 1.0))
    return float(bulk_modulus(K, G, tol=1e-4).value[0]), float(effective_conductivity(k, tol=1e-4).mean[0])


@both
def test_the_bulk_modulus_of_a_highly_filled_cell_lies_between_its_bounds(family):
    for contrast in (0.1, 10.0):
        K, _ = cell_values(placed(family, 0.6, 0.3, 3)[0], contrast)
        bounds = two_phase_bounds(2.5, 1.2, 2.5 * contrast, 1.2 * contrast, 0.6)
        assert float(bounds.hs_lower) < K < float(bounds.hs_upper)


@both
@pytest.mark.parametrize(("dim", "share"), [(2, 0.6), (2, 0.75), (3, 0.65)])
def test_estimates_hold_up_to_what_packs(family, dim, share):
    """Of moderate contrasts; stiffer particles that touch carry more, see docs/method.md."""
    packing = placed(family, share, 0.3, dim)[0]
    for contrast in (0.1, 10.0):
        K, k = cell_values(packing, contrast)
        estimate = float(estimate_stiffness(2.5, 1.2, 2.5 * contrast, 1.2 * contrast, share, dim).bulk)
        assert pytest.approx(estimate, rel=0.12) == K
        assert pytest.approx(float(estimate_conductivity(1.0, contrast, share, dim)), rel=0.12) == k


def test_the_command_line_draws_them(cli):
    pair = ("evaluate", "--matrix", "epoxy-unfilled", "--particle", "alumina-ad-995", "--grid", 32, "--only", "bulk")
    asked = (*pair, "--fraction", 0.72, "--diameter", 0.3, "--json", "--family")
    report = json.loads(cli(*asked, "particles-two-sizes").stdout)
    assert report["phases"]["volume_fraction"] == pytest.approx(0.72, abs=0.02)
    assert "0.720 is outside 0.05…0.65" in cli(*asked, "particles-two-sizes", "--dim", 3).stderr
    assert "too dense for random equal particles" in cli(*asked, "particles").stderr
    assert "--family: 'fibres' cannot be drawn; there are particles, particles-two" in cli(*asked, "fibres").stderr


def test_the_app_draws_them_in_both_dimensions(monkeypatch):
    monkeypatch.setattr(background, "PATIENCE_S", 120.0)
    monkeypatch.setattr(server, "_probe_rendering", lambda: False)
    st.cache_resource.clear()
    app = AppTest.from_file(str(EVALUATE), default_timeout=120).run()
    app.segmented_control(key="evaluate-family").set_value(TWO_SIZES.name).run()
    app.selectbox(key="evaluate-grid-2").select(32).run()
    share = app.slider(key="evaluate-volume_fraction-particles-two-sizes-2")
    assert share.max == 0.75 and app.slider(key="evaluate-diameter-particles-two-sizes-2").label.endswith(
        "mean diameter"
    )
    share.set_value(0.74).run()
    assert not app.exception and not app.error and not app.warning
    app.segmented_control(key="evaluate-dim").set_value(3).run()
    app.selectbox(key="evaluate-grid-3").select(16).run()
    assert app.slider(key="evaluate-volume_fraction-particles-two-sizes-3").max == 0.65
    assert not app.exception and not app.error
    st.cache_resource.clear()
