"""The hexahedron: rigid motions are free, strains are exact, periodic collapse changes nothing."""

import numpy as np
import pytest
import torch

from relaxdesign.physics.fem import elements
from relaxdesign.physics.fem.green import reference_symbol
from relaxdesign.physics.fem.operator import VoxelOperator


def rigid_motions():
    """Three translations and three linearised rotations of the corners, (24, 6)."""
    motions = np.zeros((3, 8, 6))
    for axis in range(3):
        motions[axis, :, axis] = 1.0
        i, j = (axis + 1) % 3, (axis + 2) % 3
        motions[i, :, 3 + axis] = -elements.CORNERS[:, j]
        motions[j, :, 3 + axis] = elements.CORNERS[:, i]
    return motions.reshape(24, 6)


def test_rigid_motions_cost_nothing_and_nothing_else_does():
    stiffness_lambda, stiffness_mu = elements.unit_stiffness()
    assert np.abs(stiffness_lambda @ rigid_motions()).max() < 1e-14
    assert np.abs(stiffness_mu @ rigid_motions()).max() < 1e-14
    assert np.linalg.matrix_rank(stiffness_mu) == 18  # complete: no hourglass modes


def test_energy_of_uniform_strain_is_hookes_law():
    strain = np.random.default_rng(0).normal(size=6)
    corners = elements.affine_displacement() @ strain
    stiffness_lambda, stiffness_mu = elements.unit_stiffness()
    trace = strain[:3].sum()
    assert corners @ stiffness_lambda @ corners == pytest.approx(trace**2, rel=1e-13)
    expected = 2.0 * (strain[:3] ** 2).sum() + (strain[3:] ** 2).sum()
    assert corners @ stiffness_mu @ corners == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("active", "components"), [((0, 1, 2), (0, 1, 2)), ((0, 1), (0, 1)), ((0, 1), (2,)), ((2,), (0,))]
)
def test_strain_modes_reproduce_the_collapsed_stiffness(active, components):
    expansion = elements.collapse_matrix(active, components)
    modes = elements.fluctuation_modes(active, components)
    blocks = (modes.rows[block] for block in modes.blocks)
    for unit, rows in zip(elements.unit_stiffness(), blocks, strict=True):
        np.testing.assert_allclose(rows.T @ rows, expansion.T @ unit @ expansion, atol=1e-14)


def test_number_of_strain_modes():
    modes = elements.fluctuation_modes((0, 1, 2), (0, 1, 2))
    assert modes.sizes == (1, 18)


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 3, 1), (1, 5, 2), (1, 1, 4), (2, 2, 2)])
def test_operator_matches_element_by_element_assembly(shape, generator):
    """Against the textbook loop over elements with 24×24 matrices and node numbers modulo the size."""
    lam, mu = (torch.rand(1, *shape, generator=generator, dtype=torch.float64) + 0.5 for _ in "ab")
    u = torch.randn(1, 3, *shape, generator=generator, dtype=torch.float64)
    unit_lambda, unit_mu = (torch.as_tensor(k) for k in elements.unit_stiffness())
    expected = torch.zeros_like(u)
    for voxel in np.ndindex(*shape):
        nodes = (np.array(voxel) + elements.CORNERS) % shape
        index = (0, slice(None), *nodes.T)
        stiffness = lam[(0, *voxel)] * unit_lambda + mu[(0, *voxel)] * unit_mu
        force = (stiffness @ u[index].reshape(24)).reshape(3, 8)
        for corner, node in enumerate(nodes):
            expected[(0, slice(None), *node)] += force[:, corner]
    operator = VoxelOperator((lam, mu))
    computed = operator.expand(operator.apply(operator.restrict(u)))
    torch.testing.assert_close(computed, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "components"),
    [((4, 5, 6), (0, 1, 2)), ((6, 4, 1), (0, 1)), ((5, 4, 1), (2,)), ((1, 1, 6), (2,))],
)
def test_green_symbol_is_the_transform_of_the_stencil(shape, components):
    ratio = 1.7
    mu = torch.ones(1, *shape, dtype=torch.float64)
    operator = VoxelOperator((ratio * mu, mu), components)
    symbol = reference_symbol(operator.grid, operator.active, components, torch.tensor([ratio], dtype=torch.float64))
    zero = torch.zeros((), dtype=torch.float64)
    for column, j in enumerate(components):
        impulse = operator.zeros()
        impulse[(0, column, *(0,) * len(operator.grid))] = 1.0
        spectrum = torch.fft.rfftn(operator.apply(impulse), dim=tuple(range(2, impulse.ndim)))
        for row, i in enumerate(components):
            entry = symbol.get((min(i, j), max(i, j)), zero)
            assert (spectrum[0, row] - entry).abs().max() < 1e-13
