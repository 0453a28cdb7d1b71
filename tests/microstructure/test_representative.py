"""Is an image large enough: laws of media whose integral range or effective conductivity is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from relaxdesign.microstructure.representative import (
    Estimate,
    block_edges,
    blocks,
    correlation_length,
    integral_range,
    representativity,
    variance_law,
)
from relaxdesign.physics.fem import effective_conductivity

TILE = 4


def mosaic(tiles: int, share: float, seed: int, dim: int = 2) -> np.ndarray:
    """Tiles of 4 voxels that are 1 with probability ``share``, each for itself; (n, n, 1) or (n, n, n)."""
    cells = np.random.default_rng(seed).random((tiles,) * dim) < share
    fine = np.kron(cells, np.ones((TILE,) * dim)).astype(np.float64)
    return fine if dim == 3 else fine[..., None]


def result(shape, measure, **options):
    *_, (_, _, found) = representativity(shape, measure, **options)
    return found


@pytest.mark.parametrize(("dim", "tiles"), [(2, 48), (3, 12)])
def test_the_integral_range_of_a_mosaic_is_its_tile(dim, tiles):
    """Blocks of whole tiles: the variance of their volume fraction is P (1 - P) A / V with A = tile^dim."""
    share, found = 0.4, []
    for seed in range(6):
        image = mosaic(tiles, share, seed, dim)
        sizes = result(image.shape, lambda block, image=image: {"P": float(image[block].mean())}, most=1000).sizes
        whole = [size for size in sizes if size.edge % TILE == 0]
        found.append(integral_range(whole, "P", share * (1 - share), dim))
    assert np.mean(found) == pytest.approx(TILE**dim, rel=0.15)


def test_the_correlation_of_a_mosaic_falls_over_its_tile():
    """Along an axis ρ(r) = 1 - r / tile; over all directions 1/e is reached near 0.55 tiles."""
    length = correlation_length(mosaic(64, 0.5, 0))
    assert length is not None and 0.45 * TILE < length < 0.7 * TILE
    assert correlation_length(np.ones((8, 8, 1))) is None


def test_the_law_of_the_variance_is_found():
    volumes, counts = np.array([64.0, 256.0, 1024.0]), np.array([400, 100, 25])
    rng = np.random.default_rng(0)
    for alpha in (0.6, 1.0):
        found = []
        for _ in range(200):
            drawn = 9.0 * volumes**-alpha * rng.chisquare(counts - 1) / (counts - 1)
            found.append(variance_law(volumes, drawn, counts)[1])
        assert np.mean(found) == pytest.approx(alpha, abs=0.06)


def test_intervals_hold_the_conductivity_that_is_exact():
    """A 2D medium whose phases can be exchanged conducts √(k₁ k₂) (Keller 1964, Dykhne 1971), here 2."""
    held, widths = 0, []
    for seed in range(6):
        k = torch.from_numpy(1.0 + 3.0 * mosaic(12, 0.5, seed))

        def measure(block, k=k):
            tensor = effective_conductivity(k[block][None], tol=1e-5).k[0]
            return {"k": float(tensor[:2, :2].trace() / 2)}

        estimate = result(tuple(k.shape), measure, most=16).estimates["k"]
        held += abs(estimate.value - 2.0) <= estimate.half_width
        widths.append(estimate.relative)
    assert held >= 5 and 0.02 < np.mean(widths) < 0.4


def test_a_larger_image_leaves_less():
    widths = []
    for tiles in (16, 64):
        image = mosaic(tiles, 0.5, 1)
        found = result(image.shape, lambda block, image=image: {"P": float(image[block].mean())})
        widths.append(found.estimates["P"].scatter)
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.5)


def test_how_much_larger_an_image_must_be():
    only_scatter = Estimate(100.0, 1.0, 12.0, 0.0, 3)
    assert only_scatter.relative == 0.12 and only_scatter.enlargement(0.2) == 1.0
    assert only_scatter.enlargement(0.03) == pytest.approx(4.0 ** (2 / 3), rel=1e-3)
    assert Estimate(100.0, 1.0, 0.0, 12.0, 3).enlargement(0.03) == pytest.approx(4.0, rel=1e-3)
    told = only_scatter.to_dict(0.03)
    assert (told["low"], told["high"], told["representative"]) == (88.0, 112.0, False)


def test_blocks_lie_side_by_side_in_the_middle():
    assert block_edges((64, 70, 66)) == [8, 10, 16, 21, 32] and block_edges((64, 70, 1)) == [8, 10, 16, 21, 32]
    places = blocks((20, 9, 1), 8)
    assert places == [(slice(2, 10), slice(0, 8), slice(0, 1)), (slice(10, 18), slice(0, 8), slice(0, 1))]
    with pytest.raises(ValueError, match="blocks of two sizes of at least 8 voxels per edge need 24"):
        block_edges((20, 20, 20))
