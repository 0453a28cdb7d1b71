"""No cell leaves the intervals that any microstructure is said to keep to."""

from __future__ import annotations

import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.physics.attainable import reachable_by_any
from relaxdesign.physics.elasticity import quantities_of_stiffness
from relaxdesign.physics.fem import effective_stiffness
from tests.conftest import make_material

GRID = 8
NAMES = (
    *("K", "G", "E", "nu", "Ex", "Ez", "Ex/Ey", "Ex/Ez", "Ey/Ez", "AU"),
    *("C11", "C33", "C44", "C12", "C13", "C16", "C26", "C45", "C14", "C56"),
)


def cells(dim: int) -> torch.Tensor:
    """Phase maps (cells, x, y, z): random ones, a laminate and a slanted one."""
    shape = (GRID, GRID, GRID if dim == 3 else 1)
    random = torch.rand(6, *shape, generator=torch.Generator().manual_seed(dim)) < 0.4
    x, y = torch.arange(GRID)[:, None, None], torch.arange(GRID)[None, :, None]
    laminate = (x < GRID // 4).expand(shape)
    slanted = ((x + y) % GRID < GRID // 2).expand(shape)
    return torch.cat([random, laminate[None], slanted[None]])


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("pair", [("aluminium", "silicon carbide"), ("epoxy", "steel"), ("rubber", "glass")])
def test_cells_keep_to_the_intervals(dim, pair):
    every = Catalogue.default().materials
    two = Catalogue(tuple(next(m for m in every if word in m.name.lower()) for word in pair))
    assert_cells_keep_to(two, dim)


def assert_cells_keep_to(two: Catalogue, dim: int) -> None:
    phase = cells(dim)
    K, G = (torch.where(phase, values[1], values[0]) for values in (two.properties.bulk, two.properties.shear))
    values = quantities_of_stiffness(effective_stiffness(K, G).C)
    for name in NAMES:
        low, high = reachable_by_any(two, dim, name)
        slack = 1e-6 * max(1.0, abs(low), abs(high))
        assert low - slack <= values[name].min() and values[name].max() <= high + slack, name


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1.0, -0.8, 1.0), (1.2, 0.49, 1.0)),
        ((1e-3, -0.6, 0.1), (210.0, 0.3, 7.85)),
        ((1.0, 0.0, 0.1), (3.0, 0.35, 1.2)),
    ],
    ids=["auxetic and rubber-like", "auxetic foam and steel", "cork-like and resin"],
)
def test_intervals_hold_for_poisson_ratios_from_minus_one_on(first, second, dim):
    """Where ν differs much, E and C11 of a composite can lie beyond those of both its materials."""
    assert_cells_keep_to(Catalogue((make_material("a", *first), make_material("b", *second))), dim)


def test_an_auxetic_material_stiffens_a_rubber_beyond_both():
    """A laminate of equal E: across it the interfaces hold both ν back, along it C is the mean of the plate moduli."""
    two = Catalogue((make_material("a", 1.0, -0.8, 1.0), make_material("b", 1.0, 0.49, 1.0)))
    layers = (torch.arange(GRID) % 2 == 0)[None, :, None, None].expand(1, GRID, GRID, 1)
    K, G = (torch.where(layers, values[1], values[0]) for values in (two.properties.bulk, two.properties.shear))
    values = quantities_of_stiffness(effective_stiffness(K, G).C)
    plate = [1.0 / (1 - nu**2) for nu in (-0.8, 0.49)]  # E and ν of a plane isotropic plate are of the layers' mean
    nu = (-0.8 * plate[0] + 0.49 * plate[1]) / sum(plate)
    assert float(values["Ey"]) == pytest.approx(sum(plate) / 2 * (1 - nu**2), rel=1e-6)
    assert float(values["Ey"]) > 1.5
    assert reachable_by_any(two, 3, "Ey")[1] > float(values["Ey"])


def test_what_varies_in_the_plane_only_is_stiff_along_z():
    catalogue = Catalogue.default().select()
    assert reachable_by_any(catalogue, 2, "Ey/Ez")[1] < 1.5 < reachable_by_any(catalogue, 2, "Ex/Ey")[1]
    assert reachable_by_any(catalogue, 3, "Ey/Ez")[1] > 1.5
    assert reachable_by_any(catalogue, 2, "C14") == (0.0, 0.0)
