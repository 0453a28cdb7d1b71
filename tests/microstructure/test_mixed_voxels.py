"""Composite voxels of several materials: voids among solids, one mixture for images and designs."""

import numpy as np
import pytest
import torch

from relaxdesign.materials.material import VOID
from relaxdesign.microstructure.mixed_voxels import coefficient, composite_fields
from relaxdesign.physics.effective_properties import evaluate
from relaxdesign.physics.voxel_fields import TRACE, VoxelFields
from relaxdesign.study.simulation import Simulation
from tests.conftest import make_material

FOAM, RESIN, STEEL = (
    make_material(name, young, 0.3, density)
    for name, young, density in (("foam", 0.01, 0.1), ("resin", 3.0, 1.2), ("steel", 210.0, 7.8))
)


@pytest.mark.parametrize(("nz", "soft", "stiff"), [(1, FOAM, STEEL), (4, FOAM, STEEL), (1, FOAM, RESIN)])
def test_beside_a_void_the_softest_solid_carries_its_share_whatever_else_is_in_the_cell(nz, soft, stiff):
    """A void passes nothing on: half a voxel of foam has half its stiffness, also where steel is elsewhere."""
    shares = np.zeros((3, 4, 4, nz))
    shares[0, 0] = shares[1, 2] = shares[2, 3] = 1.0
    shares[:2, 1] = 0.5  # soft and void
    data = composite_fields(shares, [soft, VOID, stiff])
    assert data.E[1, 0, 0] == pytest.approx(0.5 * soft.young, rel=1e-6)
    assert data.rho is not None and data.rho[1, 0, 0] == pytest.approx(0.5 * soft.density)
    assert (data.E[2] == 0.0).all() and data.E[3, 0, 0] == pytest.approx(stiff.young)


def test_the_trace_of_a_void_is_one_of_the_softest_solid():
    for name in ("bulk", "shear"):
        assert coefficient(VOID, name, [STEEL, VOID, FOAM]) == TRACE * getattr(FOAM, name)
    assert coefficient(VOID, "density", [STEEL, VOID, FOAM]) == 0.0


@pytest.mark.parametrize("nz", [1, 6])
def test_images_and_designs_mix_their_voxels_alike(nz):
    generator = np.random.default_rng(0)
    shares = generator.dirichlet((3.0, 2.0, 1.0), (6, 6, nz)).transpose(3, 0, 1, 2)
    materials = [RESIN, VOID, STEEL]
    simulation = Simulation.of([], "periodic", 2 if nz == 1 else 3, 6, void=True)
    evaluator = simulation.verifying()
    fields = simulation.fields(evaluator, materials, torch.from_numpy(shares[None, 1:]))
    order = np.argsort(-shares.mean(axis=(1, 2, 3)))
    assert order.tolist() == [0, 1, 2]  # as the phases stand
    data = composite_fields(shares, materials)
    K, G = fields["bulk"][0].numpy(), fields["shear"][0].numpy()
    assert np.allclose(9 * K * G / (3 * K + G), data.E, rtol=1e-9)
    assert data.rho is not None and np.allclose(fields["density"][0].numpy(), data.rho)


def test_a_stiff_grain_does_not_stiffen_the_voids_of_a_foam():
    """The grain in foam 3 MPa hardly counts; the voids must not take a share of its 400 GPa."""
    edges = (np.arange(12) + 0.5) / 12 - 0.5
    radius = np.sqrt(edges[:, None, None] ** 2 + edges[:, None] ** 2 + edges**2)
    grain, soft = radius < 0.2, np.where(radius > 0.55, 0.0, 0.003)
    bulk = [
        evaluate(VoxelFields(np.where(grain, stiff, soft), np.full((12, 12, 12), 0.3))).bulk for stiff in (4.0, 400.0)
    ]
    assert bulk[1] == pytest.approx(bulk[0], rel=2e-3)
