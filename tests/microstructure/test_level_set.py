"""The geometric projection keeps the sampled shape and shifts its interface onto direction-dependent targets."""

import numpy as np
import pytest
import torch

from relaxdesign.materials.catalogue import Catalogue
from relaxdesign.materials.channels import AsinhChannels
from relaxdesign.microstructure.free_form.level_set import PhaseMap, level_set, refine_geometry
from relaxdesign.microstructure.particles.packing import place_particles
from relaxdesign.microstructure.particles.projection import ProjectionError
from relaxdesign.physics.fem import effective_stiffness
from relaxdesign.study.request import parse_objective
from relaxdesign.study.simulation import Simulation, two_phase

CHANNELS = AsinhChannels()
CATALOGUE = Catalogue.default().select(categories=("metal", "ceramic"))


def relaxed_field(grid: int = 32) -> torch.Tensor:
    """Particles of the first ceramic in the first metal, with a little noise on every voxel."""
    values = CHANNELS.encode(CATALOGUE.properties, axis=-1).float()
    names = [m.category for m in CATALOGUE.materials]
    metal, ceramic = values[names.index("metal")], values[names.index("ceramic")]
    generator = torch.Generator().manual_seed(1)
    phase = place_particles(0.3, 0.35, 2, grid=grid, generator=generator)[0].voxelise(grid)
    field = torch.where(phase, ceramic.view(3, 1, 1), metal.view(3, 1, 1))
    return field + 0.005 * torch.randn(field.shape, generator=generator)


def test_level_set_has_the_sign_of_the_phase_and_unit_slope():
    x = np.arange(32)
    laminate = np.broadcast_to((x >= 8) & (x < 24), (32, 32)).T
    level = level_set(laminate)
    assert ((level > 0) == laminate).all()
    np.testing.assert_allclose(np.diff(level[10:14, 0]), 1.0, atol=0.02)


def test_phase_map_of_a_sample_is_its_two_phases():
    phases = PhaseMap.of(relaxed_field())
    assert 0.25 < phases.labels.mean() < 0.35
    assert float(phases.particle[0]) > float(phases.matrix[0])
    with pytest.raises(ProjectionError, match="homogeneous"):
        PhaseMap.of(torch.zeros(3, 16, 16))


def test_direction_dependent_targets_are_met_with_real_materials():
    objectives = (parse_objective("K = 110"), parse_objective("Ex/Ey = 1.15"))
    simulation = Simulation.of(objectives, "periodic", 2, 32)
    phases = PhaseMap.of(relaxed_field())
    matrix, particle, realised = refine_geometry(phases, CATALOGUE, CHANNELS, objectives, simulation)
    assert realised.values["K"] == pytest.approx(110, rel=0.01)
    assert realised.values["Ex/Ey"] == pytest.approx(1.15, rel=0.01)
    # The shape is the sample's: most voxels kept their phase.
    assert (realised.phase.numpy() == phases.labels).mean() > 0.7
    # An evaluation from scratch agrees.
    m, p = CATALOGUE.materials[matrix], CATALOGUE.materials[particle]
    cell = realised.phase[None, ..., None]
    K, G = (two_phase((getattr(m, name), getattr(p, name)), cell) for name in ("bulk", "shear"))
    x, y, _ = effective_stiffness(K, G).directional_young[0]
    assert float(x / y) == pytest.approx(realised.values["Ex/Ey"], rel=1e-6)
