"""Composite voxels: rules of mixing, and what they make of packings on coarse grids."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.microstructure.particles.packing import Packing, particle_diameter, place_particles
from relaxdesign.physics import elasticity
from relaxdesign.physics.attainable import bounds_of
from relaxdesign.physics.composite_voxels import SERIES, composite_field, exponent, limit
from relaxdesign.physics.fem import bulk_modulus, effective_conductivity
from relaxdesign.study.objective import Objective
from relaxdesign.study.simulation import Simulation

SHARES = torch.linspace(0.0, 1.0, 11, dtype=torch.float64)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("contrast", [1e-6, 1e-2, 0.3, 1.0, 2.0, 30.0, 1e5])
def test_a_cut_voxel_lies_between_the_harmonic_and_the_arithmetic_mean(dim, contrast):
    field = composite_field(2.0, 2.0 * contrast, SHARES, dim)
    series = 1.0 / ((1 - SHARES) / 2.0 + SHARES / (2.0 * contrast))
    parallel = (1 - SHARES) * 2.0 + SHARES * 2.0 * contrast
    assert (field >= series * (1 - 1e-12)).all() and (field <= parallel * (1 + 1e-12)).all()
    assert field[0] == pytest.approx(2.0) and field[-1] == pytest.approx(2.0 * contrast)


def test_stiff_spheres_are_in_series_and_voids_in_parallel():
    assert exponent(100.0, 3) == -1.0
    assert exponent(1e-4, 3) == exponent(1e-4, 2) == 1.0


def test_materials_that_hardly_differ_mix_by_volume():
    np.testing.assert_allclose(composite_field(1.0, 1.001, SHARES, 3), 1 + 0.001 * SHARES, rtol=1e-6)


def cell_bulk(packing: Packing, contrast: float, grid: int, *, composite: bool = True) -> float:
    shares = packing.shares(grid) if composite else packing.voxelise(grid).double()
    shares = shares[None] if packing.dim == 3 else shares[None, ..., None]
    K, G = (composite_field(value, value * contrast, shares, packing.dim) for value in (2.5, 1.2))
    return float(bulk_modulus(K, G, tol=1e-5).value[0])


def test_spheres_that_nearly_touch_keep_their_stiffness_on_a_coarse_grid():
    """Two spheres a quarter of a voxel apart: a chain of voxels joins them, which no finer grid has."""
    centres = torch.tensor([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]], dtype=torch.float64)
    packing = Packing(centres, 0.5 - 0.25 / 16)
    fine = cell_bulk(packing, 100.0, 48)
    assert cell_bulk(packing, 100.0, 16) == pytest.approx(fine, rel=0.05)
    assert cell_bulk(packing, 100.0, 16, composite=False) > 1.15 * fine


@pytest.mark.parametrize("contrast", [0.01, 0.1, 10.0, 100.0])
def test_two_grids_tell_what_a_fine_one_has(contrast):
    packing = place_particles(0.35, 0.3, 2, grid=64, generator=torch.Generator().manual_seed(11))[0]
    values = [cell_bulk(packing, contrast, grid) for grid in (64, 128, 256)]
    value, half = limit(values[0], values[1], contrast, 2)
    assert half < 0.03 * value
    assert abs(values[2] - value) <= half
    assert abs(limit(values[1], values[2], contrast, 2)[0] - value) <= half


def test_bulk_modulus_is_smooth_in_the_diameter():
    """Differences of equal steps, far smaller than a voxel, are alike; those of voxels that are in or out are not."""
    centres = torch.tensor([[0.31, 0.52], [0.77, 0.9]], dtype=torch.float64)
    sizes = 0.3 + 2e-4 * np.arange(6)
    for composite in (True, False):
        steps = np.diff([cell_bulk(Packing(centres, size), 20.0, 32, composite=composite) for size in sizes])
        assert (np.ptp(steps) < 0.1 * steps.mean()) == composite


# Sangani & Acrivos (1983, doi:10.1098/rspa.1983.0020): centres, and the coefficients a1 to a6 of their series.
SPHERES = {
    "sc": ([[0, 0, 0]], (1.305, 0.231, 0.405, 0.0723, 0.153, 0.0105)),
    "bcc": ([[0, 0, 0], [0.5, 0.5, 0.5]], (0.129, -0.413, 0.764, 0.257, 0.0113, 0.00562)),
    "fcc": ([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], (0.0753, 0.697, -0.741, 0.042, 0.0231, 9.14e-7)),
}


def series_of(lattice: str, c: float, ratio: float) -> float:
    """Conductivity of an array of spheres of volume fraction c relative to that of its matrix."""
    a1, a2, a3, a4, a5, a6 = SPHERES[lattice][1]
    L1, L2, L3, L4, L5 = ((ratio - 1) / (ratio + 2 * i / (2 * i - 1)) for i in range(1, 6))
    paired = a1 * L2 * c ** (10 / 3) * (1 + a2 * L3 * c ** (11 / 3)) / (1 - a3 * L2 * c ** (7 / 3))
    return 1 - 3 * c / (-1 / L1 + c + paired + a4 * L3 * c ** (14 / 3) + a5 * L4 * c**6 + a6 * L5 * c ** (22 / 3))


@pytest.mark.parametrize("lattice", SPHERES)
@pytest.mark.parametrize("share", [0.2, 0.35])
@pytest.mark.parametrize("ratio", [0.01, 10.0, 100.0])
def test_arrays_of_spheres_conduct_as_their_series_say(lattice, share, ratio):
    centres = torch.tensor(SPHERES[lattice][0], dtype=torch.float64) + torch.tensor([0.013, 0.007, 0.021])
    packing = Packing(centres, particle_diameter(share, len(centres), 3))
    values = []
    for grid in (32, 64):
        field = composite_field(1.0, ratio, packing.shares(grid), 3)
        values.append(float(effective_conductivity(field[None], tol=1e-4).mean))
    found, _ = limit(*values, ratio, 3)
    assert found == pytest.approx(series_of(lattice, share, ratio), rel=5e-3)


@pytest.mark.parametrize(("dim", "coarse", "fine"), [(2, 32, 128), (3, 16, 32)])
def test_beside_rubber_bulk_moduli_are_in_series(dim, coarse, fine):
    """K of soft beads hardly depends on the grid, lies between Hashin and Shtrikman's bounds, and two grids tell it."""
    rubber, beads = (Catalogue.default().find(name) for name in ("pdms-sylgard-184-25c", "eps-foam-20"))
    beads = replace(beads, young=0.006, poisson=0.1144, bulk=0.0025934, shear=0.002692)  # of a block of 20 kg/m³
    generator = torch.Generator().manual_seed(1)
    (placement,) = place_particles(0.25, 0.3, dim, grid=coarse, count=1, generator=generator)
    found = []
    for grid in (coarse, fine):
        simulation = Simulation.of([Objective(quantity="K", sense="minimise")], "periodic", dim, grid)
        effective = simulation.composites((rubber, beads), simulation.shares([placement]))
        found.append(float(effective.values["K"][0]))
    assert found[0] == pytest.approx(found[1], rel=0.03 if dim == 2 else 0.01)
    bounds = bounds_of((rubber, beads), (1 - placement.share, placement.share))["K"]
    assert bounds.hs_lower < found[1] < bounds.hs_upper


def test_ordinary_phases_keep_the_exponents_of_their_contrast():
    for bulk, shear, p in (((2.0, 0.003), (0.001, 0.003), SERIES), ((5.0, 0.003), (1.5, 0.003), None)):
        first, second = ({"bulk": K, "shear": G} for K, G in zip(bulk, shear, strict=True))
        made = elasticity.composite(first, second, SHARES, 3, {})
        np.testing.assert_allclose(made["bulk"], composite_field(*bulk, SHARES, 3, p))
        np.testing.assert_allclose(made["shear"], composite_field(*shear, SHARES, 3))
    void = composite_field(2.0, 1e-9, SHARES, 3, SERIES)
    np.testing.assert_allclose(void, composite_field(2.0, 1e-9, SHARES, 3))
