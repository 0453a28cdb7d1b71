"""Random shapes: periodic, in one piece where they have to be, and of their kind."""

import numpy as np
import pytest
import torch

from relaxdesign.microstructure.connectivity import pieces
from relaxdesign.microstructure.free_form.generators import GENERATORS, SOLID_RANGE, draw_shapes
from relaxdesign.microstructure.free_form.struts import Struts, honeycomb, star, strut_distance
from relaxdesign.physics.fem import effective_stiffness


def drawn(name: str, dim: int, count: int = 4, seed: int = 0) -> torch.Tensor:
    return draw_shapes(name, count, {2: 48, 3: 16}[dim], dim, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("name", "dim"), [(name, dim) for name, kind in GENERATORS.items() for dim in kind.dims])
def test_cells_are_of_two_phases_and_networks_of_one_piece(name, dim):
    cells = drawn(name, dim)
    assert cells.dtype == torch.bool and cells.shape == (4, *({2: 48, 3: 16}[dim],) * dim)
    assert torch.equal(cells, drawn(name, dim)) and not torch.equal(cells, drawn(name, dim, seed=1))
    for cell in cells:
        assert 0 < int(cell.sum()) < cell.numel()
        if GENERATORS[name].network:
            assert pieces(cell.numpy()).connected
            assert SOLID_RANGE[0] <= float(cell.float().mean()) <= SOLID_RANGE[1]


@pytest.mark.parametrize("name", ["interpenetrating", "surfaces", "foam", "fibrous", "particles", "lattice"])
def test_cells_are_periodic(name):
    """The interface has nothing special at the faces of the cell: as many voxels change phase there as elsewhere."""
    cells = drawn(name, 2, count=48).numpy()
    changes = (cells != np.roll(cells, 1, axis=1)).mean((0, 2))
    assert abs(changes[0] - changes.mean()) < 4 * changes.std() + 1e-3


def test_symmetric_cells_have_mirror_planes():
    for cell in drawn("symmetric", 2).numpy():
        assert np.mean(cell == cell[::-1]) > 0.98 and np.mean(cell == cell[:, ::-1]) > 0.98


def test_layers_are_longer_along_than_across():
    """Of all cells' interfaces more face one direction than another, unlike those of interpenetrating ones."""

    def preference(name: str) -> float:
        cells = drawn(name, 2, count=24).numpy()
        along = [(cells != np.roll(cells, 1, axis)).mean((1, 2)) for axis in (1, 2)]
        return float(np.abs(np.log(along[0] / along[1])).mean())

    assert preference("layered") > 1.5 * preference("interpenetrating")


def test_the_distance_from_a_strut_is_that_of_a_capsule():
    strut = Struts(torch.tensor([[0.2, 0.5]]), torch.tensor([[1.2, 0.5]]), torch.tensor([0.1]))  # through the cell
    distance = strut_distance(strut, 20, 2)
    y = (torch.arange(20) + 0.5) / 20
    assert torch.allclose(distance, ((y - 0.5).abs() - 0.1).expand(20, 20), atol=1e-6)


@pytest.mark.parametrize(
    ("re_entrant", "usual"),
    [(star(2, 0.1, 0.4), star(2, 0.45, 0.25)), (honeycomb(2, 0.35, 0.35), honeycomb(2, 0.2, 0.2))],
)
def test_re_entrant_nets_widen_when_they_are_pulled(re_entrant, usual):
    """C12 of such lattices is negative, that of the same nets with their corners turned out is positive."""

    def ratio(ends: torch.Tensor) -> float:
        solid = strut_distance(Struts(ends[:, 0], ends[:, 1], torch.full((len(ends),), 0.025)), 64, 2) < 0
        E = torch.where(solid, 1.0, 1e-5).double()[None, ..., None]
        C = effective_stiffness(E / 1.2, E / 2.6, tol=1e-3).C[0]
        return float(C[0, 1] / torch.sqrt(C[0, 0] * C[1, 1]))

    assert ratio(re_entrant) < -0.1 and ratio(usual) > 0.5
