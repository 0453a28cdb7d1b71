"""No cell leaves the intervals that any microstructure is said to keep to."""

from __future__ import annotations

import pytest
import torch

from relaxdesign.catalogue import Catalogue
from relaxdesign.fem import effective_stiffness
from relaxdesign.quantities import quantities_of_stiffness
from relaxdesign.reach import reachable_by_any

GRID = 8
NAMES = ("K", "G", "nu", "Ex", "Ez", "Ex/Ey", "Ex/Ez", "Ey/Ez", "AU", "C12", "C13", "C16", "C26", "C45", "C14", "C56")


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
    phase = cells(dim)
    K, G = (torch.where(phase, values[1], values[0]) for values in (two.properties.bulk, two.properties.shear))
    values = quantities_of_stiffness(effective_stiffness(K, G).C)
    for name in NAMES:
        low, high = reachable_by_any(two, dim, name)
        slack = 1e-6 * max(1.0, abs(low), abs(high))
        assert low - slack <= values[name].min() and values[name].max() <= high + slack, name


def test_what_varies_in_the_plane_only_is_stiff_along_z():
    catalogue = Catalogue.default().select()
    assert reachable_by_any(catalogue, 2, "Ey/Ez")[1] < 1.5 < reachable_by_any(catalogue, 2, "Ex/Ey")[1]
    assert reachable_by_any(catalogue, 3, "Ey/Ez")[1] > 1.5
    assert reachable_by_any(catalogue, 2, "C14") == (0.0, 0.0)
